"""Positions become millimetres and rotations radians, whatever a sender declares."""

import math
from dataclasses import replace

import numpy as np
import pytest
from window_cases import FACE_INFO

from rtaffect.core.errors import StreamError, UnitError
from rtaffect.core.face_features import FACE_FEATURES, FRAME_QUALITY
from rtaffect.core.spec import FrameSpec
from rtaffect.core.streams import Chunk, ClockOffset, StreamChoice, StreamInfo
from rtaffect.signal.face_units import face_factors
from rtaffect.signal.frames import FrameTrack
from rtaffect.sources.lsl_inlet import FoundStream
from rtaffect.sources.stream_choice import describe

LABELS = FACE_FEATURES + FRAME_QUALITY


def info(**units: str) -> StreamInfo:
    return replace(FACE_INFO, ch_names=LABELS, units=tuple(units.get(name, "") for name in LABELS))


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("pose_Tz", "mm", 1.0),
        ("pose_Tz", "cm", 10.0),
        ("pose_Tx", "Meters", 1000.0),
        ("pose_Rx", "rad", 1.0),
        ("pose_Ry", "degrees", math.pi / 180),
        ("pose_Rz", "\N{DEGREE SIGN}", math.pi / 180),
        ("pose_Rz", "", 1.0),
        ("AU12_r", "intensity", 1.0),
        ("gaze_0_x", "mm", 1.0),
    ],
)
def test_what_is_declared_is_converted(name: str, unit: str, factor: float) -> None:
    factors = dict(
        zip(FACE_FEATURES, face_factors(info(**{name: unit}), FACE_FEATURES), strict=True)
    )
    assert factors.pop(name) == pytest.approx(factor)
    assert set(factors.values()) == {1.0}


def test_a_unit_that_is_none_of_these_is_refused_unless_the_session_knows_better() -> None:
    pixels = info(pose_Tz="px")
    with pytest.raises(UnitError, match=r"pose_Tz .*must be in mm, cm or m, got 'px'.*factors"):
        face_factors(pixels, FACE_FEATURES)
    known = replace(pixels, factors={"pose_Tz": 0.26})
    assert face_factors(known, ("AU12_r", "pose_Tz")).tolist() == [1.0, 0.26]


def test_the_model_sees_what_the_factors_make_of_a_frame() -> None:
    foreign = replace(info(pose_Ry="deg"), factors={"pose_Rx": -1.0})
    track = FrameTrack(FrameSpec(ch_names=("pose_Rx", "pose_Ry", "AU12_r")), foreign, keep_s=5.0)
    track.offset(ClockOffset("face", 0.0, 0.0))
    frame = np.ones((len(LABELS), 40))
    frame[LABELS.index("pose_Ry")] = 90.0
    stamps = 10.0 + np.arange(40) / 32
    for _ in track.push(Chunk("face", frame, stamps, stamps[-1])):
        pass
    part = track.window(10.25, 10.75, silent=False)
    assert np.allclose(part.data.T, [-1.0, math.pi / 2, 1.0])


OTHER_TOOL = FoundStream(
    name="tracker",
    stype="Expression",
    source_id="cam",
    hostname="lab",
    uid="1",
    n_channels=3,
    sfreq=0.0,
    dtype="float32",
    ch_names=("smile", "pitch", "tracked"),
    units=("", "deg", ""),
)


def test_another_tools_stream_is_mapped_by_the_session() -> None:
    choice = StreamChoice(
        modality="face",
        stype="Expression",
        rename={"smile": "AU12_r", "pitch": "pose_Rx", "tracked": "success"},
        factors={"AU12_r": 5.0},
    )
    mapped = describe(OTHER_TOOL, choice)
    assert mapped.ch_names == ("AU12_r", "pose_Rx", "success")
    assert face_factors(mapped, ("pose_Rx", "AU12_r")).tolist() == [pytest.approx(0.01745329), 5.0]


def test_a_factor_for_a_channel_that_is_not_there_is_named() -> None:
    with pytest.raises(StreamError, match=r"factors, .*it has no 'Smile' \('smile'\?\)"):
        describe(OTHER_TOOL, StreamChoice(modality="face", factors={"Smile": 5.0}))
