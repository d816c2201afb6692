import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from offline.reproduce.embeddings import cluster

N, N_NUMBERS = 120, 6


def _groups(distance: float, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = np.arange(N) % 3
    places = rng.normal(size=(3, N_NUMBERS))
    return distance * places[classes] + rng.normal(size=(N, N_NUMBERS)), classes


def test_classes_that_lie_apart_are_the_clusters() -> None:
    found = cluster(*_groups(50.0))
    assert found.agreement == 1
    assert found.by_class == pytest.approx(found.by_cluster)
    assert found.by_class > 0.8


def test_classes_that_do_not_are_not() -> None:
    found = cluster(*_groups(0.0))
    assert abs(found.agreement) < 0.1
    assert found.by_class < 0.05 < found.by_cluster


def test_numbers_count_alike_whatever_their_scale() -> None:
    x, classes = _groups(3.0)
    scale = np.array([1, 1e3, 1e-3, 1, 50, 1])
    one, other = cluster(x, classes), cluster(x * scale, classes)
    assert one.by_class == pytest.approx(other.by_class)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    assert one.by_class == pytest.approx(silhouette_score(z, classes))


def test_an_embedding_that_says_nothing_has_no_clusters() -> None:
    found = cluster(np.ones((30, 4)), np.arange(30) % 2)
    assert (found.by_class, found.by_cluster, found.agreement) == (0, 0, 0)
