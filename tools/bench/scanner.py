"""Volumes in, ROI frames out: the scanner process live, its stages against nilearn, its memory."""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]
import pylsl
import zmq
from nilearn.maskers import NiftiLabelsMasker
from shared import (
    free_address,
    machine,
    one_core,
    open_bundle,
    p50_p99,
    say,
    started,
    table,
    timed_ms,
)

from rtaffect.bundle import shipped_bundles
from rtaffect.core.atlas import brainnetome
from rtaffect.core.spec import CleaningSpec, RoiSpec
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.decode.decoder import Decoder
from rtaffect.scanner.acquired import Volume
from rtaffect.scanner.process import HEALTH_S
from rtaffect.scanner.roi_means import LabelImage, RoiMeanMaker
from rtaffect.signal.roi_cleaning import RoiCleaner
from rtaffect.windows import open_chain

SHAPE = (64, 64, 36)
AFFINE = np.array([[3.0, 0, 0, -96], [0, 3, 0, -96], [0, 0, 3.5, -60], [0, 0, 0, 1]])
TR_S = 2.0
N_DIFFERENT = 16
PATIENCE_S = 30.0
PULSE = "R128"


def labels() -> npt.NDArray[np.int16]:
    """Return 246 pieces of an ellipsoid that fills about a third of the field of view."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    inside = (grid**2).sum(axis=0) < 0.85
    values = np.zeros(SHAPE, np.int16)
    values[inside] = 1 + np.arange(inside.sum()) * 246 // inside.sum()
    return values


def picture(data: npt.NDArray[Any]) -> Any:
    """Return voxels as nibabel has them."""
    make: Any = nibabel.Nifti1Image
    return make(data, AFFINE)


def volumes(dtype: str) -> list[npt.NDArray[np.generic]]:
    """Return some volumes that differ."""
    rng = np.random.default_rng(0)
    return [rng.normal(900.0, 40.0, SHAPE).astype(dtype) for _ in range(N_DIFFERENT)]


def stages(n: int, dtype: str) -> None:
    """Time means and cleaning, and nilearn on the same volumes."""
    at, data = labels(), volumes(dtype)
    maker = RoiMeanMaker(LabelImage(values=at.astype(np.int32), affine=AFFINE, name="labels"))
    given = [
        Volume(data=one, affine=AFFINE, index=0, run="1", tr_s=TR_S, t_acq=0.0, t_arrival=0.0)
        for one in data
    ]
    masker = NiftiLabelsMasker(picture(at), standardize=None, resampling_target=None).fit()
    images = [picture(one) for one in data]
    theirs_means = np.asarray(masker.transform(images[0])).reshape(-1)
    difference = np.abs(maker.means(given[0]) / theirs_means - 1.0).max()
    cleaner = RoiCleaner(246, CleaningSpec())
    frames = np.random.default_rng(1).normal(900.0, 5.0, (N_DIFFERENT, 246))
    motion = np.random.default_rng(2).normal(0.0, 0.1, (N_DIFFERENT, 6))
    ours = timed_ms(turns(lambda k: maker.means(given[k % N_DIFFERENT])), n)
    theirs = timed_ms(turns(lambda k: masker.transform(images[k % N_DIFFERENT])), max(10, n // 20))

    def clean(k: int) -> None:
        i = k % N_DIFFERENT
        cleaner.push(frames[i], stamp_s=TR_S * k, motion=motion[i])

    cleaning = timed_ms(turns(clean), n)
    rows = [
        ("246 means of a volume", p50_p99(ours, 3)),
        ("nilearn's NiftiLabelsMasker", p50_p99(theirs, 3)),
        ("cleaning of 246 regions, 120 s at TR 2 s, with motion", p50_p99(cleaning, 3)),
    ]
    times = np.median(theirs) / np.median(ours)
    print(f"{table(('stage', 'ms, p50 / p99'), rows)}\n")
    print(
        f"{times:.0f} times as fast as nilearn; means differ by {difference:.0e} at most "
        "(relative).\n"
    )


def turns(work: Callable[[int], object]) -> Callable[[], object]:
    """Return what does the next piece of work each time it is called."""
    numbers = iter(range(1 << 30))
    return lambda: work(next(numbers))


class Sender:
    """Sends volumes as Pyneal's scanner side does, and the scanner's pulses."""

    def __init__(self, address: str, pulses: pylsl.StreamOutlet, n: int) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PAIR)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address)
        self._socket.send(b"hello from the benchmark")
        self._socket.recv()
        # A volume's TR is longer than we have time for: all were acquired long ago.
        self._begin = pylsl.local_clock() - (n + 2) * TR_S
        self._pulses = pulses

    def pulse(self, index: int) -> None:
        """Send the pulse that begins a volume."""
        self._pulses.push_sample([PULSE], self._begin + index * TR_S)

    def send(self, index: int, data: npt.NDArray[np.generic]) -> float:
        """Send a volume; return when it left."""
        header = {
            "volIdx": index,
            "dtype": str(data.dtype),
            "shape": list(data.shape),
            "affine": json.dumps(AFFINE.tolist()),
            "TR": str(TR_S),
        }
        frames = [json.dumps(header).encode(), data.tobytes()]
        t_sent = float(pylsl.local_clock())
        self._socket.send_multipart(frames)
        self._socket.recv()
        return t_sent

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()


def inlet(source_id: str) -> pylsl.StreamInlet:
    """Return a connection to a stream."""
    (found,) = pylsl.resolve_byprop("source_id", source_id, timeout=PATIENCE_S)
    opened = pylsl.StreamInlet(found, recover=False, processing_flags=0)
    opened.open_stream(timeout=PATIENCE_S)
    return opened


def live(n: int, every_s: float, dtype: str) -> None:
    """Run the process on one core, send volumes, and look at frames and memory."""
    name = f"bench-{time.time_ns()}"
    outlet = pylsl.StreamOutlet(
        pylsl.StreamInfo("pulses", "Markers", 1, 0.0, pylsl.cf_string, f"{name}-pulses")
    )
    address = free_address()
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "labels.nii.gz"
        nibabel.save(picture(labels()), image)
        session = Path(folder) / "session.yaml"
        settings = {
            "input": {"kind": "pyneal", "address": address},
            "labels": {"image": str(image), "names": "brainnetome"},
            "time": {"kind": "triggers", "source_id": f"{name}-pulses", "text": PULSE},
            "tr_s": TR_S,
            "source_id": name,
        }
        session.write_text(json.dumps({"scanner": settings}))
        with started("-m", "rtaffect", "scanner", session, "--quiet") as process:
            seen = psutil.Process(process.pid)
            seen.cpu_affinity([seen.cpu_affinity()[-1]])
            frames, meta = inlet(name), inlet(f"{name}-meta")
            outlet.wait_for_consumers(PATIENCE_S)
            measure(n, every_s, dtype, seen, Sender(address, outlet, n), frames, meta)


def measure(
    n: int,
    every_s: float,
    dtype: str,
    process: psutil.Process,
    sender: Sender,
    frames: pylsl.StreamInlet,
    meta: pylsl.StreamInlet,
) -> None:
    """Send, receive, and print the tables."""
    received: list[float] = []

    def receive() -> None:
        while len(received) < n:
            sample, _ = frames.pull_sample(timeout=PATIENCE_S)
            if sample is None:
                return
            received.append(float(pylsl.local_clock()))

    receiver = threading.Thread(target=receive)
    receiver.start()
    data, sent, memory = volumes(dtype), [], []
    for index in range(n):
        sender.pulse(index)
        time.sleep(every_s)
        sent.append(sender.send(index, data[index % N_DIFFERENT]))
        if index % 20 == 0:
            memory.append((index, process.memory_info().rss / 1e6))
    receiver.join()
    sender.close()
    said: list[dict[str, Any]] = []
    t_end = time.monotonic() + HEALTH_S + 1.0  # one more report of health, on all of them
    while time.monotonic() < t_end:
        texts, _ = meta.pull_chunk(timeout=0.2, max_samples=4096)
        said += [json.loads(text) for (text,) in texts]
    told = [one for one in said if one["kind"] == "frame"]
    if len(received) != n or len(told) != n:
        say(f"{n} volumes were sent, {len(received)} frames and {len(told)} reports came.")
    rows = [
        (
            "arrival to publication, as the process says",
            p50_p99([1e3 * (one["t_publish"] - one["t_arrival"]) for one in told]),
        ),
        (
            "first byte sent to frame in the subscriber's hands",
            p50_p99([1e3 * (b - a) for a, b in zip(sent, received, strict=False)]),
        ),
    ]
    print(f"{table(('what', 'ms, p50 / p99'), rows)}\n")
    health = [one for one in said if one["kind"] == "health"][-1]
    named = ("receive", "means", "clean", "publish")
    stage = [health["stages"][key] for key in named]
    cells = [f"{one['p50_ms']:.2f} / {one['p95_ms']:.2f} / {one['p99_ms']:.2f}" for one in stage]
    print(f"{table(('ms, p50 / p95 / p99', *named), [('of the last 1000 volumes', *cells)])}\n")
    settled = np.array(memory[len(memory) // 5 :])
    slope = np.polyfit(settled[:, 0], settled[:, 1], 1)[0]
    print(
        f"Memory over {n} volumes: {memory[0][1]:.0f} MB at the first, {settled[0, 1]:.1f} MB "
        f"after a fifth, {settled[-1, 1]:.1f} MB at the last; slope {1000 * slope:+.2f} MB per "
        "1000 volumes.\n"
    )


def estimates(name: str, n: int) -> None:
    """Time a model of regions, from a frame that arrives to its estimate."""
    bundle = open_bundle(name)
    windows = bundle.manifest.windows
    spec = windows.modalities["roi"]
    assert isinstance(spec, RoiSpec)
    tr_s = 1.0 / spec.sfreq if spec.take == "frames" else TR_S
    info = StreamInfo(
        modality="roi",
        name="bench",
        stype="fMRI",
        source_id="bench",
        ch_names=spec.ch_names,
        sfreq=0.0,
        about={"acquisition.tr_s": f"{tr_s:g}"},
    )
    chain = open_chain(windows, {"roi": info})
    decoder = Decoder(bundle, name="bench", infos={"roi": info}, provider="cpu")
    data = np.random.default_rng(3).normal(900.0, 5.0, (N_DIFFERENT, len(spec.ch_names), 1))
    answers: list[bool] = []

    def frame(k: int) -> None:
        stamp_s = 1000.0 + tr_s * k
        event = Chunk("roi", data[k % N_DIFFERENT], np.array([stamp_s]), stamp_s + 2.0)
        answers.extend(bool(decoder.decode(w).estimate.targets) for w in chain.push(event))

    took = timed_ms(turns(frame), n)
    what = f"ROI frame to estimate, {name}: {len(spec.ch_names)} regions, cleaning in the runtime"
    print(f"{table(('stage', 'ms, p50 / p99'), [(what, p50_p99(took, 3))])}\n")
    print(f"{sum(answers)} of {len(answers)} windows had an answer.\n")


def model_of_regions() -> str | None:
    """Return the first shipped model whose windows frames of regions close."""
    return next(
        (k for k in shipped_bundles() if open_bundle(k).manifest.windows.closes == "roi"), None
    )


def main() -> None:
    """Run all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=2000)
    parser.add_argument("--every", type=float, default=0.02, help="seconds between volumes")
    parser.add_argument("--dtype", default="int16", help="of voxels; Pyneal's senders use float64")
    parser.add_argument("--bundle", help="model of regions; a shipped one unless given")
    args = parser.parse_args()
    assert brainnetome().n_regions == int(labels().max())
    print(f"### Volumes of {SHAPE} {args.dtype} to 246 regions\n\n{machine()}\n")
    live(args.volumes, args.every, args.dtype)
    one_core()
    stages(args.volumes, args.dtype)
    if name := args.bundle or model_of_regions():
        estimates(name, args.volumes)
    else:
        print("No model of regions is shipped, hence no estimate was timed.\n")


if __name__ == "__main__":
    main()
