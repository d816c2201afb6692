"""The whole process: volumes sent by somebody else in, ROI frames over LSL out."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import nibabel
import numpy as np
import numpy.typing as npt
import pylsl
import pytest
import zmq

pytestmark = pytest.mark.integration
PATIENCE_S = 20.0
AFFINE = np.array([[3.0, 0, 0, -20], [0, 3, 0, -20], [0, 0, 4, -10], [0, 0, 0, 1]])
SHAPE = (12, 10, 6)
TR_S = 0.25


@pytest.fixture
def source_id(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name}-{os.getpid()}"


def free_address() -> str:
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
    return f"tcp://127.0.0.1:{port}"


def labels() -> npt.NDArray[np.int16]:
    """Return five slabs along x, the third of which is empty."""
    values = np.zeros(SHAPE, np.int16)
    for region, x in enumerate((1, 3, 5, 7, 9), start=1):
        values[x : x + 2, 1:9, 1:5] = region
    values[values == 3] = 0
    return values


def a_volume(index: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(index).normal(1000.0 + index, 20.0, SHAPE)


def means(index: int) -> npt.NDArray[np.float64]:
    data, at = a_volume(index), labels()
    return np.array([data[at == r].mean() if (at == r).any() else np.nan for r in range(1, 6)])


@contextmanager
def running(tmp_path: Path, settings: dict[str, object]) -> Iterator[subprocess.Popen[str]]:
    """Run `rtaffect scanner` on a session file that holds these settings."""
    nibabel.save(nibabel.Nifti1Image(labels(), AFFINE), tmp_path / "labels.nii.gz")
    names = {str(region): f"slab {region}" for region in range(1, 6)}
    (tmp_path / "names.json").write_text(json.dumps(names))
    defaults = {
        "labels": {
            "image": str(tmp_path / "labels.nii.gz"),
            "names": str(tmp_path / "names.json"),
            "space": "test",
        },
        "cleaning": None,
        "tr_s": TR_S,
        "simulated": True,
    }
    session = tmp_path / "session.yaml"  # JSON is YAML
    session.write_text(json.dumps({"scanner": {**defaults, **settings}}))
    command = [sys.executable, "-m", "rtaffect", "scanner", str(session)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Sender:
    """Speaks Pyneal's protocol, as its own scanner side does."""

    def __init__(self, address: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PAIR)
        self._socket.linger = 0
        self._socket.rcvtimeo = int(1000 * PATIENCE_S)
        self._socket.connect(address)
        self._socket.send(b"hello from pyneal_scanner ")
        assert self._socket.recv() == b"hello from pyneal_scanner "

    def send(self, index: int, data: npt.NDArray, affine: npt.NDArray = AFFINE) -> None:
        header = {
            "volIdx": index,
            "dtype": str(data.dtype),
            "shape": list(data.shape),
            "affine": json.dumps(affine.tolist()),
            "TR": str(1000 * TR_S),
        }
        self._socket.send_multipart([json.dumps(header).encode(), data.tobytes()])
        assert self._socket.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._context.destroy(linger=0)


def inlet(source_id: str) -> pylsl.StreamInlet:
    (found,) = pylsl.resolve_byprop("source_id", source_id, timeout=PATIENCE_S)
    opened = pylsl.StreamInlet(found, recover=False, processing_flags=0)
    opened.open_stream(timeout=PATIENCE_S)
    return opened


def pull(stream: pylsl.StreamInlet, enough: Callable[[list], bool]) -> tuple[list, list[float]]:
    samples: list = []
    stamps: list[float] = []
    deadline = pylsl.local_clock() + PATIENCE_S
    while not enough(samples) and pylsl.local_clock() < deadline:
        chunk, when = stream.pull_chunk(timeout=0.2)
        samples += list(chunk)
        stamps += list(when)
    assert enough(samples)
    return samples, stamps


def said(samples: list, kind: str) -> list[dict]:
    return [message for (text,) in samples if (message := json.loads(text))["kind"] == kind]


def described(stream: pylsl.StreamInlet, *path: str) -> str:
    node = stream.info(PATIENCE_S).desc()
    for name in path[:-1]:
        node = node.child(name)
    return str(node.child_value(path[-1]))


