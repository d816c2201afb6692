"""How good a model is on participants that it never saw, beside what knowing nothing gives."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional

from offline.training import Sequences
from rtaffect.manifest import Metric

N_BOOTSTRAP = 1000
"""Resamples of the participants for a 95 % interval."""

Floats = npt.NDArray[np.float64]


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return what logits must be divided by to be calibrated [1]_.

    Parameters
    ----------
    logits : Tensor, shape (n_sequences, n_classes)
        Of validation participants.
    labels : Tensor of int, shape (n_sequences,)
        Their classes.

    References
    ----------
    .. [1] Guo et al. 2017, ICML, arXiv:1706.04599
    """

    def loss(log_temperature: float) -> float:
        return functional.cross_entropy(logits / float(np.exp(log_temperature)), labels).item()

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def skill(logits: Tensor, labels: Tensor, prior: Tensor) -> float:
    """Return ``1 - NLL / NLL(prior)``, clipped to [0, 1]: 0 is no better than the prior."""
    model = functional.cross_entropy(logits, labels).item()
    blind = functional.cross_entropy(prior.log().expand(len(labels), -1), labels).item()
    return min(1.0, max(0.0, 1.0 - model / blind))


def evaluate(
    logits: Tensor, data: Sequences, target: str, *, prior: Tensor, seed: int
) -> dict[str, Metric]:
    """Return the metrics of one target, with intervals over participants.

    Parameters
    ----------
    logits : Tensor, shape (n_sequences, 2)
        Calibrated, on test participants.
    data : Sequences
        Labels, truth and whose they are.
    target : str
        Which one.
    prior : Tensor, shape (2,)
        Shares of the classes in the training set.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Metric
        ``balanced_accuracy`` (0.5 is chance), ``accuracy`` beside ``prevalence`` (share of "high")
        and ``trivial_accuracy`` (always the class that is the more frequent in training), ``nll``
        beside ``prior_nll``, and ``correlation`` of the expected value with the true course within
        a participant, the mean over participants.
    """
    labels = data.labels[target].numpy()
    log_p = torch.log_softmax(logits, dim=1).numpy().astype(np.float64)
    sequences = np.arange(len(labels))
    columns = {
        "hit": (log_p.argmax(axis=1) == labels).astype(np.float64),
        "is_high": (labels == 1).astype(np.float64),
        "nll": -log_p[sequences, labels],
        "prior_nll": -np.log(prior.numpy())[labels],
        "expected": np.exp(log_p[:, 1]) - 0.5,
        "truth": data.truth[target],
    }
    trivial = float(prior.argmax())
    people = [data.participants == name for name in dict.fromkeys(data.participants)]
    tables = [_summary({key: column[who] for key, column in columns.items()}) for who in people]
    draws = np.random.default_rng(seed).integers(len(tables), size=(N_BOOTSTRAP, len(tables)))
    value = _pool(tables, trivial)
    spread = [_pool([tables[i] for i in draw], trivial) for draw in draws]
    metrics = {}
    for name in value:
        low, high = np.percentile([one[name] for one in spread], [2.5, 97.5])
        metrics[name] = Metric(value=value[name], ci_low=float(low), ci_high=float(high))
    return metrics


def _summary(columns: Mapping[str, Floats]) -> dict[str, float]:
    """Return what one participant adds to every pooled metric."""
    high = columns["is_high"]
    steady = columns["expected"].std() == 0 or columns["truth"].std() == 0
    return {
        "n": float(len(high)),
        "n_high": high.sum(),
        "hits": columns["hit"].sum(),
        "hits_high": (columns["hit"] * high).sum(),
        "nll": columns["nll"].sum(),
        "prior_nll": columns["prior_nll"].sum(),
        "correlation": 0.0
        if steady
        else float(np.corrcoef(columns["expected"], columns["truth"])[0, 1]),
    }


def _pool(tables: list[dict[str, float]], trivial: float) -> dict[str, float]:
    total = {key: sum(table[key] for table in tables) for key in tables[0]}
    n, n_high = total["n"], total["n_high"]
    recalls = [
        hits / count
        for hits, count in (
            (total["hits_high"], n_high),
            (total["hits"] - total["hits_high"], n - n_high),
        )
        if count
    ]
    prevalence = n_high / n
    return {
        "balanced_accuracy": float(np.mean(recalls)),
        "accuracy": total["hits"] / n,
        "prevalence": prevalence,
        "trivial_accuracy": prevalence if trivial else 1.0 - prevalence,
        "nll": total["nll"] / n,
        "prior_nll": total["prior_nll"] / n,
        "correlation": total["correlation"] / len(tables),
    }
