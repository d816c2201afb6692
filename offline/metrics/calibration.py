"""Probabilities that mean what they say."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_BINS = 15
"""Equal widths of confidence from 0 to 1 [1]_.

References
----------
.. [1] Guo et al. 2017, ICML, arXiv:1706.04599
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Answers whose confidence lies in ``(low, high]``.

    Parameters
    ----------
    low, high : float
        Edges.
    n : int
        How many.
    confidence, accuracy : float
        Their mean confidence and the share that is right; 0 where there are none.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return what logits must be divided by to be calibrated [1]_.

    Parameters
    ----------
    logits : array_like, shape (n_sequences, n_classes)
        Of the validation items.
    labels : array_like of int, shape (n_sequences,)
        Their classes.

    Returns
    -------
    float
        From 1/20 to 20: where all answers are right (or all are wrong) nothing in the data bounds
        it.

    References
    ----------
    .. [1] Guo et al. 2017, ICML, arXiv:1706.04599
    """
    scores = np.asarray(logits, dtype=np.float64)
    classes = np.asarray(labels, dtype=np.int64)

    def loss(log_temperature: float) -> float:
        return nll(log_softmax(scores / np.exp(log_temperature), axis=1), classes)

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def skill(logits: npt.ArrayLike, labels: npt.ArrayLike, prior: npt.ArrayLike) -> float:
    """Return ``1 - NLL / NLL(prior)``, clipped to [0, 1]: 0 is no better than the prior.

    Parameters
    ----------
    logits : array_like, shape (n_sequences, n_classes)
        Calibrated; logarithms of probabilities will do.
    labels : array_like of int, shape (n_sequences,)
        Their classes.
    prior : array_like, shape (n_classes,)
        Shares of the classes in the training set, each above 0.
    """
    log_p = log_softmax(np.asarray(logits, dtype=np.float64), axis=1)
    classes = np.asarray(labels, dtype=np.int64)
    log_prior = np.log(np.asarray(prior, dtype=np.float64))
    blind = nll(np.broadcast_to(log_prior, log_p.shape), classes)
    return min(1.0, max(0.0, 1.0 - nll(log_p, classes) / blind))


def nll(log_p: Floats, labels: Ints) -> float:
    """Return the mean negative log likelihood in nats.

    Parameters
    ----------
    log_p : ndarray, shape (n, n_classes)
        Logarithms of probabilities.
    labels : ndarray of int, shape (n,)
        Classes.
    """
    return float(-log_p[np.arange(len(labels)), labels].mean())


def bin_sums(log_p: Floats, labels: Ints, groups: Ints, n_groups: int) -> Floats:
    """Return what each group adds to each bin of confidence: number, confidences, hits.

    Parameters
    ----------
    log_p : ndarray, shape (n, n_classes)
        Logarithms of probabilities; the confidence is the largest one's.
    labels : ndarray of int, shape (n,)
        Classes.
    groups : ndarray of int, shape (n,)
        Whose.
    n_groups : int
        How many groups.

    Returns
    -------
    ndarray, shape (n_groups, N_BINS, 3)
        Sums.
    """
    confidence = np.exp(log_p.max(axis=1))
    hit = log_p.argmax(axis=1) == labels
    number = np.clip(np.ceil(confidence * N_BINS).astype(np.int64) - 1, 0, N_BINS - 1)
    place = groups * N_BINS + number
    sums = np.zeros((n_groups * N_BINS, 3))
    np.add.at(sums, place, np.stack([np.ones(len(labels)), confidence, hit], axis=1))
    return sums.reshape(n_groups, N_BINS, 3)


def expected_calibration_error(sums: Floats) -> Floats:
    """Return the mean distance of confidence and accuracy, bins weighted by their number.

    Parameters
    ----------
    sums : ndarray, shape (..., N_BINS, 3)
        As `bin_sums` gives them, pooled as one likes.

    Returns
    -------
    ndarray, shape (...)
        From 0 to 1.
    """
    n, confidence, hits = np.moveaxis(sums, -1, 0)
    error: Floats = np.abs(confidence - hits).sum(axis=-1) / n.sum(axis=-1)
    return error


def reliability(sums: Floats) -> tuple[Bin, ...]:
    """Return every bin of a reliability diagram from pooled sums of shape (N_BINS, 3)."""
    edges = np.linspace(0.0, 1.0, N_BINS + 1)
    found = []
    for low, high, (n, confidence, hits) in zip(edges, edges[1:], sums, strict=False):
        count = max(n, 1.0)
        found.append(
            Bin(
                low=float(low),
                high=float(high),
                n=round(n),
                confidence=float(confidence / count),
                accuracy=float(hits / count),
            )
        )
    return tuple(found)
