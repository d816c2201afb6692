"""A subject's features, computed once and kept on disk under a name that says of what."""

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache as remember
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import offline.datasets
import offline.features
import offline.models
import rtaffect.signal
from offline.datasets.array_source import ArraySource
from offline.datasets.channels import montage_error
from offline.datasets.contract import Dataset, Floats, Ints, Label, Recording
from offline.datasets.scaling import ScaledSource
from offline.datasets.windows import RecordedWindows, read_windows
from offline.errors import DataError, RunError
from offline.models.contract import Features, Network, Shapes
from offline.recipe import Recipe
from rtaffect.chain import Chain
from rtaffect.core.errors import MontageError
from rtaffect.decode.inputs import encoder_inputs
from rtaffect.frame_windows import FrameChain
from rtaffect.windows import open_windows

_EXTRACT_WINDOWS = 64
"""Windows a call: small batches stay in the cache of a core."""

_CODE = {
    path: path.read_bytes()
    for package in (offline.features, offline.models, offline.datasets, rtaffect.signal)
    for path in sorted(Path(package.__path__[0]).glob("*.py"))
}
_CODE |= {
    path: path.read_bytes()
    for path in (
        Path(inspect.getfile(part)) for part in (open_windows, FrameChain, Chain, encoder_inputs)
    )
}
"""The code that runs. Somebody may change what is on disk before a long process asks for it."""


def network_of(recipe: Recipe, labels: Mapping[str, Label]) -> Network:
    """Return the recipe's network with fresh weights."""
    return recipe.model.build(shapes_of(recipe, labels))


def shapes_of(recipe: Recipe, labels: Mapping[str, Label]) -> Shapes:
    """Return what the recipe's network is built for."""
    classes = {name: len(label.classes) for name, label in labels.items()}
    return Shapes(windows=recipe.window_spec(), targets=classes)


def labels_of(recipe: Recipe, dataset: Dataset) -> dict[str, Label]:
    """Return the labels that the recipe answers.

    Raises
    ------
    DataError
        The data set has no such label.
    """
    wanted = recipe.targets or tuple(dataset.labels)
    if unknown := [name for name in wanted if name not in dataset.labels]:
        msg = f"targets must be among {', '.join(dataset.labels)}; got {', '.join(unknown)}."
        raise DataError(msg)
    return {name: dataset.labels[name] for name in wanted}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubjectFeatures:
    """What is kept on disk of one subject.

    Parameters
    ----------
    key : str
        Digest of all that the features depend on.
    features : mapping of str to ndarray of float32, shape (n_windows, ...)
        As `Network.extract` gives them, and ``rest`` where the network uses it.
    trials : list of dict
        Subject, session, trial and stimulus of each.
    trial_values : list of dict
        Each trial's value, by target.
    trial, window : ndarray of int, shape (n_windows,)
        Row in `trials`, and number on the recording's grid.
    values, train_values : mapping of str to ndarray, shape (n_windows,)
        By target; see `offline.datasets.windows.RecordedWindows`.
    offset_s : ndarray, shape (n_windows,)
        From the beginning of the trial to the end of what the window speaks of.
    has_face : bool
        There is a face in some window.
    """

    key: str
    features: Mapping[str, npt.NDArray[np.float32]]
    trials: list[dict[str, str]]
    trial_values: list[dict[str, float]]
    trial: Ints
    window: Ints
    values: Mapping[str, Floats]
    train_values: Mapping[str, Floats]
    offset_s: Floats
    has_face: bool


def features_key(recipe: Recipe, dataset: Dataset, subject: str) -> str:
    """Return a digest of all that a subject's features depend on."""
    settings = {
        "data": dataset.fingerprint(subject),
        "windows": asdict(recipe.window_spec()) | {"hop_s": recipe.windows.train_hop_s},
        "scaling": recipe.windows.scaling,
        "extraction": recipe.model.extraction(),
        "code": _code_digest(
            type(recipe.model).extraction.__module__, type(recipe.dataset).__module__
        ),
    }
    if recipe.windows.bands_hz:
        settings["bands"] = list(recipe.windows.bands_hz)  # their order is that of the rows
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


