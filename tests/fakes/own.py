"""A folder of somebody's own recordings: an EDF file with a face, an XDF file, and ratings."""

from pathlib import Path
from typing import Any

import numpy as np
from edf_file import SECRETS, noise_uv, write_edf
from openface_file import write_openface

from offline.datasets.own import OwnSettings
from rtaffect.publish.xdf_writer import XdfWriter

__all__ = ["SECRETS", "write_fake"]

CH_NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2")
SECONDS = 32
XDF_START_S = 5000.0  # on the sender's clock
XDF_OFFSET_S = -4000.5  # from there to the recording machine's
LABELS = {
    "valence": {"classes": ["low", "high"], "edges": [1, 5, 9]},
    "mood": {"classes": ["calm", "tense"]},
}
HEADER = "recording\tsubject\tsession\ttrial\tstimulus\tonset\tduration\tface\tvalence\tmood"
ROWS = [
    "one.edf\tA\t\t1\tclip-7\t6\t6\tone.csv\t2.5\tcalm",
    "one.edf\tA\t\t2\tclip-9\t14\t6\tone.csv\t5\ttense",
    "one.edf\tA\t\t3\tclip-2\t22\t6\tone.csv\t9\ttense",
    "two.xdf\tB\t\t1\tclip-9\t6\t6\t\t1\tcalm",
    "two.xdf\tB\t\t2\tclip-7\t14\t6\t\t7.25\tcalm",
    "two.xdf\tB\t\t3\tclip-2\t22\t6\t\t4\ttense",
]


def write_fake(folder: Path, **settings: Any) -> OwnSettings:
    """Write recordings and ratings; return the settings that read them."""
    uv = noise_uv(1, n_channels=len(CH_NAMES), sfreq=250, seconds=SECONDS)
    labels = [f"EEG {name}" for name in CH_NAMES]
    ecg = noise_uv(2, n_channels=1, sfreq=250, seconds=SECONDS)
    write_edf(
        folder / "one.edf", np.concatenate([uv, ecg]), ch_names=[*labels, "ECG ECG"], sfreq=250
    )
    write_openface(folder / "one.csv", seconds=SECONDS)
    write_xdf(folder / "two.xdf")
    write_ratings(folder / "ratings.tsv")
    return OwnSettings.model_validate({"path": folder, "labels": LABELS, "rest_s": 2.0, **settings})


def write_xdf(path: Path) -> None:
    """Write an EEG and a marker stream; a marker "go" stands at 6, 14 and 22 s."""
    uv = noise_uv(3, n_channels=len(CH_NAMES), sfreq=256, seconds=SECONDS).astype(np.float32)
    stamps = XDF_START_S + np.arange(uv.shape[1]) / 256
    with path.open("wb") as file:
        xdf = XdfWriter(file)
        xdf.add_stream(
            1, name="amp", stype="EEG", dtype=np.float32, ch_names=CH_NAMES,
            units=("uV",) * len(CH_NAMES), sfreq=256.0, source_id="a", simulated=False,
        )  # fmt: skip
        xdf.add_stream(
            2, name="marks", stype="Markers", dtype=object, ch_names=("text",), units=("",),
            sfreq=0.0, source_id="m", simulated=False,
        )  # fmt: skip
        xdf.clock_offset(1, t_collected=XDF_START_S, offset_s=XDF_OFFSET_S)
        xdf.clock_offset(2, t_collected=XDF_START_S, offset_s=XDF_OFFSET_S)
        xdf.samples(1, stamps, uv)
        texts = np.array([["go", "stop", "go", "stop", "go"]], dtype=object)
        xdf.samples(2, XDF_START_S + np.array([6.0, 12.0, 14.0, 20.0, 22.0]), texts)
        xdf.footers()


def write_ratings(path: Path, rows: list[str] = ROWS, *, header: str = HEADER) -> None:
    """Write a table of ratings."""
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
