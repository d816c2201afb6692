"""A model meets the features of the extractor that it knows, or each person's changes alone."""

import numpy as np
import pytest
from window_cases import FACE_INFO

from rtaffect.core.errors import MontageError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.spec import FrameSpec
from rtaffect.core.streams import Chunk, ClockOffset, StreamInfo
from rtaffect.core.window import Flag, ModalityWindow
from rtaffect.signal.frames import FrameTrack

SFREQ = 32.0


def info(extractor: str) -> StreamInfo:
    about = {"processing.extractor": extractor} if extractor else {}
    return StreamInfo(
        modality="face",
        name="camera",
        stype="Face",
        ch_names=FACE_INFO.ch_names,
        sfreq=0.0,
        about=about,
    )


@pytest.mark.parametrize("made_by", ["", "openface"])
def test_features_of_another_extractor_are_refused(made_by: str) -> None:
    spec = FrameSpec(ch_names=FACE_FEATURES, extractor="rtaffect")
    with pytest.raises(MontageError, match=r"made by 'rtaffect'.*says .*face_normalise: running"):
        FrameTrack(spec, info(made_by), keep_s=5.0)
    FrameTrack(spec, info("rtaffect"), keep_s=5.0)


def test_whose_level_does_not_count_any_extractor_serves() -> None:
    spec = FrameSpec(ch_names=FACE_FEATURES, extractor="rtaffect", normalise="running")
    FrameTrack(spec, info("openface"), keep_s=5.0)


def test_a_model_that_never_asked_takes_what_comes() -> None:
    FrameTrack(FrameSpec(ch_names=FACE_FEATURES), info("openface"), keep_s=5.0)


def windows(frames: np.ndarray, spec: FrameSpec, *, window_s: float = 4.0) -> ModalityWindow:
    track = FrameTrack(spec, info("rtaffect"), keep_s=60.0)
    track.offset(ClockOffset("face", 0.0, 0.0))
    n = frames.shape[1]
    stamps = 100.0 + np.arange(n) / SFREQ
    quality = np.ones((2, n))
    for _ in track.push(Chunk("face", np.concatenate([frames, quality]), stamps, stamps[-1])):
        pass
    t_end = 100.0 + n / SFREQ - 0.25
    return track.window(t_end - window_s, t_end, silent=False)


def test_running_values_are_those_of_numpy_over_the_past() -> None:
    rng = np.random.default_rng(8)
    n = round(30 * SFREQ)
    frames = rng.normal(5.0, 2.0, (29, n))
    frames[:, 50:60] = np.nan  # no face: neither shown nor counted
    spec = FrameSpec(ch_names=FACE_FEATURES, normalise="running")
    part = windows(frames, spec)
    at = round((30 - 0.25 - 4.0) * SFREQ)
    wanted = []
    for stop in range(at, at + part.data.shape[1]):
        past = frames[:, : stop + 1]
        past = past[:, np.isfinite(past).all(axis=0)]
        wanted.append((past[:, -1] - past.mean(axis=1)) / past.std(axis=1))
    assert np.allclose(part.data, np.clip(np.transpose(wanted), -5, 5), atol=1e-4)
    assert part.coverage == 1.0
    assert Flag.WARMUP not in part.flags


def test_time_without_a_face_warms_nobody_up() -> None:
    frames = np.random.default_rng(2).normal(size=(29, round(20 * SFREQ)))
    frames[:, 8 : round(14 * SFREQ)] = np.nan  # seen for a moment, then away for 14 s
    spec = FrameSpec(ch_names=FACE_FEATURES, normalise="running")
    assert Flag.WARMUP in windows(frames, spec).flags
    longer = np.concatenate([frames, np.random.default_rng(3).normal(size=(29, 320))], axis=1)
    assert Flag.WARMUP not in windows(longer, spec).flags


def test_a_person_who_just_came_is_warming_up() -> None:
    frames = np.random.default_rng(1).normal(size=(29, round(8 * SFREQ)))
    part = windows(frames, FrameSpec(ch_names=FACE_FEATURES, normalise="running"))
    assert Flag.WARMUP in part.flags
    assert part.coverage == 0.0
    assert not part.usable