@remember
def _code_digest(*of_recipe: str) -> str:
    """Return a digest of the code that features come from: they never outlive it.

    Parameters
    ----------
    of_recipe : str
        Modules of what extracts, and of the data set.
    """
    files = [path for path in _CODE if path.parent.name in ("features", "signal")]
    files += [Path(str(sys.modules[name].__file__)) for name in of_recipe]
    files += [Path(inspect.getfile(part)) for part in (ArraySource, ScaledSource, Network)]
    of_windows = (read_windows, open_windows, FrameChain, Chain, encoder_inputs)
    files += [Path(inspect.getfile(part)) for part in of_windows]
    code = [_CODE[path] if path in _CODE else path.read_bytes() for path in files]
    return hashlib.sha256(b"".join(code)).hexdigest()


def features_folder(cache: Path, key: str) -> Path:
    """Return where features of a key are kept; they are there if it holds ``index.json``."""
    return cache / key[:2] / key[2:]


def make_features(recipe: Recipe, cache: Path, subject: str) -> Path:
    """Return the folder of a subject's features, computed if it is not there.

    Parameters
    ----------
    recipe : Recipe
        Data set, windows and network.
    cache : Path
        Folder of all features.
    subject : str
        Whose.

    Raises
    ------
    DataError
        The recordings cannot be read, or hold no usable window.
    RunError
        The cache cannot be written.
    """
    torch.set_num_threads(1)
    dataset = recipe.dataset.open()
    key = features_key(recipe, dataset, subject)
    folder = features_folder(cache, key)
    if (folder / "index.json").exists():
        return folder
    network = network_of(recipe, labels_of(recipe, dataset)).eval()
    found = []
    for recording in dataset.recordings(subject):
        try:
            found.append((recording, *_features(network, recording, recipe)))
        except MontageError as error:
            raise montage_error(recording, dataset, recipe.window_spec(), error) from error
    if not found:
        msg = f"Subject {subject} must have a recording, got none."
        raise DataError(msg)
    try:
        _save(folder, key, found)
    except OSError as error:
        msg = (
            f"Features must be kept in {cache}, but that failed: {error.strerror}. Free space or "
            "choose another folder, and run again: what is complete is kept."
        )
        raise RunError(msg) from error
    return folder


@torch.no_grad()
def _features(
    network: Network, recording: Recording, recipe: Recipe
) -> tuple[RecordedWindows, dict[str, npt.NDArray[np.float32]]]:
    """Return the windows of a recording, their raw samples dropped, and their features."""
    windows = read_windows(
        recording,
        recipe.window_spec(),
        hop_s=recipe.windows.train_hop_s,
        scaling=recipe.windows.scaling,
    )
    n_windows = len(windows.index)
    parts = []
    for start in range(0, n_windows, _EXTRACT_WINDOWS):
        rows = slice(start, start + _EXTRACT_WINDOWS)
        inputs = {name: torch.from_numpy(x[rows]) for name, x in windows.inputs.items()}
        parts.append(network.extract(inputs))
    features = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    if network.uses_rest:
        features["rest"] = _rest(network, features, windows, recording)
    return replace(windows, inputs={}), {name: x.numpy() for name, x in features.items()}


def _rest(
    network: Network, features: Features, windows: RecordedWindows, recording: Recording
) -> Tensor:
    """Return the statistics of each window's trial's own rest, shape (n_windows, ...).

    They come of its clean windows, as the runtime's baselines do; of all where none is clean, for a
    trial is too short to ask for another rest.
    """
    summaries = {}
    for number in np.unique(windows.trial).tolist():
        at_rest = (windows.trial == number) & windows.at_rest
        clean = at_rest & windows.is_clean
        rows = np.flatnonzero(clean if clean.any() else at_rest)
        if not len(rows):
            msg = (
                f"Trial {recording.trials[number].name} of subject {recording.subject} must have a "
                "usable window of rest before it, because the model subtracts it; got none. Use a "
                "model without baseline, or give the data set's rest."
            )
            raise DataError(msg)
        summaries[number] = network.summarise({k: x[rows] for k, x in features.items()})
    return torch.stack([summaries[number] for number in windows.trial.tolist()])


