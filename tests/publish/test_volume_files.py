"""Volumes of a recording: files that others read, and that we live through again bit for bit."""

import hashlib
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rtaffect.core.errors import RecordingError
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamInfo, Tick, VolumeChunk
from rtaffect.core.volume_message import VOLUME_STYPE
from rtaffect.core.voxels import DTYPES
from rtaffect.publish.recorder import Recorder
from rtaffect.publish.volume_files import VolumeFiles
from rtaffect.simulate.bold import BoldSettings
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.simulate.volumes import Parcellation
from rtaffect.sources.recording import open_recording
from rtaffect.sources.volume_files import RecordedVolumes

EEG = StreamInfo(
    modality="eeg", name="Amp", stype="EEG", ch_names=("Cz",), sfreq=250.0, units=("uV",)
)
VOLUMES = StreamInfo(
    modality="volume", name="Scan", stype=VOLUME_STYPE, source_id="s", ch_names=(), sfreq=0.0,
    about={"acquisition.tr_s": "2"},
)  # fmt: skip
AFFINE = np.array([[-3.1, 0.1, 0, 9.7], [0, 3.3, 0, 1 / 3], [0, 0, 4, -7e-9], [0, 0, 0, 1]])


def volume(index: int, data: np.ndarray, *, stamp_s: float = 0.1) -> VolumeChunk:
    return VolumeChunk(
        modality="volume",
        data=data.reshape(-1, 1),
        stamps_s=np.array([stamp_s]),
        t_received=10.0 + index,
        shape=data.shape,
        affine=AFFINE,
        index=index,
    )


def record(path: Path, events: list[Event], infos: dict[str, StreamInfo] | None = None) -> Path:
    recorder = Recorder(path, infos or {"eeg": EEG, "volume": VOLUMES}, session={})
    for event in events:
        recorder.on_event(event)
    recorder.close()
    return path


def replay(path: Path) -> list[Event]:
    with open_recording([path]) as source:
        return list(source.events())


def same(one: Event, other: Event) -> bool:
    if isinstance(one, VolumeChunk) and isinstance(other, VolumeChunk):
        return (
            (one.shape, one.index, one.data.dtype) == (other.shape, other.index, other.data.dtype)
            and np.array_equal(one.affine, other.affine)
            and _same_samples(one, other)
        )
    if isinstance(one, Chunk) and isinstance(other, Chunk):
        return type(one) is type(other) and _same_samples(one, other)
    return one == other


def _same_samples(one: Chunk, other: Chunk) -> bool:
    def plain(chunk: Chunk) -> object:
        data = chunk.data.tolist() if chunk.data.dtype == object else chunk.data.tobytes()
        return chunk.modality, chunk.t_received, chunk.stamps_s.tobytes(), data

    return plain(one) == plain(other)


def test_volumes_are_replayed_in_their_place_among_the_other_events(tmp_path: Path) -> None:
    data = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    events: list[Event] = [
        ClockOffset("volume", 0.0, 10.0),
        volume(0, data),
        Tick(10.25),
        Chunk("eeg", np.ones((1, 2), np.float32), np.array([9.4, 9.404]), 10.3),
        volume(1, data[:1].astype(np.float64), stamp_s=1 / 3),
        Tick(11.5),
    ]
    again = replay(record(tmp_path / "s.xdf", events))
    assert len(again) == len(events)
    assert all(same(a, b) for a, b in zip(events, again, strict=True))


