"""Decoders of frames: an answer at each frame, the time it speaks of, and nobody waits for it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frame_cases import FRAMES, ROI_SPEC, events_of, frames, roi_info
from kept import Kept
from tiny_bundle import write_tiny_bundle
from tiny_roi_bundle import answer_by_hand, tiny_roi_manifest, write_tiny_roi_bundle
from window_cases import EEG_INFO, ListSource, session

from rtaffect.bundle import explain_mismatch, load_bundle
from rtaffect.core.errors import BundleError
from rtaffect.core.streams import Chunk, Event, Source
from rtaffect.core.window import Flag
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.windows import open_windows

INFOS = {"eeg": EEG_INFO, "roi": roi_info()}


def run(source: Source, *decoders: Decoder) -> Kept:
    kept = Kept(*(decoder.name for decoder in decoders))
    Engine(source, decoders, [kept]).run()
    return kept


def test_each_frame_has_an_answer_that_speaks_of_earlier(tmp_path: Path) -> None:
    bundle = write_tiny_roi_bundle(tmp_path)
    events = events_of(frames(20))
    kept = run(ListSource(events, INFOS), Decoder(bundle, provider="cpu"))
    windows = list(open_windows(ListSource(events, INFOS), bundle.manifest.windows))
    assert [e.t_end for e in kept.estimates] == [w.t_end for w in windows]
    assert {e.lag_s for e in kept.estimates} == {6.0}
    answered = 0
    for estimate, window in zip(kept.estimates, windows, strict=True):
        part = window.modalities["roi"]
        assert bool(estimate.targets) == part.usable
        assert estimate.coverage == {"roi": part.coverage}
        if part.usable:
            answered += 1
            assert estimate.n_slices == 1
            got = estimate.targets["valence"].probabilities[1]
            assert got == pytest.approx(answer_by_hand(part.data), abs=1e-6)
    assert answered > 10
    assert {matrix.ch_names for matrix in kept.matrices} == {ROI_SPEC.ch_names}


def test_no_decoder_of_eeg_waits_for_a_frame(tmp_path: Path) -> None:
    """Two decoders in one engine: frames that are late, or missing, change nothing of the EEG's."""
    eeg, roi = write_tiny_bundle(tmp_path), write_tiny_roi_bundle(tmp_path)
    names = {"ch_names": ("Fz", "Cz", "Pz")}
    info = replace(EEG_INFO, **names, units=("uV",) * 3)
    signal: list[Event] = [
        Chunk("eeg", e.data[:3], e.stamps_s, e.t_received) if isinstance(e, Chunk) else e
        for e in session(30.0, face=False)
    ]
    slow = [replace(f, t_received=f.stamp_s + 6.0) for f in frames(9) if f.stamp_s != 110.0]
    both = sorted([*signal, *events_of(slow)], key=lambda event: event.t_received)
    ticks = [e for e in both if not (isinstance(e, Chunk) and e.modality == "roi")]
    infos = {"eeg": info, "roi": roi_info()}
    together = run(
        ListSource(both, infos),
        Decoder(eeg, name="eeg", provider="cpu"),
        Decoder(roi, name="roi", provider="cpu"),
    )
    alone = run(ListSource(ticks, infos), Decoder(eeg, name="eeg", provider="cpu"))
    of_eeg = [
        (e.canonical(), t.t_closed)
        for e, t in zip(together.estimates, together.timings, strict=True)
        if e.decoder == "eeg"
    ]
    assert of_eeg == [
        (e.canonical(), t.t_closed) for e, t in zip(alone.estimates, alone.timings, strict=True)
    ]
    assert any(e.targets for e in alone.estimates)
    assert sum(e.decoder == "roi" for e in together.estimates) >= len(slow)


