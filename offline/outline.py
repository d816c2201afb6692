"""What is known of a recipe's trials before any feature is computed."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from offline.extraction import (
    SubjectFeatures,
    features_folder,
    features_key,
    labels_of,
    trial_values_of,
    trials_of,
)
from offline.recipe import Recipe
from offline.table import FeatureTable, join, subjects_of


def is_computed(recipe: Recipe, cache: Path) -> bool:
    """Return whether everybody's features are in the cache, so that `read_table` is quick."""
    subjects = subjects_of(recipe, recipe.dataset.open())
    return all(_has_features(recipe, cache, subject) for subject in subjects)


def read_outline(recipe: Recipe) -> FeatureTable:
    """Return the table without a window in it: enough to share out trials, and quick.

    Its digest is that of the whole table. What windows lack is not known.

    Raises
    ------
    DataError
        The data set cannot be read.
    """
    dataset = recipe.dataset.open()
    parts = [_read_trials(recipe, subject) for subject in subjects_of(recipe, dataset)]
    return replace(join(parts, labels_of(recipe, dataset), recipe.windows), lacks=())


def _has_features(recipe: Recipe, cache: Path, subject: str) -> bool:
    """Return whether a subject's features are in the cache."""
    return (
        features_folder(cache, features_key(recipe, recipe.dataset.open(), subject)) / "index.json"
    ).exists()


def _read_trials(recipe: Recipe, subject: str) -> SubjectFeatures:
    """Return a subject's trials without a window: no feature is computed, and none is looked for.

    Raises
    ------
    DataError
        The recordings cannot be read.
    """
    dataset = recipe.dataset.open()
    recordings = list(dataset.recordings(subject))
    none = np.zeros(0, dtype=np.int64)
    return SubjectFeatures(
        key=features_key(recipe, dataset, subject),
        features={},
        trials=trials_of(recordings),
        trial_values=trial_values_of(recordings),
        trial=none,
        window=none,
        values=dict.fromkeys(dataset.labels, np.zeros(0)),
        train_values={},
        offset_s=np.zeros(0),
        has_face="face" in dataset.about.modalities,
    )