@given(
    data=st.sampled_from(sorted(DTYPES)).flatmap(
        lambda kind: arrays(kind, st.tuples(*[st.integers(1, 4)] * 3))
    )
)
@settings(max_examples=40, deadline=None)
def test_voxels_of_every_type_come_back_bit_for_bit(
    data: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sent = volume(0, data)
    path = record(tmp_path_factory.mktemp("r") / "s.xdf", [sent])
    (got,) = replay(path)
    assert same(sent, got)


def test_other_programs_read_the_files(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    record(tmp_path / "s.xdf", [volume(0, data), volume(1, data + 1)])
    files = sorted((tmp_path / "s_volumes").iterdir())
    assert [file.name for file in files] == ["000000.nii", "000001.nii"]
    image = nibabel.load(files[1])
    assert np.array_equal(np.asarray(image.dataobj), data + 1)
    np.testing.assert_allclose(image.affine, AFFINE, rtol=1e-6, atol=1e-7)
    assert image.header.get_xyzt_units() == ("mm", "sec")


def test_the_recording_says_what_each_file_is(tmp_path: Path) -> None:
    import pyxdf

    data = np.zeros((2, 2, 2), np.uint8)
    path = record(tmp_path / "s.xdf", [volume(7, data, stamp_s=42.5)])
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False)
    (kept,) = [s for s in streams if s["info"]["type"] == [VOLUME_STYPE]]
    told = json.loads(kept["time_series"][0][0])
    content = (tmp_path / "s_volumes" / told["file"]).read_bytes()
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert (told["index"], told["shape"]) == (7, [2, 2, 2])
    assert kept["time_stamps"].tolist() == [42.5]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "sha256 differs"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\x07"), "sha256 differs"),
        (lambda file: file.parent.rename(file.parent.with_name("other")), "Keep the folder"),
    ],
)
def test_a_file_that_is_missing_or_altered_is_said(tmp_path: Path, harm, said: str) -> None:
    data = np.zeros((2, 2, 2), np.int16)
    path = record(tmp_path / "s.xdf", [volume(0, data), volume(1, data)])
    harm(tmp_path / "s_volumes" / "000001.nii")
    with pytest.raises(RecordingError, match=said):
        replay(path)


@pytest.mark.parametrize(
    "kept",
    [
        *(
            json.dumps({"file": name, "sha256": "0"})
            for name in ("../000000.nii", "/000000.nii", "000000.nii.gz", "a.nii", "", 3, None)
        ),
        json.dumps({"file": "000000.nii"}),
        "[]",
        "{",
        "[" * 5000,
    ],
)
def test_a_recording_reads_no_file_but_its_own(tmp_path: Path, kept: str) -> None:
    with pytest.raises(RecordingError, match="damaged"):
        RecordedVolumes(tmp_path / "s.xdf").read(kept, 0.0)


@pytest.mark.parametrize(
    "changes", [{"shape": [2, 2, 3]}, {"shape": [10**6] * 3}, {"dtype": "<f8"}, {"dtype": "|O"}]
)
def test_a_file_that_is_not_what_the_recording_says_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    kept = VolumeFiles(tmp_path / "s.xdf").write(volume(0, np.zeros((2, 2, 2), np.int16)))
    with pytest.raises(RecordingError, match="does not hold"):
        RecordedVolumes(tmp_path / "s.xdf").read(json.dumps({**json.loads(kept), **changes}), 0.0)


def test_a_file_that_is_no_volume_is_refused(tmp_path: Path) -> None:
    kept = json.loads(
        VolumeFiles(tmp_path / "s.xdf").write(volume(0, np.zeros((2, 2, 2), np.int16)))
    )
    for content in (b"", b"x" * 400):
        (tmp_path / "s_volumes" / "000000.nii").write_bytes(content)
        told = json.dumps({**kept, "sha256": hashlib.sha256(content).hexdigest()})
        with pytest.raises(RecordingError, match="does not hold"):
            RecordedVolumes(tmp_path / "s.xdf").read(told, 0.0)


def test_volumes_of_another_recording_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "s_volumes").mkdir()
    with pytest.raises(RecordingError, match="not overwritten"):
        record(tmp_path / "s.xdf", [])
    assert not (tmp_path / "s.xdf").exists()


def test_a_session_without_volumes_makes_no_folder(tmp_path: Path) -> None:
    record(tmp_path / "s.xdf", [Tick(1.0)])
    assert [file.name for file in tmp_path.iterdir()] == ["s.xdf"]
    assert replay(tmp_path / "s.xdf") == [Tick(1.0)]


def test_a_scan_is_lived_through_again(tmp_path: Path) -> None:
    scan = SimulatedSource(
        Participant(3),
        21.0,
        sfreq=128,
        bold=BoldSettings(n_regions=9),
        parcellation=Parcellation(n_regions=9, shape=(8, 8, 6)),
    )
    events = list(scan.events())
    again = replay(record(tmp_path / "s.xdf", events, dict(scan.infos)))
    assert len(again) == len(events)
    assert all(same(a, b) for a, b in zip(events, again, strict=True))
