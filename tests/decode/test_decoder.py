import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtaffect.core.errors import InferenceError
from rtaffect.core.estimate import Estimate
from rtaffect.core.streams import StreamInfo
from rtaffect.core.window import Flag, ModalityWindow, Window
from rtaffect.decode.decoder import Decoder
from tests.tiny_bundle import CH_NAMES, FEATURES, write_tiny_bundle

STEP = 2  # window 1 s, hop 0.5 s


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture
def decoder(tmp_path: Path) -> Decoder:
    return Decoder(write_tiny_bundle(tmp_path))


def _window(
    index: int,
    *,
    usable: bool = True,
    face: bool = True,
    coverage: float = 1.0,
    flags: Iterable[Flag] = (),
) -> Window:
    rng = np.random.default_rng(index)
    eeg = rng.normal(size=(len(CH_NAMES), 32)).astype(np.float32)
    frames = rng.normal(size=(len(FEATURES), 32)).astype(np.float32)
    return Window(
        index=index,
        t_start=index * 0.5 - 1,
        t_end=index * 0.5,
        t_closed=index * 0.5,
        modalities={
            "eeg": ModalityWindow(
                data=eeg if usable else np.full_like(eeg, np.nan),
                usable=usable,
                coverage=coverage if usable else 0.0,
                flags=frozenset(flags),
                t_newest=index * 0.5,
            ),
            "face": ModalityWindow(
                data=frames if face else np.full_like(frames, np.nan),
                usable=face,
                coverage=1.0 if face else 0.0,
                flags=frozenset(),
                t_newest=index * 0.5,
            ),
        },
    )


def _expected(windows: list[Window]) -> float:
    """P(valence high) by hand from the windows of a run."""
    means = []
    for window in windows:
        eeg = window.modalities["eeg"].data.astype(np.float64)
        factor = 1.0 + float(window.modalities["face"].usable)
        means.append((eeg @ eeg.T / eeg.shape[1] * factor).mean())
    return 1 / (1 + math.exp(-float(np.mean(means))))


def _high(estimate: Estimate) -> float:
    return estimate.targets["valence"].probabilities[1]


def test_a_run_grows_by_windows_that_do_not_overlap(decoder: Decoder) -> None:
    windows = [_window(k) for k in range(10)]
    estimates = [decoder.decode(window).estimate for window in windows]
    assert [e.n_slices for e in estimates] == [1, 1, 2, 2, 3, 3, 3, 3, 3, 3]
    for k, estimate in enumerate(estimates):
        run = [windows[j] for j in range(k, -1, -STEP)][:3]
        assert _high(estimate) == pytest.approx(_expected(run), rel=1e-5)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(present=st.lists(st.sampled_from(["usable", "unusable", "absent"]), min_size=1, max_size=30))
def test_any_gap_breaks_the_run_and_only_the_run(folder: Path, present: list[str]) -> None:
    decoder = Decoder(write_tiny_bundle(folder, t_min=2, t_max=3))
    for k, state in enumerate(present):
        if state == "absent":
            continue
        estimate = decoder.decode(_window(k, usable=state == "usable")).estimate
        run, j = 0, k
        while j >= 0 and run < 3 and present[j] == "usable":
            run, j = run + 1, j - STEP
        assert estimate.n_slices == (run if run >= 2 else 0)
        assert bool(estimate.targets) == (run >= 2)
        assert (("eeg", Flag.MISSING) in estimate.flags) == (run < 2)
        assert len(decoder._slices) <= 3 * STEP


def test_without_an_answer_nothing_is_claimed(decoder: Decoder) -> None:
    window = _window(0, usable=False, flags=[Flag.GAP])
    estimate = decoder.decode(window).estimate
    assert (estimate.targets, estimate.confidence, estimate.contributions) == ({}, 0.0, {})
    assert estimate.flags == (("eeg", Flag.GAP), ("eeg", Flag.MISSING))
    assert estimate.coverage == {"eeg": 0.0, "face": 1.0}


def test_flags_of_every_window_that_was_used_reach_the_estimate(decoder: Decoder) -> None:
    decoder.decode(_window(0, flags=[Flag.ARTIFACT]))
    decoder.decode(_window(1, flags=[Flag.CLOCK]))
    second = decoder.decode(_window(2, flags=[Flag.GAP])).estimate
    assert second.flags == (("eeg", Flag.ARTIFACT), ("eeg", Flag.GAP))
    for k in range(3, 7):
        last = decoder.decode(_window(k)).estimate
    assert last.flags == (("eeg", Flag.GAP),)


