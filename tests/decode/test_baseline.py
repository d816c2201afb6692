"""A baseline is taken from clean rest alone, kept whole, and used with its own model alone."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from rtaffect.bundle import Bundle
from rtaffect.core.errors import BaselineError
from rtaffect.core.estimate import Estimate
from rtaffect.core.window import Flag, ModalityWindow, Window
from rtaffect.decode.baseline import (
    Baseline,
    BaselineMaker,
    read_baseline,
    recorded_baseline,
    write_baseline,
)
from rtaffect.decode.decoder import Decoder
from tests.tiny_bundle import CH_NAMES, FEATURES, write_tiny_bundle

MISSING = ("baseline", Flag.MISSING)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path, rest="required")


def _window(index: int, *, usable: bool = True, flags: Iterable[Flag] = ()) -> Window:
    eeg = np.random.default_rng(index).normal(size=(len(CH_NAMES), 32)).astype(np.float32)
    nothing = np.full((len(FEATURES), 32), np.nan, dtype=np.float32)
    t_end = index * 0.5
    return Window(
        index=index,
        t_start=t_end - 1,
        t_end=t_end,
        t_closed=t_end,
        modalities={
            "eeg": ModalityWindow(eeg, usable, float(usable), frozenset(flags), t_end),
            "face": ModalityWindow(nothing, False, 0.0, frozenset({Flag.MISSING}), t_end),
        },
    )


def _made(bundle: Bundle, windows: Iterable[Window]) -> Baseline:
    maker = BaselineMaker(bundle, provider="cpu")
    for window in windows:
        maker.push(window)
    return maker.finish()


def _squares(indices: Iterable[int]) -> np.ndarray:
    eeg = np.stack([_window(k).modalities["eeg"].data.astype(np.float64) for k in indices])
    return (eeg**2).mean(axis=(0, 2))


def test_it_comes_from_clean_windows_that_do_not_overlap(bundle: Bundle) -> None:
    windows = [
        _window(0, flags=[Flag.WARMUP]),
        _window(1),  # kept
        _window(2),  # overlaps it
        _window(3, flags=[Flag.ARTIFACT]),
        _window(4, flags=[Flag.SIMULATED, Flag.INTERPOLATED]),  # kept
        _window(5),  # overlaps it
        _window(6, usable=False),
        _window(7),  # kept
    ]
    baseline = _made(bundle, windows)
    assert baseline.n_windows == 3
    assert (baseline.t_start, baseline.t_end) == (-0.5, 3.5)
    assert baseline.flags["eeg:warmup"] == baseline.flags["eeg:artifact"] == 1
    np.testing.assert_allclose(baseline.array_for(bundle), _squares([1, 4, 7]), rtol=1e-5)


@pytest.mark.parametrize("flag", sorted(set(Flag) - {Flag.SIMULATED, Flag.INTERPOLATED}))
def test_no_window_with_a_fault_is_kept(bundle: Bundle, flag: Flag) -> None:
    assert not BaselineMaker(bundle).push(_window(1, flags=[flag]))


def test_too_few_clean_windows_are_refused_with_what_stood_in_the_way(bundle: Bundle) -> None:
    with pytest.raises(BaselineError, match=r"at least 2 clean windows .* got 1.*eeg:gap 2"):
        _made(bundle, [_window(0), *(_window(k, flags=[Flag.GAP]) for k in (2, 4))])


def test_numbers_that_are_not_finite_are_refused(bundle: Bundle) -> None:
    windows = [_window(0), _window(2)]
    windows[0].modalities["eeg"].data[0] = 1e30  # its square is no number of 32 bits
    with pytest.raises(BaselineError, match="finite"):
        _made(bundle, windows)


def test_a_model_without_a_baseline_makes_none(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="takes no baseline"):
        BaselineMaker(write_tiny_bundle(tmp_path))


def test_what_was_written_is_what_is_read(bundle: Bundle, tmp_path: Path) -> None:
    baseline = _made(bundle, [_window(0), _window(2)])
    write_baseline(tmp_path / "new" / "rest.json", baseline)
    again = read_baseline(tmp_path / "new" / "rest.json")
    assert (again, again.digest) == (baseline, baseline.digest)
    np.testing.assert_array_equal(again.array_for(bundle), baseline.array_for(bundle))
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["rest.json"]
    assert recorded_baseline(json.loads(baseline.model_dump_json())) == baseline


def test_where_it_cannot_be_written_is_said(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    baseline = _made(bundle, [_window(0), _window(2)])
    with pytest.raises(BaselineError, match="cannot be written"):
        write_baseline(tmp_path / "file" / "rest.json", baseline)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"values": [1.0, None, 2.0]}, r"values\.1"),
        ({"values": "1 2 3"}, r"values"),
        ({"n_windows": 0}, r"n_windows"),
        ({"bundle_digest": "mine"}, r"bundle_digest"),
        ({"format": 2}, r"format"),
        ({"surprise": 1}, r"surprise"),
        ({"flags": {"eeg:gap": 1.5}}, r"flags"),
    ],
)
def test_a_broken_file_is_named(
    bundle: Bundle, tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    content = _made(bundle, [_window(0), _window(2)]).model_dump(mode="json") | change
    file = tmp_path / "rest.json"
    file.write_text(json.dumps(content))
    with pytest.raises(BaselineError, match=rf"rest\.json .*(\n.*)*{complaint}"):
        read_baseline(file)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"values": [NaN]}'])
def test_what_is_no_json_of_ours_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "rest.json").write_bytes(data)
    with pytest.raises(BaselineError, match="and is not"):
        read_baseline(tmp_path / "rest.json")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"rest\.json cannot be read: No such file"):
        read_baseline(tmp_path / "rest.json")


def test_an_oversize_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtaffect.decode.baseline.MAX_FILE_BYTES", 8)
    (tmp_path / "rest.json").write_bytes(b"{" * 9)
    with pytest.raises(BaselineError, match="larger than 8"):
        read_baseline(tmp_path / "rest.json")


def test_another_models_baseline_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    baseline = _made(bundle, [_window(0), _window(2)])
    other = write_tiny_bundle(tmp_path / "other", rest="required", t_max=2)
    with pytest.raises(BaselineError, match="the model that it was made for"):
        Decoder(other, baseline=baseline)
    with pytest.raises(BaselineError, match="takes no baseline"):
        Decoder(write_tiny_bundle(tmp_path / "none"), baseline=baseline)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"shape": (4,)}, r"shape \(3,\)"),
        ({"values": (1.0, 2.0)}, r"shape \(3,\).*2 numbers"),
        ({"values": (1.0, 2.0, 1e300)}, r"finite in 32 bits"),
    ],
)
def test_statistics_of_another_shape_or_kind_are_refused(
    bundle: Bundle, change: dict[str, object], complaint: str
) -> None:
    baseline = _made(bundle, [_window(0), _window(2)]).model_copy(update=change)
    with pytest.raises(BaselineError, match=complaint):
        Decoder(bundle, baseline=baseline)


def _high(estimate: Estimate) -> float:
    return estimate.targets["valence"].probabilities[1]


def _expected(window: Window, shift: float) -> float:
    eeg = window.modalities["eeg"].data.astype(np.float64)
    return float(1 / (1 + np.exp(-((eeg @ eeg.T / 32).mean() + shift))))


def test_the_encoder_sees_the_persons_statistics(bundle: Bundle) -> None:
    baseline = _made(bundle, [_window(0), _window(2)])
    estimate = Decoder(bundle, baseline=baseline).decode(_window(9)).estimate
    assert MISSING not in estimate.flags
    shift = _squares([0, 2]).mean()
    assert _high(estimate) == pytest.approx(_expected(_window(9), shift), rel=1e-5)


def test_without_a_baseline_that_is_needed_nothing_is_answered(bundle: Bundle) -> None:
    decoder = Decoder(bundle)
    for k in range(6):
        estimate = decoder.decode(_window(k)).estimate
        assert estimate.targets == {}
        assert estimate.flags == (MISSING, ("face", Flag.MISSING))
    gone = decoder.decode(_window(6, usable=False)).estimate
    assert {MISSING, ("eeg", Flag.MISSING)} <= set(gone.flags)


def test_a_baseline_that_may_lack_is_told_to_the_model(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path, rest="optional")
    without = Decoder(bundle).decode(_window(9)).estimate
    assert MISSING in without.flags
    assert _high(without) == pytest.approx(_expected(_window(9), 0.0), rel=1e-5)
    baseline = _made(bundle, [_window(0), _window(2)])
    with_it = Decoder(bundle, baseline=baseline).decode(_window(9)).estimate
    assert MISSING not in with_it.flags
    shift = _squares([0, 2]).mean() + 1
    assert _high(with_it) == pytest.approx(_expected(_window(9), shift), rel=1e-5)