def _save(
    folder: Path,
    key: str,
    found: list[tuple[Recording, RecordedWindows, dict[str, npt.NDArray[np.float32]]]],
) -> None:
    """Write a subject's features; the index comes last, under its name only when complete."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = [~windows.at_rest for _, windows, _ in found]
    arrays: dict[str, npt.NDArray[np.float32] | Ints | Floats] = {
        f"feature.{name}": np.concatenate(
            [part[name][keep] for (_, _, part), keep in zip(found, shown, strict=True)]
        )
        for name in found[0][2]
    }
    n_before, trial = 0, []
    for (recording, windows, _), keep in zip(found, shown, strict=True):
        trial.append(windows.trial[keep] + n_before)
        n_before += len(recording.trials)
    kept = [(windows, keep) for (_, windows, _), keep in zip(found, shown, strict=True)]
    arrays["trial"] = np.concatenate(trial)
    arrays["window"] = np.concatenate([windows.index[keep] for windows, keep in kept])
    arrays["offset"] = np.concatenate([windows.offset_s[keep] for windows, keep in kept])
    for kind in ("value", "train_value"):
        for name in getattr(kept[0][0], f"{kind}s"):
            parts = [getattr(windows, f"{kind}s")[name][keep] for windows, keep in kept]
            arrays[f"{kind}.{name}"] = np.concatenate(parts)
    for name, array in arrays.items():
        # Another process may do the same, and a third one have mapped what it wrote: a file is
        # never written to once it has its name.
        draft = folder / f"{name}.{os.getpid()}.partial.npy"
        try:
            np.save(draft, array, allow_pickle=False)
            draft.replace(folder / f"{name}.npy")
        finally:
            draft.unlink(missing_ok=True)
    index = {
        "key": key,
        "arrays": list(arrays),
        "trials": trials_of([recording for recording, _, _ in found]),
        "values": trial_values_of([recording for recording, _, _ in found]),
        "has_face": any(windows.has_face for _, windows, _ in found),
    }
    draft = folder / f"index.{os.getpid()}.partial"
    draft.write_text(json.dumps(index))
    draft.replace(folder / "index.json")


def trials_of(recordings: Sequence[Recording]) -> list[dict[str, str]]:
    """Return subject, session, trial and stimulus of each trial."""
    return [
        {
            "subject": recording.subject,
            "session": recording.session,
            "trial": trial.name,
            "stimulus": trial.stimulus,
        }
        for recording in recordings
        for trial in recording.trials
    ]


def trial_values_of(recordings: Sequence[Recording]) -> list[dict[str, float]]:
    """Return each trial's value, by target."""
    return [dict(trial.values) for recording in recordings for trial in recording.trials]


def load_features(folder: Path) -> SubjectFeatures:
    """Return what `make_features` wrote; features stay on disk until they are looked at."""
    index = json.loads((folder / "index.json").read_text())
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in index["arrays"]
    }

    def named(prefix: str) -> dict[str, npt.NDArray[np.float32]]:
        return {k.removeprefix(prefix): x for k, x in arrays.items() if k.startswith(prefix)}

    return SubjectFeatures(
        key=index["key"],
        features=named("feature."),
        trials=index["trials"],
        trial_values=index["values"],
        trial=arrays["trial"],
        window=arrays["window"],
        values={name: np.asarray(x, np.float64) for name, x in named("value.").items()},
        train_values={name: np.asarray(x, np.float64) for name, x in named("train_value.").items()},
        offset_s=np.asarray(arrays["offset"]),
        has_face=index["has_face"],
    )