def test_coverage_is_the_mean_over_the_windows_that_were_used(decoder: Decoder) -> None:
    decoder.decode(_window(0, coverage=0.5))
    estimate = decoder.decode(_window(2, coverage=1.0)).estimate
    assert estimate.coverage == {"eeg": 0.75, "face": 1.0}
    certainty = np.mean([t.certainty for t in estimate.targets.values()])
    assert estimate.confidence == pytest.approx(certainty * (0.75 + 1.0) / 2)


def test_without_a_face_the_decoder_answers_from_the_eeg_and_says_so(decoder: Decoder) -> None:
    window = _window(0, face=False)
    estimate = decoder.decode(window).estimate
    assert _high(estimate) == pytest.approx(_expected([window]), rel=1e-5)
    assert estimate.flags == (("face", Flag.MISSING),)
    certainty = np.mean([t.certainty for t in estimate.targets.values()])
    assert estimate.confidence == pytest.approx(certainty)


def test_a_frame_without_a_face_is_masked(decoder: Decoder) -> None:
    window = _window(0)
    window.modalities["face"].data[1, :16] = np.nan
    decoded = decoder.decode(window, with_matrices=True)
    np.testing.assert_allclose(decoded.matrices["prior"], [1.5])


def test_matrices_come_only_when_asked_for_and_change_nothing(decoder: Decoder) -> None:
    window = _window(0)
    plain = decoder.decode(window)
    decoder.reset()
    full = decoder.decode(window, with_matrices=True)
    assert plain.matrices == {}
    assert set(full.matrices) == {"slice", "connectivity", "prior"}
    eeg = window.modalities["eeg"].data
    np.testing.assert_allclose(full.matrices["connectivity"], eeg @ eeg.T / 32, rtol=1e-5)
    assert full.estimate.canonical() == plain.estimate.canonical()


def test_a_second_pass_gives_the_same_bytes(folder: Path) -> None:
    windows = [_window(k, usable=k % 7 != 3, face=k % 5 != 0) for k in range(30)]
    bundle = write_tiny_bundle(folder)
    decoder = Decoder(bundle)
    first = [decoder.decode(w).estimate.canonical() for w in windows]
    decoder.reset()
    assert [decoder.decode(w).estimate.canonical() for w in windows] == first
    other = Decoder(bundle)
    assert [other.decode(w).estimate.canonical() for w in windows] == first


def test_a_reset_forgets(decoder: Decoder) -> None:
    decoder.decode(_window(0))
    decoder.reset()
    assert decoder.decode(_window(2)).estimate.n_slices == 1


def test_a_window_from_the_past_does_not_see_the_future(decoder: Decoder) -> None:
    for k in (10, 12, 14):
        decoder.decode(_window(k))
    assert decoder.decode(_window(12)).estimate.n_slices == 2
    assert decoder.decode(_window(14)).estimate.n_slices == 3


def test_a_simulated_bundle_marks_every_modality(folder: Path) -> None:
    decoder = Decoder(write_tiny_bundle(folder, simulated=True))
    marks = {("eeg", Flag.SIMULATED), ("face", Flag.SIMULATED)}
    assert set(decoder.decode(_window(0)).estimate.flags) == marks
    assert marks < set(decoder.decode(_window(1, usable=False)).estimate.flags)


def test_a_simulated_stream_marks_its_modality(folder: Path) -> None:
    info = StreamInfo(
        modality="face", name="f", stype="Face", ch_names=FEATURES, sfreq=0.0, simulated=True
    )
    decoder = Decoder(write_tiny_bundle(folder), infos={"face": info})
    assert decoder.decode(_window(0)).estimate.flags == (("face", Flag.SIMULATED),)


def test_an_estimate_names_its_decoder_bundle_and_window(folder: Path) -> None:
    bundle = write_tiny_bundle(folder)
    estimate = Decoder(bundle, name="left").decode(_window(8)).estimate
    assert (estimate.decoder, estimate.bundle_digest) == ("left", bundle.digest)
    assert (estimate.t_start, estimate.t_end) == (3.0, 4.0)
    assert estimate.contributions == {"left": 1.0}
    assert estimate.targets["arousal"].edges == (-1.0, 0.0, 1.0)


def test_windows_of_another_shape_are_refused(folder: Path) -> None:
    decoder = Decoder(write_tiny_bundle(folder, window_s=2.0))
    with pytest.raises(InferenceError, match="tiny: encoder cannot run"):
        decoder.decode(_window(0))
