"""What is written down of a run before its first unit: ``run.json`` and ``split.json``."""

import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from offline.errors import RunError
from offline.plurals import some
from offline.protocols.contract import Split
from offline.protocols.files import read_split, write_split
from offline.runs.folder import write_atomically
from offline.runs.plan import Run, Unit

if TYPE_CHECKING:  # a recipe knows every network, which loads torch
    from offline.recipe import Recipe

RUN = "run.json"
SPLIT = "split.json"
STUDY_ENDING = ".study.json"

_PACKAGES = ("rtaffect", "torch", "numpy", "scipy", "scikit-learn", "mne", "onnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One time that somebody worked on a run.

    Parameters
    ----------
    command : str
        What was typed.
    started : str
        When, in UTC.
    versions : mapping of str to str
        Of Python and of the packages that numbers depend on.
    commit : str or None
        Of the project's repository, with ``+changes`` if files differ from it; None outside one.
    """

    command: str
    started: str
    versions: Mapping[str, str]
    commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is known of a run besides its units.

    Parameters
    ----------
    id : str
        Name of its folder.
    settings : mapping
        Its recipe, as JSON holds it.
    data, split : str
        Digests.
    sessions : tuple of Session
        Whoever worked on it, in order of time.
    lacks : tuple of str
        What was looked for in the recordings and is in no number, in sentences.
    schema_version : int
        Of this record.
    """

    id: str
    settings: Mapping[str, Any]
    data: str
    split: str
    sessions: tuple[Session, ...]
    lacks: tuple[str, ...] = ()
    schema_version: int = 1

    def recipe(self) -> "Recipe":
        """Return the settings as they were validated; loads torch."""
        from offline.recipe import Recipe
        from rtaffect.config.reading import validated

        return validated(dict(self.settings), Recipe, where=f"The recipe of run {self.id}")


_RECORD = TypeAdapter(RunRecord)


def this_session(command: str) -> Session:
    """Return the session that begins now."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return Session(
        command=command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions,
        commit=_commit(),
    )


def write_record(root: Path, run: Run, session: Session) -> RunRecord:
    """Write a run's record and split, or add the session to a record that is there.

    Parameters
    ----------
    root : Path
        Folder of all runs.
    run : Run
        Which.
    session : Session
        Who works on it now.

    Raises
    ------
    RunError
        A record is there that cannot be read.
    """
    folder = root / run.id
    folder.mkdir(parents=True, exist_ok=True)
    before = read_record(folder).sessions if (folder / RUN).exists() else ()
    record = RunRecord(
        id=run.id,
        settings=run.recipe.model_dump(mode="json"),
        data=run.data,
        split=run.split.digest,
        sessions=(*before, session),
        lacks=run.lacks,
    )
    write_split(folder / SPLIT, run.split)
    write_atomically(folder / RUN, json.dumps(asdict(record), indent=1))
    return record


def read_record(folder: Path) -> RunRecord:
    """Read a run's record.

    Parameters
    ----------
    folder : Path
        Of the run.

    Raises
    ------
    RunError
        There is none, or it is not one.
    """
    path = folder / RUN
    if not path.is_file():
        raise RunError(_no_run(folder))
    try:
        record = _RECORD.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        msg = f"{path} must be the record of a run: {error}."
        raise RunError(msg) from error
    if record.schema_version != 1:
        msg = f"{path} must be of schema version 1, got {record.schema_version}."
        raise RunError(msg)
    return record


def _no_run(path: Path) -> str:
    """Return why a path is no run, and what to do."""
    folder, train = path, f"`rtaffect-offline train RECIPE.yaml --runs {path}`"
    if path.is_file():
        return f"{path} must be the folder of a run or a study (*{STUDY_ENDING}), but is a file."
    if path.exists():
        said = f"{path} must be the folder of a run, but holds no {RUN}"
    else:
        said = f"There is no {path} (a relative path counts from {Path.cwd()})"
        folder, train = path.parent, "`rtaffect-offline train RECIPE.yaml`"
    if studies := sorted(folder.glob(f"*{STUDY_ENDING}")):
        names = some([study.name for study in studies], most=5)
        return f"{said}. Studies in {folder}: {names}."
    return f"{said}, and no study is in {folder} yet. Train first: {train}."


def read_run_split(folder: Path, record: RunRecord) -> Split:
    """Read a run's split.

    Raises
    ------
    RunError
        It is not the one that the record speaks of.
    """
    split = read_split(folder / SPLIT)
    if split.digest != record.split:
        msg = f"{folder / SPLIT} must be the split of run {record.id}, but is another."
        raise RunError(msg)
    return split


def units_of(record: RunRecord, split: Split) -> tuple[Unit, ...]:
    """Return the units of a run, in order."""
    return tuple(
        Unit(run=record.id, fold=fold.name, seed=seed)
        for seed in record.settings["seeds"]
        for fold in split.folds
    )


def choose_unit(record: RunRecord, split: Split, *, fold: str | None, seed: int | None) -> Unit:
    """Return one unit of a run.

    Parameters
    ----------
    record : RunRecord
        Of the run.
    split : Split
        Of the run.
    fold : str or None
        Its name; None where there is one.
    seed : int or None
        Of the recipe's seeds; None takes the first.

    Raises
    ------
    RunError
        There is no such unit, or there are several folds and none was chosen.
    """
    units = units_of(record, split)
    folds = list(dict.fromkeys(unit.fold for unit in units))
    if fold is None and len(folds) > 1:
        msg = f"Run {record.id} has several folds; choose one with --fold: {', '.join(folds)}."
        raise RunError(msg)
    wanted = (fold or folds[0], units[0].seed if seed is None else seed)
    for unit in units:
        if (unit.fold, unit.seed) == wanted:
            return unit
    seeds = dict.fromkeys(str(unit.seed) for unit in units)
    msg = (
        f"Run {record.id} must have fold {wanted[0]} with seed {wanted[1]}, but it has not. Its "
        f"folds are {', '.join(folds)}; its seeds {', '.join(seeds)}."
    )
    raise RunError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """Which runs answer one question together.

    Parameters
    ----------
    name : str
        Of the recipe, or of the sweep's base.
    variants : mapping of str to str
        Run ids by the variant's name; the first is what the others are compared with.
    """

    name: str
    variants: Mapping[str, str]


_STUDY = TypeAdapter(StudyRecord)


def study_file(root: Path, name: str) -> Path:
    """Return where a study is written down."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).lstrip(".")
    return root / f"{kept or 'study'}{STUDY_ENDING}"


def write_study(root: Path, name: str, runs: Iterable[Run]) -> Path:
    """Write down which runs belong together, and return the file."""
    record = StudyRecord(name=name, variants={run.variant: run.id for run in runs})
    path = study_file(root, name)
    root.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(record), indent=1))
    return path


def read_study(path: Path) -> StudyRecord:
    """Read what `write_study` wrote.

    Raises
    ------
    RunError
        It is not there, or no such file.
    """
    if not path.exists():
        raise RunError(_no_run(path))
    try:
        return _STUDY.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        msg = f"{path} must tell which runs belong together: {error}."
        raise RunError(msg) from error


def first_run(path: Path) -> Path:
    """Return a run's folder; of the first variant, where a study's file is given.

    Raises
    ------
    RunError
        It is a file, but no study's.
    """
    if path.name.endswith(STUDY_ENDING) or path.is_file():
        return path.parent / next(iter(read_study(path).variants.values()))
    return path


def _commit() -> str | None:
    """Return the commit of the repository that this code lies in."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--match=", "--dirty"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            git, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode:
        return None
    return done.stdout.strip().replace("-dirty", "+changes") or None
