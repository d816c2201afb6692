"""What `face.py` measures in a process of its own, which loads nothing else: paced, or free."""

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]

from rtaffect.face.backends import open_landmarker
from rtaffect.face.cameras import open_video, read_pictures
from rtaffect.face.extractor import Extractor
from rtaffect.face.pictures import Grabber, PacedFile
from rtaffect.face.process import FaceProcess, describe
from rtaffect.sources.lsl_inlet import local_clock

SFREQ, WIDTH, HEIGHT = 30.0, 640, 480


class LoopedClip:
    """Pictures round and round, compressed as a camera sends them (MJPG), one in memory."""

    def __init__(self, files: Sequence[Path], n: int) -> None:
        self._files, self._n, self._at = files, n, -1

    def grab(self) -> bool:
        """Go on by one picture."""
        self._at += 1
        return self._at < self._n

    def retrieve(self) -> tuple[bool, npt.NDArray[np.uint8]]:
        """Decode it."""
        return True, decoded(picture_of(self._files[self._at % len(self._files)]))

    def release(self) -> None:
        """Nothing to let go."""


def decoded(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a compressed picture as BGR."""
    return np.asarray(cv2.imdecode(picture, cv2.IMREAD_COLOR), dtype=np.uint8)


def read_clip(path: Path) -> list[npt.NDArray[np.uint8]]:
    """Return a clip's pictures in the middle of 640 x 480, compressed."""
    capture, mode = open_video(path)
    scale = min(WIDTH / mode.width, HEIGHT / mode.height)
    size = round(mode.width * scale), round(mode.height * scale)
    left, top = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
    pictures = []
    for picture in read_pictures(capture, mode):
        frame = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        resized = cv2.resize(np.ascontiguousarray(picture.image[:, :, ::-1]), size)
        frame[top : top + size[1], left : left + size[0]] = resized
        pictures.append(np.asarray(cv2.imencode(".jpg", frame)[1], dtype=np.uint8))
    return pictures


def keep(pictures: Sequence[npt.NDArray[np.uint8]], folder: Path) -> None:
    """Write compressed pictures, so that who is measured need not load what reads videos."""
    folder.mkdir()
    for i, picture in enumerate(pictures):
        picture.tofile(folder / f"{i:05d}.jpg")


def kept(folder: Path) -> list[Path]:
    """Return the files that `keep` wrote."""
    return sorted(folder.glob("*.jpg"))


def picture_of(file: Path) -> npt.NDArray[np.uint8]:
    """Return a file's picture, still compressed."""
    return np.fromfile(file, dtype=np.uint8)


def rgb_of(pictures: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
    """Return all pictures as RGB."""
    return [np.ascontiguousarray(decoded(picture)[:, :, ::-1]) for picture in pictures]


def paced(folder: Path, backend: str, seconds: float) -> None:
    """Run the face process at 30 pictures a second and print what it took, as JSON."""
    one_core()
    files = kept(folder)
    extractor = Extractor(open_landmarker(backend))
    for i in range(15):  # libraries make up their minds in the first calls
        extractor.extract(rgb_of([picture_of(files[i % len(files)])])[0], i / SFREQ)
    process = psutil.Process()
    n = round(seconds * SFREQ)
    grabber = Grabber(lambda: PacedFile(LoopedClip(files, n), SFREQ), clock=local_clock)
    info = describe(name="bench", source_id="bench-face", sfreq=SFREQ, backend=backend)
    face = FaceProcess(grabber, extractor, info, clock=local_clock)
    cpu_0, t_0 = sum(process.cpu_times()[:2]), time.perf_counter()
    face.run(threading.Event())
    elapsed, cpu = time.perf_counter() - t_0, sum(process.cpu_times()[:2]) - cpu_0
    compute, whole = (face.stages[name].summary() for name in ("compute", "grab to features"))
    told = {
        "fps": face.progress.n_frames / elapsed,
        "dropped": grabber.counts.n_dropped,
        "compute": [compute.p50_ms, compute.p99_ms],
        "whole": [whole.p50_ms, whole.p99_ms],
        "cpu": 100 * cpu / elapsed,
        "rss": process.memory_info().rss / 1e6,
    }
    face.close()
    grabber.close()
    print(json.dumps(told), flush=True)


def free(folder: Path, backend: str, seconds: float) -> None:
    """Extract as fast as it goes and print frames a second and the time of each, as JSON."""
    one_core()
    pictures = rgb_of([picture_of(file) for file in kept(folder)])
    extractor = Extractor(open_landmarker(backend))
    for i in range(15):
        extractor.extract(pictures[i % len(pictures)], i / SFREQ)
    times: list[float] = []
    t_0 = time.perf_counter()
    while time.perf_counter() - t_0 < seconds:
        i = 15 + len(times)
        t_1 = time.perf_counter()
        extractor.extract(pictures[i % len(pictures)], i / SFREQ)
        times.append(1e3 * (time.perf_counter() - t_1))
    print(json.dumps({"fps": len(times) / (time.perf_counter() - t_0), "ms": times}), flush=True)


def one_core() -> None:
    """Keep this process on one core, where the system lets it."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        process.cpu_affinity(process.cpu_affinity()[:1])


if __name__ == "__main__":
    {"paced": paced, "free": free}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
