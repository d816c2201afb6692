"""Tables of ROI means of two people, and a table of trials."""

from pathlib import Path
from typing import Any

import numpy as np

from offline.datasets.roi_table import RoiTableSettings

REGIONS = ("Vent", "LAmy", "RAmy", "LPut")
N_FRAMES, TR_S = 90, 1.5
LABELS = {"valence": {"classes": ["low", "high"], "edges": [1, 5, 9]}}
HEADER = "recording\tsubject\ttrial\tstimulus\tonset\tduration\tvalence"
TRIALS = ((3.0, 60.0, 2.0), (66.0, 60.0, 7.0))


def frames_of(subject: str) -> np.ndarray:
    """Means of shape (n_frames, n_regions)."""
    return np.random.default_rng(len(subject)).normal(1e4, 50, size=(N_FRAMES, len(REGIONS)))


def write_fake(folder: Path, **settings: Any) -> RoiTableSettings:
    """Write a copy and return the settings that read it."""
    lines = [HEADER]
    for place, subject in enumerate(("anna", "bo")):
        order = np.roll(np.arange(len(REGIONS)), place)
        table = [",".join(["time", *(REGIONS[i] for i in order)])]
        for number, row in enumerate(frames_of(subject)):
            table.append(",".join([f"{number * TR_S}", *(f"{row[i]:.8f}" for i in order)]))
        (folder / f"{subject}.csv").write_text("\n".join(table) + "\n")
        for number, (onset, duration, valence) in enumerate(TRIALS, start=1):
            cells = [f"{subject}.csv", subject, f"t{number}", f"clip{number}"]
            lines.append("\t".join([*cells, f"{onset}", f"{duration}", f"{valence}"]))
    (folder / "events.tsv").write_text("\n".join(lines) + "\n")
    return RoiTableSettings(path=folder, tr_s=TR_S, labels=LABELS, drop=("time",), **settings)