def test_a_missing_region_is_the_mean_to_the_model(tmp_path: Path) -> None:
    windows = replace(FRAMES, modalities={"roi": replace(ROI_SPEC, max_missing=0.3)})
    bundle = write_tiny_roi_bundle(tmp_path, windows=windows)
    made = frames(20)
    for frame in made:
        frame.values[2] = np.nan
    kept = run(ListSource(events_of(made), INFOS), Decoder(bundle, provider="cpu"))
    last = kept.estimates[-1]
    assert last.coverage["roi"] == pytest.approx(4 / 5)
    assert last.targets


def test_a_simulated_scanner_is_flagged(tmp_path: Path) -> None:
    bundle = write_tiny_roi_bundle(tmp_path)
    infos = {"roi": roi_info(simulated=True)}
    decoder = Decoder(bundle, infos=infos, provider="cpu")
    kept = run(ListSource(events_of(frames(12)), infos), decoder)
    assert all(("roi", Flag.SIMULATED) in estimate.flags for estimate in kept.estimates)


def test_what_a_stream_lacks_is_counted_and_named() -> None:
    manifest, _ = tiny_roi_manifest()
    assert explain_mismatch(manifest, INFOS) == []
    (lack,) = explain_mismatch(manifest, {"roi": roi_info(ch_names=("A8m_L", "lINS_R"))})
    assert "of these, 3 regions are missing (A8m_R, rAmyg_L, rAmyg_R)" in lack
    as_they_are = {"roi": replace(ROI_SPEC, take="frames")}
    manifest, _ = tiny_roi_manifest(windows=replace(FRAMES, modalities=as_they_are))
    (slow,) = explain_mismatch(manifest, {"roi": roi_info(about={"acquisition.tr_s": "1.0"})})
    assert "must have a TR of 2 s" in slow


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"slices": {"t_min": 1, "t_max": 2, "shape": [5]}}, "t_max must be 1 where frames close"),
        ({"closes": "grid"}, "closes must name one of roi"),
        ({"closes": "eeg"}, "closes must be 'grid' or a modality of kind"),
        ({"roi": {"ch_names": ["a"]}}, r"encoder.inputs.roi must have shape \(1, 1, 6\)"),
        ({"roi": {"sfreq": 1e9}}, "must not have more than"),
        (
            {"roi": {"kind": "volume", "shape": [5, 1, 1], "ch_names": []}},
            "max_missing: Unexpected",
        ),
        ({"roi": {"clip": -1.0}}, "clip must be from"),
        ({"roi": {"cleaning": {"window_s": -5.0}}}, "cleaning.window_s must be from"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, dict[str, object]], words: str
) -> None:
    bundle = write_tiny_roi_bundle(tmp_path)
    told = json.loads((bundle.path / "manifest.json").read_text())
    told["windows"]["modalities"]["roi"] |= change.pop("roi", {})
    if "closes" in change:
        told["windows"]["closes"] = change.pop("closes")
    (bundle.path / "manifest.json").write_text(json.dumps(told | change))
    with pytest.raises(BundleError, match=words):
        load_bundle(bundle.path)


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"shape": [1 << 20, 1 << 20, 1 << 20]}, "shape must have sides from 1 to 1024"),
        ({"shape": [-5, -1, 1]}, "shape must have sides from 1 to 1024"),
        ({"shape": [1024, 1024, 1024]}, "must not have more than"),
        ({"shape": [5, 1, 1], "ch_names": ["a"]}, "voxels have no names"),
        ({"shape": [5, 1, 1], "affine": [[0.0] * 4] * 3 + [[0.0, 0.0, 0.0, 1.0]]}, "millimetres"),
    ],
)
def test_a_volume_of_impossible_shape_is_refused_before_anything_is_made(
    tmp_path: Path, volume: dict[str, object], words: str
) -> None:
    bundle = write_tiny_roi_bundle(tmp_path)
    told = json.loads((bundle.path / "manifest.json").read_text())
    told["windows"]["modalities"]["roi"] = {"kind": "volume", **volume}
    (bundle.path / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(BundleError, match=words):
        load_bundle(bundle.path)
