"""Send a simulated participant over LSL as an amplifier does, and log every push.

The 33rd channel counts samples, so that a consumer can prove that it lost none.
"""

import argparse
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl

from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import Chunk
from rtaffect.publish.lsl import LslSender
from rtaffect.simulate.eeg import SimulatedEeg
from rtaffect.simulate.face import SimulatedFace
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import stream_infos

SEED = 7
SFREQ = 512
CAMERA_S = 0.02  # from a frame to its face, in a camera's own process


def eeg_outlet(source_id: str) -> pylsl.StreamOutlet:
    """Open the outlet of 32 electrodes and a counter."""
    info = pylsl.StreamInfo("Bench EEG", "EEG", 33, SFREQ, "float32", f"{source_id}-eeg")
    channels = info.desc().append_child("channels")
    for label in (*EEG_32, "COUNTER"):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts" if label != "COUNTER" else "count")
    info.desc().append_child_value("simulated", "true")
    return pylsl.StreamOutlet(info)


def main() -> int:
    """Send until the time is over or SIGTERM comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source-id", default="rtaffect-bench")
    parser.add_argument("--push", choices=("sample", "chunk"), default="sample")
    parser.add_argument("--chunk", type=int, default=16, help="samples in a chunk")
    parser.add_argument(
        "--stamps",
        choices=("clock", "push"),
        default="clock",
        help="of the amplifier's sample clock, or of the push, however late that is",
    )
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--log", type=Path, help="write (last counter, time of push) as .npy")
    args = parser.parse_args()

    participant = Participant(SEED)
    n = int(args.seconds * SFREQ)
    eeg = np.empty((n, 33), dtype=np.float32)
    eeg[:, :32] = SimulatedEeg(participant, float(SFREQ)).samples(0, n).T
    eeg[:, 32] = np.arange(n)
    face = SimulatedFace(participant)
    frames = [face.block(second) for second in range(int(args.seconds))]
    t_frames = np.concatenate([times for times, _ in frames]).tolist()
    faces = np.concatenate([values for _, values in frames], axis=1).astype(np.float32)

    info = stream_infos(participant)["face"]
    face_sender = LslSender([replace(info, source_id=f"{args.source_id}-face")])
    outlet = eeg_outlet(args.source_id)
    log: list[tuple[int, float]] = []

    def finish(*_: object) -> None:
        if args.log:
            np.save(args.log, np.array(log))
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    step = 1 if args.push == "sample" else args.chunk
    i_frame = 0
    t_0 = pylsl.local_clock() + 0.05
    for stop in range(step, n + 1, step):
        due = t_0 + stop / SFREQ
        while i_frame < len(t_frames) and t_0 + t_frames[i_frame] + CAMERA_S <= due:
            t = t_0 + t_frames[i_frame]
            face_sender.push(Chunk("face", faces[:, i_frame : i_frame + 1], np.array([t]), t))
            i_frame += 1
        time.sleep(max(0.0, due - pylsl.local_clock()))
        t_push = pylsl.local_clock()
        stamp = due if args.stamps == "clock" else t_push
        if step == 1:
            outlet.push_sample(eeg[stop - 1], stamp)
        else:
            outlet.push_chunk(eeg[stop - step : stop], stamp)
        log.append((stop - 1, t_push))
        if stop == step:
            print(f"{t_push:.6f}", flush=True)  # the first sample is out
    finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
