"""Which data set is meant: by a settings file, a recipe, or a folder and a kind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from offline.changes import parse_changes, with_changes
from offline.datasets import DATASETS
from rtaffect.config.plain_yaml import compose, plain
from rtaffect.config.reading import validated
from rtaffect.core.errors import ConfigError


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
    settings = with_changes(settings, parse_changes(changes))
    named = str(settings.get("kind", "nothing"))
    if named not in DATASETS:
        msg = f"kind must be one of {', '.join(DATASETS)}; {path} says {named}."
        raise ConfigError(msg)
    chosen = validated(settings, DATASETS[named], where=str(path))
    place = getattr(chosen, "path", None)  # what is computed lies nowhere
    if place is not None and not place.is_dir():
        msg = (
            f"path must be the folder of the data set {named}; there is no folder {place}. A "
            f"relative path counts from {Path.cwd()}; path=FOLDER says where it is."
        )
        raise ConfigError(msg)
    return chosen


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
