"""A small EEG-BIDS data set with the traps of real ones.

Onsets are milliseconds, trial types are numbers that events.json explains, ratings stand in a
behaviour table in another order than the trials, whose task is spelled otherwise.
"""

import json
from pathlib import Path
from typing import Any

from edf_file import SECRETS, noise_uv, write_edf

from offline.datasets.bids import BidsSettings

__all__ = ["SECRETS", "write_fake"]

CH_NAMES = ("FP1", "FP2", "T3", "T4", "C3", "C4", "T5", "T6", "O1", "O2")
SETTINGS: dict[str, Any] = {
    "task": "emotion",
    "events": {
        "trial_types": ["clip"],
        "unit": "ms",
        "ends_at": ["question"],
        "stimulus": {"column": "label", "pattern": r"(.+)_\d+"},
        "ratings_in": "beh",
        "beh_name": {"column": "stimuliName", "pattern": r"(.+)\.\w+"},
        "rest_s": 1.0,
    },
    "labels": {
        "valence": {"classes": ["low", "high"], "edges": [1, 5, 9]},
        "arousal": {"classes": ["low", "middle", "high"], "edges": [1, 4, 6, 9]},
    },
}
VALENCE = {"sea": 7.5, "storm": 2.0, "cat": 9.0}
SHOWN = {"01": ("storm", "cat", "sea"), "02": ("sea", "storm", "cat")}
ONSETS_S = (6.0, 14.0, 22.0)


def write_fake(folder: Path, **settings: Any) -> BidsSettings:
    """Write two subjects; return the settings that read them."""
    levels = {"786": "cross", "301": "clip", "800": {"Description": "question"}}
    (folder / "events.json").write_text(json.dumps({"trial_type": {"Levels": levels}}))
    header = "participant_id\tage\tsex\n"
    (folder / "participants.tsv").write_text(header + "sub-01\t49\tF\nsub-02\t51\tM\n")
    for number, (subject, shown) in enumerate(SHOWN.items()):
        eeg, beh = folder / f"sub-{subject}" / "eeg", folder / f"sub-{subject}" / "beh"
        eeg.mkdir(parents=True)
        beh.mkdir()
        stem = f"sub-{subject}_task-emotion"
        uv = noise_uv(number, n_channels=len(CH_NAMES), sfreq=200, seconds=32)
        write_edf(eeg / f"{stem}_eeg.edf", uv, ch_names=CH_NAMES, sfreq=200)
        lines = ["onset\tduration\ttrial_type\tlabel", "n/a\tn/a\t786\tn/a"]
        for i, (onset_s, name) in enumerate(zip(ONSETS_S, shown, strict=True)):
            onset_ms = 1000 * onset_s
            lines.append(f"{onset_ms - 1500}\t1000.0\t786\tfixation")
            lines.append(f"{onset_ms}\t1000.0\t301\t{name}_{i + 1}")
            lines.append(f"{onset_ms + 6000}\t1000.0\t800\tValence")
        (eeg / f"{stem}_events.tsv").write_text("\n".join(lines) + "\n")
        rated = ["stimuliName\tvalence\tarousal"]
        rated += [
            f"{name}.mp4\t{valence}\t{1 + number + i}"
            for i, (name, valence) in enumerate(VALENCE.items())
        ]
        (beh / f"sub-{subject}_task-Emotion_beh.tsv").write_text("\n".join(rated) + "\n")
    return BidsSettings.model_validate({"path": folder, **SETTINGS, **settings})