def test_volumes_become_described_frames_with_all_that_is_known_of_them(
    source_id: str, tmp_path: Path
) -> None:
    address, volumes = free_address(), free_address()
    settings = {
        "input": {"kind": "pyneal", "address": address},
        "volumes": volumes,
        "time": {"kind": "arrival", "delay_s": 0.75},
        "source_id": source_id,
    }
    with running(tmp_path, settings) as process, zmq.Context() as context, ExitStack() as stack:
        frames, meta = inlet(source_id), inlet(f"{source_id}-meta")
        info = frames.info(PATIENCE_S)
        assert (info.type(), info.nominal_srate(), info.name()) == ("fMRI", 0.0, "rtaffect-roi")
        assert info.get_channel_labels() == [f"slab {region}" for region in range(1, 6)]
        channel = info.desc().child("channels").child("channel")
        assert [channel.child_value(k) for k in ("index", "type", "n_voxels", "unit")] == [
            "0", "BOLD", "64", "au"
        ]  # fmt: skip
        assert described(frames, "acquisition", "tr_s") == "0.25"
        assert described(frames, "acquisition", "time_source") == "arrival"
        assert described(frames, "acquisition", "time_reference") == "mid"
        assert described(frames, "processing", "detrend") == "none"
        assert described(frames, "atlas", "space") == "test"
        assert described(frames, "simulated") == "true"

        subscriber = stack.enter_context(context.socket(zmq.SUB))
        subscriber.linger, subscriber.rcvtimeo = 0, int(1000 * PATIENCE_S)
        subscriber.subscribe(b"volume/")
        subscriber.connect(volumes)

        sender = stack.enter_context(Sender(address))
        order = [0, 1, 1, 3, 2, 4, 6, 7]  # twice, swapped, lost
        for index in order:
            sender.send(index, a_volume(index))
        sender.send(8, a_volume(8)[:, :, :5])  # another shape
        samples, stamps = pull(frames, lambda got: len(got) >= 7)
        notes, note_stamps = pull(meta, lambda got: len(said(got, "frame")) >= 7)

        used = [0, 1, 2, 3, 4, 6, 7]
        np.testing.assert_allclose(samples, [means(index) for index in used], rtol=1e-6)
        assert (np.diff(stamps) > 0).all()
        told = said(notes, "frame")
        assert [one["index"] for one in told] == used
        assert [one["t_acq"] for one in told] == stamps
        of_frames = [s for s, (x,) in zip(note_stamps, notes, strict=True) if '"frame"' in x]
        assert of_frames == stamps
        for one in told:
            assert one["t_arrival"] - 0.75 <= one["t_acq"] + 1e-9
            assert one["t_arrival"] <= one["t_publish"]
            assert (one["run"], one["n_absent"], one["displacement_mm"]) == (1, 1, None)
        assert [one["n_missing"] for one in told] == [0, 0, 0, 0, 0, 1, 0]
        assert "reordered" in told[3]["words"]
        assert "gap" in told[5]["words"]
        assert said(notes, "run_start")[0]["tr_s"] == TR_S
        assert said(notes, "dropped")[0]["why"] == "duplicate"

        topic, header, voxels = subscriber.recv_multipart()
        while json.loads(header)["index"] < 7:
            topic, header, voxels = subscriber.recv_multipart()
        assert topic == b"volume/"
        assert json.loads(header)["stamp_s"] == pytest.approx(stamps[-1])
        np.testing.assert_array_equal(np.frombuffer(voxels).reshape(SHAPE), a_volume(7))

        process.send_signal(signal.SIGINT)
        rest, _ = pull(meta, lambda got: bool(said(got, "health")) and bool(said(got, "run_end")))
        assert said(rest, "run_end")[0]["n_frames"] == 7
        health = said(rest, "health")[-1]
        assert health["dropped"] == {"duplicate": 1, "changed": 1}
        for stage in ("receive", "means", "clean", "publish", "acquisition_to_publish"):
            one = health["stages"][stage]
            assert 0.0 <= one["p50_ms"] <= one["p95_ms"] <= one["p99_ms"]
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert "7 volumes, 1 missing, 1 changed, 1 duplicate." in errors
        assert "taken as milliseconds" in errors
        assert "Volume 5 did not come in time." in errors
        assert "Volume 8 cannot be used." in errors
        assert "(12, 10, 6), this one has (12, 10, 5)" in errors
        assert "Run 1 is over: 7 volumes, 1 missing, 1 refused." in errors


