"""A small copy of DEAP with its traps, and the truth that was put in.

What tells trials apart: EEG of video v is a 10 Hz sine of `amplitude_uv(v)`, half of it in the
rest; AU12_r of its face is `smile(v)`. Presentation is in another order than videos are numbered.
"""

import csv
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offline.datasets.deap import DeapSettings
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_32

N_VIDEOS = 40
TARGETS = ("Valence", "Arousal", "Dominance", "Liking")
TWENTE = tuple(
    "Fp1 AF3 F7 F3 FC1 FC5 T7 C3 CP1 CP5 P7 P3 Pz PO3 O1 Oz "
    "O2 PO4 P4 P8 CP6 CP2 C4 T8 FC6 FC2 F4 F8 AF4 Fp2 Fz Cz".split()
)
AUXILIARY = tuple(
    "EXG1 EXG2 EXG3 EXG4 EXG5 EXG6 EXG7 EXG8 GSR1 GSR2 Erg1 Erg2 Resp Plet Temp".split()
)
OPENFACE_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success", *FACE_FEATURES)


def amplitude_uv(video: int) -> float:
    """Amplitude of the sine in the EEG of a video."""
    return 10.0 + 0.5 * video


def smile(video: int) -> float:
    """AU12_r while a video is watched."""
    return video / 10


def presented(participant: int) -> list[int]:
    """Videos (Experiment_id) in the order in which a participant saw them."""
    order = np.random.default_rng(participant).permutation(np.arange(1, N_VIDEOS + 1))
    return order.tolist()


def rated(participant: int, video: int) -> tuple[float, ...]:
    """Valence, arousal, dominance and liking, with two decimals as in the real file."""
    values = np.random.default_rng([participant, video]).uniform(1.0, 9.0, 4)
    return tuple(np.round(values, 2).tolist())


def start_times_s(participant: int) -> np.ndarray:
    """When each trial began, by the presenting computer."""
    return 130.0 + np.cumsum(np.random.default_rng([7, participant]).uniform(75.0, 110.0, N_VIDEOS))


def write_fake(
    folder: Path,
    *,
    participants: Sequence[int] = (1, 2),
    face_trials: Mapping[int, int] | None = None,
    **settings: Any,
) -> DeapSettings:
    """Write a copy and return the settings that read it, faces included.

    Parameters
    ----------
    folder : Path
        Where to.
    participants : sequence of int
        Who is in it; a preprocessed file takes 103 MB, as the real ones do.
    face_trials : mapping of int to int or None
        How many first trials have a face; None: the first participant has all, the others miss
        the last two.
    **settings
        For `DeapSettings`.
    """
    if face_trials is None:
        face_trials = {who: 40 if at == 0 else 38 for at, who in enumerate(participants)}
    write_ratings(folder, participants)
    for who in participants:
        write_preprocessed(folder, who)
        for trial, video in enumerate(presented(who)[: face_trials.get(who, 0)], start=1):
            write_face(folder, who, trial, video)
    return DeapSettings(**{"path": folder, "faces": "openface", **settings})


def write_ratings(folder: Path, participants: Sequence[int]) -> Path:
    """Write participant_ratings.csv."""
    path = folder / "metadata_csv" / "participant_ratings.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["Participant_id", "Trial", "Experiment_id", "Start_time", *TARGETS, "Familiarity"]
        )
        for who in participants:
            starts_us = np.round(start_times_s(who) * 1e6).astype(np.int64)
            for at, video in enumerate(presented(who)):
                known = "" if who in (2, 15, 23) else 1 + at % 5  # missing in the real file too
                writer.writerow([who, at + 1, video, starts_us[at], *rated(who, video), known])
    return path


def labels_of(participant: int) -> np.ndarray:
    """The labels of a preprocessed file, shape (40, 4): row i is video i + 1."""
    return np.array([rated(participant, video) for video in range(1, N_VIDEOS + 1)])


def write_preprocessed(
    folder: Path,
    participant: int,
    *,
    labels: np.ndarray | None = None,
    data: np.ndarray | None = None,
) -> Path:
    """Write sNN.dat as Python 2 did, sorted by video."""
    path = folder / "data_preprocessed_python" / f"s{participant:02d}.dat"
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is None:
        data = np.zeros((N_VIDEOS, 40, 8064))
        t = np.arange(8064) / 128
        wave = np.sin(2 * np.pi * 10 * t) * np.where(t < 3, 0.5, 1.0)
        for video in range(1, N_VIDEOS + 1):
            data[video - 1, :32] = amplitude_uv(video) * wave
    labels = labels_of(participant) if labels is None else labels
    path.write_bytes(python2_pickle({"labels": labels, "data": data}))
    return path


def python2_pickle(arrays: Mapping[str, np.ndarray]) -> bytes:
    """What Python 2's cPickle wrote (protocol 2): old module names, text for bytes."""
    parts = [b"\x80\x02}("]
    for key, array in arrays.items():
        code = array.dtype.str[1:].encode()
        raw = array.tobytes()
        shape = b"(" + b"".join(b"J" + struct.pack("<i", n) for n in array.shape) + b"t"
        parts += [
            b"U" + bytes([len(key)]) + key.encode(),
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01" + shape,
            b"cnumpy\ndtype\nU" + bytes([len(code)]) + code + b"K\x00K\x01\x87R",
            b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89T" + struct.pack("<i", len(raw)),
            raw,
            b"tb",
        ]
    return b"".join([*parts, b"u."])


