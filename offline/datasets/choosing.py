"""Which data set is meant: by a settings file, a recipe, or a folder and a kind."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from offline.changes import parse_changes, with_changes
from offline.datasets import DATASETS
from rtaffect.config.plain_yaml import compose, plain
from rtaffect.config.reading import validated
from rtaffect.core.errors import ConfigError

_OF_RECIPE = frozenset(
    {"dataset", "windows", "model", "sequences", "training", "protocol", "seeds", "bundle"}
    | {"subjects", "targets"}
)
"""Keys of a recipe (`offline.recipe.Recipe`, which loads torch) that people try on a data set."""


def choose_dataset(path: Path, *, kind: str | None = None, changes: Sequence[str] = ()) -> Any:
    """Return the settings of a data set.

    Parameters
    ----------
    path : Path
        A YAML file (settings of a data set, a recipe or a sweep), or the folder of a data set.
    kind : str or None
        What the folder holds; needed for a folder, unless it is a converted data set.
    changes : sequence of str
        ``"labels.valence.edges=[1, 5, 9]"``: dotted keys and YAML values.

    Raises
    ------
    ConfigError
        There is no such file, kind or folder, or a setting is unknown, missing or wrong.
    """
    if path.is_dir():
        settings: dict[str, Any] = {"kind": _kind_of(path, kind), "path": str(path)}
    else:
        settings = _in_file(path)
        if kind is not None:
            settings["kind"] = kind
    made = parse_changes(changes)
    settings = with_changes(settings, made)
    named = str(settings.get("kind", "nothing"))
    if named not in DATASETS:
        msg = f"kind must be one of {', '.join(DATASETS)}; {path} says {named}."
        raise ConfigError(msg)
    _refuse_recipe_keys(made, named)
    if path.is_dir():
        _refuse_bare_folder(path, settings, named)
    chosen = validated(settings, DATASETS[named], where=str(path))
    place = getattr(chosen, "path", None)  # what is computed lies nowhere
    if place is not None and not place.is_dir():
        msg = (
            f"path must be the folder of the data set {named}; there is no folder {place}. A "
            f"relative path counts from {Path.cwd()}; path=FOLDER says where it is."
        )
        raise ConfigError(msg)
    return chosen


def _refuse_recipe_keys(made: Iterable[str], kind: str) -> None:
    """Say of a recipe's keys that they are none of a data set's."""
    lost = [key for key in made if key.partition(".")[0] in _OF_RECIPE - _keys(kind)]
    if lost:
        msg = (
            f"A data set has no setting {', '.join(lost)}: that is a recipe's, for "
            f"`rtaffect-offline train` and `audit`. Settings of {kind} are {_listed(kind)}."
        )
        raise ConfigError(msg)


def _refuse_bare_folder(folder: Path, settings: Mapping[str, Any], kind: str) -> None:
    """Say of a data set that needs more settings than a folder where they are written down."""
    fields = DATASETS[kind].model_fields
    needed = [name for name, field in fields.items() if field.is_required()]
    if lost := [name for name in needed if name not in settings]:
        msg = (
            f"A data set {kind} needs more than the folder {folder}: {', '.join(lost)}. Write them "
            f"into a YAML file with kind: {kind} and path: {folder}, and give that file instead. "
            "docs/data.md shows one"
            + (", as does configs/data/eegmat.yaml." if kind == "own" else ".")
        )
        raise ConfigError(msg)


def _keys(kind: str) -> set[str]:
    return set(DATASETS[kind].model_fields)


def _listed(kind: str) -> str:
    return ", ".join(sorted(_keys(kind)))


def _in_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        msg = (
            f"There is no {path}: a folder, or a YAML file with settings of a data set or a "
            f"recipe, is needed. A relative path counts from {Path.cwd()}."
        )
        raise ConfigError(msg)
    if path.suffix not in {".yaml", ".yml"}:
        msg = f"{path} must be a folder, or a YAML file with settings of a data set or a recipe."
        raise ConfigError(msg)
    found = plain(path, compose(path))
    inner = found.get("base", found)  # of a sweep
    inner = inner.get("dataset", inner) if isinstance(inner, dict) else inner
    if not isinstance(inner, dict):
        msg = f"{path} must hold the settings of a data set as keys and values."
        raise ConfigError(msg)
    return inner


def _kind_of(folder: Path, kind: str | None) -> str:
    if kind is None and (folder / "index.json").is_file():
        return "stored"
    if kind is None:
        msg = f"Say which data set {folder} holds: --kind {'|'.join(DATASETS)}."
        raise ConfigError(msg)
    return kind