def test_refused_volumes_are_counted_and_named_not_called_absent(
    source_id: str, tmp_path: Path
) -> None:
    address = free_address()
    settings = {"input": {"kind": "pyneal", "address": address}, "source_id": source_id}
    elsewhere = AFFINE + np.array([[0, 0, 0, 9.0]] + [[0.0] * 4] * 3)
    with running(tmp_path, settings) as process, Sender(address) as sender:
        meta = inlet(f"{source_id}-meta")
        for index in range(3):  # on no grid that the label image has
            sender.send(index, a_volume(index), elsewhere)
        sender.send(3, a_volume(3))
        sender.send(4, a_volume(4), elsewhere)
        sender.send(5, a_volume(5)[:, :, :5])
        sender.send(6, a_volume(6))
        notes, _ = pull(meta, lambda got: len(said(got, "frame")) >= 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
    told = [(one["index"], one["n_missing"], one["n_refused"]) for one in said(notes, "frame")]
    assert told == [(3, 0, 3), (6, 0, 2)]
    assert all("gap" in one["words"] for one in said(notes, "frame"))
    assert "2 volumes, 0 missing, 2 changed, 3 refused." in errors
    assert errors.count("must lie on the grid of the label image") == 1
    assert "Volume 4 cannot be used. All volumes of a run must lie" in errors
    assert "Volume 5 cannot be used. All volumes of a run must have the shape" in errors
    assert "in time" not in errors


@pytest.mark.parametrize("tr_s", [None, 2.0])
def test_a_tr_that_nobody_says_is_asked_for(
    source_id: str, tmp_path: Path, tr_s: float | None
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    run = nibabel.Nifti1Image(np.stack([a_volume(i) for i in range(3)], axis=3), AFFINE)
    run.header.set_xyzt_units("mm")  # and no word on the unit of time
    nibabel.save(run, folder / "run.nii")
    settings = {
        "input": {"kind": "nifti", "folder": str(folder), "existing": "read"},
        "source_id": source_id,
        "tr_s": tr_s,
    }
    with running(tmp_path, settings) as process:
        inlet(f"{source_id}-meta")
        assert process.stderr is not None
        lines: list[str] = []
        while not any(line.startswith("Run 1 is over") for line in lines):
            lines.append(process.stderr.readline())
            assert lines[-1], lines
    told = "".join(lines)
    assert "Run 1 is over: 3 volumes, 0 missing." in told
    assert told.count("does not say its TR") == (1 if tr_s is None else 0)
    assert "unit is not set" not in told


def test_pulses_on_a_marker_stream_stamp_the_volumes(source_id: str, tmp_path: Path) -> None:
    address, pulses = free_address(), f"{source_id}-pulses"
    info = pylsl.StreamInfo("pulses", "Markers", 1, 0.0, pylsl.cf_string, pulses)
    outlet = pylsl.StreamOutlet(info)
    settings = {
        "input": {"kind": "pyneal", "address": address},
        "time": {"kind": "triggers", "source_id": pulses, "text": "R128", "n_dummy": 1},
        "cleaning": {"n_settle": 2},
        "source_id": source_id,
    }
    with running(tmp_path, settings) as process:
        frames, meta = inlet(source_id), inlet(f"{source_id}-meta")
        assert described(frames, "acquisition", "volume_trigger") == "R128"
        assert described(frames, "processing", "detrend") == "glm"
        assert outlet.wait_for_consumers(PATIENCE_S)
        begin = pylsl.local_clock() - 10.0
        for text, stamp in [("S  1", begin - 0.1), ("R128", begin), ("S  2", begin + 0.01)]:
            outlet.push_sample([text], stamp)
        for index in range(4):
            if index != 2:  # this pulse is lost
                outlet.push_sample(["R128"], begin + (index + 1) * TR_S)
        time.sleep(1.0)  # as pulses are there long before their volumes
        with Sender(address) as sender:
            for index in range(4):
                sender.send(index, a_volume(index).astype(np.int16))
        _, stamps = pull(frames, lambda got: len(got) >= 4)
        np.testing.assert_allclose(stamps, begin + (np.arange(4) + 1.5) * TR_S, atol=2e-3)
        notes, _ = pull(meta, lambda got: len(said(got, "frame")) >= 4)
        assert [one["valid"] for one in said(notes, "frame")] == [False, False, True, True]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0


def test_whole_volumes_go_out_without_any_regions(source_id: str, tmp_path: Path) -> None:
    address, volumes = free_address(), free_address()
    settings = {
        "input": {"kind": "pyneal", "address": address},
        "labels": None,
        "volumes": volumes,
        "source_id": source_id,
    }
    with running(tmp_path, settings), zmq.Context() as context, ExitStack() as stack:
        inlet(f"{source_id}-meta")
        assert not pylsl.resolve_byprop("source_id", source_id, timeout=1.0)
        subscriber = stack.enter_context(context.socket(zmq.SUB))
        subscriber.linger, subscriber.rcvtimeo = 0, int(1000 * PATIENCE_S)
        subscriber.subscribe(b"volume/")
        subscriber.connect(volumes)
        with Sender(address) as sender:
            sender.send(0, a_volume(0))
            _, header, voxels = subscriber.recv_multipart()
    assert json.loads(header)["shape"] == list(SHAPE)
    np.testing.assert_array_equal(np.frombuffer(voxels).reshape(SHAPE), a_volume(0))


def test_means_of_another_tool_keep_names_and_stamps(source_id: str, tmp_path: Path) -> None:
    info = pylsl.StreamInfo("theirs", "fMRI", 2, 0.0, pylsl.cf_float32, f"{source_id}-theirs")
    channels = info.desc().append_child("channels")
    for label in ("V1", "FFA"):
        channels.append_child("channel").append_child_value("label", label)
    info.desc().append_child_value("simulated", "true")
    info.desc().append_child("acquisition").append_child_value("time_reference", "mid")
    info.desc().append_child("processing").append_child_value("detrend", "theirs")
    outlet = pylsl.StreamOutlet(info)
    settings = {
        "input": {"kind": "lsl", "source_id": f"{source_id}-theirs"},
        "labels": None,
        "source_id": source_id,
    }
    with running(tmp_path, settings):
        frames, meta = inlet(source_id), inlet(f"{source_id}-meta")
        assert frames.info(PATIENCE_S).get_channel_labels() == ["V1", "FFA"]
        assert described(frames, "acquisition", "time_source") == "stamps"
        assert described(frames, "processing", "detrend") == "theirs"
        assert described(frames, "simulated") == "true"
        assert outlet.wait_for_consumers(PATIENCE_S)
        begin = pylsl.local_clock() - 5.0
        values = [[1.0, 2.0], [3.0, float("nan")], [5.0, 6.0]]
        for index, sample in enumerate(values):
            outlet.push_sample(sample, begin + index)
        samples, stamps = pull(frames, lambda got: len(got) >= 3)
        np.testing.assert_array_equal(samples, values)
        np.testing.assert_allclose(stamps, begin + np.arange(3), atol=2e-3)
        notes, _ = pull(meta, lambda got: len(said(got, "frame")) >= 3)
        assert [one["n_absent"] for one in said(notes, "frame")] == [0, 1, 0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"input": {"kind": "pyneal"}, "labels": None}, "labels is missing"),
        ({"input": {"kind": "pyneal"}, "labels": {"names": "brainnetome"}}, "labels.image is"),
        ({"input": {"kind": "pyneal"}, "start": True, "tr_s": None}, "start: true needs tr_s"),
        ({"input": {"kind": "fax"}}, "scanner.input.kind must be one of"),
        ({"input": {"kind": "nifti", "folder": "."}, "time": {"kind": "scanner"}}, "kind dicom"),
        ({"input": {"kind": "pyneal"}, "labels": {"image": "nowhere.nii"}}, "must be a NIfTI"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(
    settings: dict[str, object], words: str, tmp_path: Path
) -> None:
    with running(tmp_path, settings) as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert words in errors
        assert "Traceback" not in errors
