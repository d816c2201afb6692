"""A face at 30 pictures a second on one core, live; then as fast as it goes, beside mediapipe."""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from face_child import keep, kept, picture_of, read_clip, rgb_of
from shared import machine, p50_p99, peer_python, say, started, table

from rtaffect.face.backends import open_landmarker
from rtaffect.face.cameras import open_video, read_pictures
from rtaffect.face.extractor import Extractor

CHILD = Path(__file__).with_name("face_child.py")
PEER = ("mediapipe==0.10.21", "numpy<2")


def lost(clip: Path) -> str:
    """Return the time of a picture with a face, and of one without (the detector looks)."""
    extractor = Extractor(open_landmarker("litert"))
    capture, mode = open_video(clip)
    times: dict[bool, list[float]] = {True: [], False: []}
    for i, picture in enumerate(read_pictures(capture, mode)):
        t_0 = time.perf_counter()
        frame = extractor.extract(picture.image, picture.t_s)
        if i > 10:
            times[frame.success].append(1e3 * (time.perf_counter() - t_0))
    return f"with a face {p50_p99(times[True])}, without one {p50_p99(times[False])}"


def child(*arguments: str | Path, python: Path | None = None) -> dict[str, Any]:
    """Run this file, or a peer, in a process of its own and return what it prints."""
    with started(*arguments, python=python, quiet=True) as process:
        out, _ = process.communicate(timeout=600)
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


def speed(told: dict[str, Any]) -> tuple[str, str]:
    """Return frames a second, and the time of one."""
    return f"{told['fps']:.0f}", p50_p99(told["ms"])


def paced(clip: Path, backends: Sequence[str], seconds: str) -> str:
    """Return what the process takes at a camera's pace, as a table."""
    rows = []
    for backend in backends:
        say(f"{backend}, paced ...")
        told = child(CHILD, "paced", clip, backend, seconds)
        times = ("{:.1f} / {:.1f}".format(*told[name]) for name in ("compute", "whole"))
        numbers = (f"{told['cpu']:.0f}", f"{told['rss']:.0f}")
        rows.append((backend, f"{told['fps']:.1f}", str(told["dropped"]), *times, *numbers))
    header = (
        "30 pictures a second",
        "fps",
        "dropped",
        "compute ms p50 / p99",
        "grab to features ms p50 / p99",
        "% of a core",
        "RSS MB",
    )
    return table(header, rows)


def free(clip: Path, backends: Sequence[str], seconds: str) -> str:
    """Return how fast pictures are worked on, ours and mediapipe's own way, as a table."""
    rows = []
    for backend in backends:
        say(f"{backend}, free ...")
        rows.append(
            (
                f"rtaffect, {backend}, 29 features",
                *speed(child(CHILD, "free", clip, backend, seconds)),
            )
        )
    peer = peer_python("mediapipe", PEER)
    if peer is not None:
        say("mediapipe, free ...")
        pictures = clip.with_suffix(".npy")
        np.save(pictures, np.stack(rgb_of([picture_of(file) for file in kept(clip)])))
        told = child(CHILD.with_name("peer_mediapipe.py"), pictures, seconds, python=peer)
        rows.append(("mediapipe 0.10.21, mesh alone", *speed(told)))
    return table(("as fast as it goes", "fps", "ms p50 / p99"), rows)


def main() -> None:
    """Measure everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, required=True, help="video with a face throughout")
    parser.add_argument("--lost-clip", type=Path, help="video in which the face leaves")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--backends", nargs="+", default=["litert", "opencv"])
    args = parser.parse_args()
    seconds = str(args.seconds)
    print(f"{machine()}; one core; 640 x 480\n")
    with tempfile.TemporaryDirectory() as scratch:
        clip = Path(scratch) / "clip"
        keep(read_clip(args.clip), clip)
        print(paced(clip, args.backends, seconds))
        print("\n" + free(clip, args.backends, seconds))
    if args.lost_clip:
        print(f"\nms p50 / p99: {lost(args.lost_clip)}")


if __name__ == "__main__":
    main()
