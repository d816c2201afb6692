"""Made-up answers."""

import numpy as np
from scipy.special import log_softmax

from offline.predictions import Predictions

HALF = (0.5, 0.5)


def answered(
    *,
    subjects: int = 4,
    trials: int = 6,
    windows: int = 3,
    classes: int = 2,
    sharpness: float = 0.0,
    seed: int = 0,
) -> Predictions:
    """Return random labels, one a trial, and answers that know them as far as they are sharp."""
    rng = np.random.default_rng(seed)
    names = ("low", "middle", "high") if classes == 3 else ("low", "high")
    n = subjects * trials * windows
    subject = np.repeat([f"s{i:02d}" for i in range(subjects)], trials * windows)
    trial = np.tile(np.repeat([f"t{i}" for i in range(trials)], windows), subjects)
    label = np.repeat(rng.integers(classes, size=subjects * trials), windows)
    value = label + np.repeat(rng.uniform(0, 0.9, size=subjects * trials), windows)
    logits = rng.normal(size=(n, classes)) + sharpness * np.eye(classes)[label]
    return Predictions(
        classes=names,
        subject=subject,
        session=np.full(n, ""),
        trial=trial,
        stimulus=trial,
        window=np.tile(np.arange(trials * windows), subjects),
        fold=subject,
        label=label,
        value=value,
        log_p=log_softmax(logits, axis=1),
    )


def priors(
    predictions: Predictions, shares: tuple[float, ...] = HALF
) -> dict[str, tuple[float, ...]]:
    """Return the same shares for every fold."""
    return dict.fromkeys(predictions.fold.tolist(), shares)