def write_clip(folder: Path, participant: int, trial: int) -> Path:
    """Write something where a face video lies; nobody looks into it."""
    path = (
        folder / "face_video" / f"s{participant:02d}" / f"s{participant:02d}_trial{trial:02d}.avi"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    return path


def write_face(
    folder: Path, participant: int, trial: int, video: int, *, duration_s: float = 60.0
) -> Path:
    """Write OpenFace's CSV file of a clip, at 10 Hz (the real clips have 50)."""
    path = write_clip(folder, participant, trial).with_suffix(".csv")
    row = dict.fromkeys(OPENFACE_COLUMNS, "0.1")
    row |= {"face_id": "0", "confidence": "0.98", "success": "1", "AU12_r": f"{smile(video):.1f}"}
    lines = [", ".join(OPENFACE_COLUMNS)]
    for frame in range(round(duration_s * 10)):
        row |= {"frame": str(frame + 1), "timestamp": f"{frame / 10:.3f}"}
        lines.append(", ".join(row.values()))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_bdf(
    folder: Path,
    participant: int,
    *,
    trials: Sequence[int],
    lead_s: float = 9.3,
    tail_s: float = 2.0,
    ch_names: Sequence[str] | None = None,
) -> Path:
    """Write sNN.bdf with some of the trials, at the times that the presenting computer logged.

    Electrodes are in the order of the participant's site; each carries the sine of the video, with
    its place in `EEG_32` as an offset in millivolts. From s24 on the status channel has no name and
    the amplifier's upper bits are set; from s29 on there is one channel without a name more.
    """
    videos = presented(participant)
    starts_s = start_times_s(participant)
    at_s = starts_s[np.array(trials) - 1] - starts_s[trials[0] - 1] + lead_s
    n_seconds = int(np.ceil(at_s[-1] + 60 + tail_s))
    t = np.arange(n_seconds * 512) / 512
    amplitude = np.zeros_like(t)
    status = np.zeros(len(t), dtype=np.int64)
    for trial, begin_s in zip(trials, at_s.tolist(), strict=True):
        onset = round(begin_s * 512)
        amplitude[onset : onset + 60 * 512] = amplitude_uv(videos[trial - 1])
        for code, after_s, length in ((3, -5, 5), (4, 0, 60), (5, 60, 1)):
            first = onset + after_s * 512
            status[max(first, 0) : first + length * 512] = code
    wave = amplitude * np.sin(2 * np.pi * 10 * t)
    eeg = ch_names or (TWENTE if participant <= 22 else EEG_32)
    names = [*eeg, *AUXILIARY, "Status" if participant <= 23 else ""]
    if participant >= 29:
        names.insert(-1, "")
    if participant >= 24:
        status |= 0x19FF00
    nv_per_bit = 31.25
    columns = np.zeros((len(names), len(t)), dtype=np.int64)
    for row, name in enumerate(eeg):
        offset_uv = 1000.0 * EEG_32.index(name) if name in EEG_32 else 0.0
        columns[row] = np.round((wave + offset_uv) * 1000 / nv_per_bit)
    columns[-1] = status
    path = folder / "data_original" / f"s{participant:02d}.bdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_bdf(names, columns, nv_per_bit=nv_per_bit))
    return path


def _bdf(names: Sequence[str], columns: np.ndarray, *, nv_per_bit: float) -> bytes:
    n, n_records = len(names), columns.shape[1] // 512
    low, high = -(2**23), 2**23 - 1
    physical = [low * nv_per_bit / 1000, high * nv_per_bit / 1000]
    is_status = [at == n - 1 for at in range(n)]

    def each(width: int, values: Sequence[object]) -> str:
        return "".join(str(value)[:width].ljust(width) for value in values)

    header = (
        "BIOSEMI".ljust(7)
        + each(80, ["", ""])
        + "01.01.1010.00.00"
        + each(8, [256 * (n + 1)])
        + each(44, ["24BIT"])
        + each(8, [n_records, 1])
        + each(4, [n])
        + each(16, names)
        + each(80, ["Active Electrode"] * n)
        + each(8, ["Boolean" if yes else "uV" for yes in is_status])
        + each(8, [low if yes else round(physical[0]) for yes in is_status])
        + each(8, [high if yes else round(physical[1]) for yes in is_status])
        + each(8, [low] * n)
        + each(8, [high] * n)
        + each(80, ["No filtering"] * n)
        + each(8, [512] * n)
        + each(32, ["Reserved"] * n)
    )
    records = columns.reshape(n, n_records, 512).transpose(1, 0, 2)
    little = np.ascontiguousarray(records.astype("<i4")).view(np.uint8).reshape(-1, 4)
    return b"\xff" + header.encode("ascii") + little[:, :3].tobytes()
