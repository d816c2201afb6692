"""MediaPipe's own pipeline over the same pictures; runs in an environment of its own."""

import json
import sys
import time

import mediapipe
import numpy as np


def main() -> None:
    """Print frames a second and the time of each, as JSON."""
    pictures = np.load(sys.argv[1], allow_pickle=False)
    seconds = float(sys.argv[2])
    mesh = mediapipe.solutions.face_mesh.FaceMesh(refine_landmarks=True)
    for i in range(15):
        mesh.process(pictures[i % len(pictures)])
    times: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        t_0 = time.perf_counter()
        mesh.process(pictures[(15 + len(times)) % len(pictures)])
        times.append(1e3 * (time.perf_counter() - t_0))
    print(json.dumps({"fps": len(times) / (time.perf_counter() - began), "ms": times}), flush=True)


if __name__ == "__main__":
    main()
