"""Whether classes lie apart in what a network makes of windows that it was tested on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from offline.items import NO_CLASS
from offline.report.drawing import BLUE, GREEN, ORANGE, PURPLE, VERMILION, Drawing, new_panels, save
from offline.report.drawing import style as report_style
from offline.report.study import Study, Variant
from offline.report.words import table
from offline.reproduce.paper import Reproduced
from offline.runs.folder import unit_folder
from offline.runs.record import read_record, units_of
from offline.runs.trainer import open_run
from offline.unit import fold_of, read_network

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST_WINDOWS = 1500
"""Of a fold: silhouettes take time by the square."""
_BATCH = 64
_SEED = 0
_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """How well classes and clusters of one fold's embeddings agree.

    Parameters
    ----------
    by_class : float
        Silhouette of the true classes: 1 where they lie apart, 0 where they overlap, below where
        others are nearer than one's own.
    by_cluster : float
        Silhouette of as many k-means clusters.
    agreement : float
        Adjusted Rand index of clusters and classes: 0 is chance, 1 the same.
    """

    by_class: float
    by_cluster: float
    agreement: float


def cluster(embedding: Floats, classes: Ints) -> Clusters:
    """Find as many clusters as there are classes, and compare.

    Parameters
    ----------
    embedding : ndarray, shape (n_windows, n_numbers)
        Standardised here number by number.
    classes : ndarray of int, shape (n_windows,)
        True ones, of at least two kinds.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    spread = embedding.std(axis=0)
    x = (embedding - embedding.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    n_classes = len(np.unique(classes))
    if len(np.unique(x, axis=0)) < n_classes:  # a network that says the same of all windows
        return Clusters(by_class=0.0, by_cluster=0.0, agreement=0.0)
    found = KMeans(n_classes, n_init=10, random_state=_SEED).fit_predict(x)
    return Clusters(
        by_class=float(silhouette_score(x, classes)),
        by_cluster=float(silhouette_score(x, found)),
        agreement=float(adjusted_rand_score(classes, found)),
    )


def clusters_of_people(found: Reproduced) -> Iterator[str]:
    """Yield how embeddings of the tested windows cluster, and a figure of one fold's."""
    yield "## Clusters of embeddings"
    yield (
        "Each network's embeddings of the windows that it was tested on, standardised; as many "
        "k-means clusters as classes. Silhouettes: 1 where groups lie apart, 0 where they overlap. "
        "Agreement: adjusted Rand index, 0 is chance. Means over folds ± standard deviation."
    )
    body = []
    figures = []
    for words, studies in (
        ("their protocol (LEAKY)", found.by_paper),
        ("honest", found.honest),
    ):
        for study in studies:
            variant = study.variants[0]
            for target in study.labels:
                folds = list(_folds(found.runs / variant.run_id, found.cache, target))
                each = [cluster(x, y) for x, y in folds if len(np.unique(y)) > 1]
                if not each:
                    continue
                cells = [_spread([getattr(one, name) for one in each]) for name in _NAMES]
                body.append([words, variant.name, target, str(len(each)), *cells])
                figures.append(_drawn(study, variant, target, folds[0], words, found.out))
    header = ["protocol", "variant", "target", "folds", *_NAMES.values()]
    yield table(header, body, stamps=["LEAKY PROTOCOL in rows marked so: no evidence"])
    yield "\n\n".join(f"![{path.stem}]({path.name})" for path in figures)


_NAMES: Mapping[str, str] = {
    "by_class": "silhouette of classes",
    "by_cluster": "silhouette of clusters",
    "agreement": "agreement",
}


@torch.no_grad()
def _folds(run: Path, cache: Path, target: str) -> Iterator[tuple[Floats, Ints]]:
    """Yield embeddings and classes of each fold's tested windows, of the first seed."""
    record = read_record(run)
    recipe, features, split = open_run(run, cache)
    first = record.recipe().seeds[0]
    for unit in units_of(record, split):
        if unit.seed != first:
            continue
        network = read_network(recipe, features.labels, unit_folder(run.parent, unit))
        rows = features.windows_of(fold_of(split, unit.fold).test, split.level)
        rows = rows[features.classes[target][rows] != NO_CLASS]
        if len(rows) > _MOST_WINDOWS:
            rows = np.sort(np.random.default_rng(_SEED).choice(rows, _MOST_WINDOWS, replace=False))
        parts = [
            network.encode({name: x[rows[i : i + _BATCH]] for name, x in features.features.items()})
            for i in range(0, len(rows), _BATCH)
        ]
        if parts:
            yield torch.cat(parts).double().numpy(), features.classes[target][rows]


def _drawn(
    study: Study,
    variant: Variant,
    target: str,
    fold: tuple[Floats, Ints],
    words: str,
    out: Path,
) -> Path:
    """Draw the first two principal components of a fold's embeddings."""
    embedding, classes = fold
    centred = embedding - embedding.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    x = centred @ axes[:2].T
    with report_style():
        figure, ((panel,),) = new_panels(1, 1, width=4.5, height=3.4)
        for number, name in enumerate(study.labels[target].classes):
            own = x[classes == number]
            colour = _COLOURS[number % len(_COLOURS)]
            panel.scatter(own[:, 0], own[:, -1], s=5, color=colour, label=name, linewidths=0)
        panel.set_xlabel("first principal component")
        panel.set_ylabel("second")
        panel.legend(markerscale=2)
        drawing = Drawing(
            name=f"embeddings_{target}_{words.partition(' ')[0]}",
            title="Embeddings",
            caption=f"{variant.name}, {target}, {words}",
            figure=figure,
        )
        return save(drawing, out, stamps=study.stamps)


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"
