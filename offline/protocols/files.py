"""Splits on disk: our own as JSON, anybody's as a table."""

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from pydantic import TypeAdapter, ValidationError

from offline.errors import DataError, LeakError
from offline.items import GROUPS, Items
from offline.plurals import some
from offline.protocols.contract import ROLES, Fold, Split

_SCHEMA_VERSION = 1
_SPLIT = TypeAdapter(Split)
_NEEDED = ("subject", "trial", "role")
_KNOWN = (*GROUPS, "window", "fold", "role")


def write_split(path: Path, split: Split) -> None:
    """Write a split as JSON, with its digest; a file there is replaced as a whole."""
    content = {
        "schema_version": _SCHEMA_VERSION,
        "digest": split.digest,
        "split": asdict(split),
    }
    draft = path.with_name(f"{path.name}.{os.getpid()}.partial")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def read_split(path: Path) -> Split:
    """Read what `write_split` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Split
        With the digest that it had; `Split.prove` says whether it fits the items at hand.

    Raises
    ------
    DataError
        The file cannot be read or is no split.
    LeakError
        It was changed since it was written.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
        split = _SPLIT.validate_python(content["split"])
        digest = content["digest"]
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        msg = f"{path} must be a split as the trainer writes it: {error}."
        raise DataError(msg) from error
    if version != _SCHEMA_VERSION:
        msg = f"{path} must be of schema version {_SCHEMA_VERSION}, got {version}."
        raise DataError(msg)
    if split.digest != digest:
        msg = (
            f"{path} must be as it was written, but its digest is {split.digest[:12]} and not "
            f"{digest[:12]}: somebody edited it. Make the split again."
        )
        raise LeakError(msg)
    return split


def read_split_table(path: Path, *, leaky: bool = False) -> tuple[Items, Split]:
    """Read somebody's own split: a line for each role that an item has.

    Parameters
    ----------
    path : Path
        CSV, or tab-separated where the name ends in ``.tsv`` or ``.txt``. Columns: ``subject``,
        ``trial`` and ``role`` (train, validation or test); ``session``, ``stimulus``, ``fold`` and
        ``window`` where there are any. With ``window`` (see `Items`) items are windows, else
        trials.
    leaky : bool
        It is known to leak.

    Returns
    -------
    items : Items
        Everything that has a role somewhere, in order of first appearance.
    split : Split
        As it was found: its `disjoint` groups are those that it keeps apart. It is a claim, and
        not proved: `Split.prove` judges.

    Raises
    ------
    DataError
        The file cannot be read, or a line is not what it must be.
    LeakError
        An item has more than one line in a fold.
    """
    rows = _read_rows(path)
    has_windows = "window" in rows[0]
    numbers: dict[tuple[str, ...], int] = {}
    stimuli: dict[tuple[str, ...], str] = {}
    folds: dict[str, dict[str, list[int]]] = {}
    lines: dict[tuple[str, int], list[str]] = {}
    for line, row in enumerate(rows, start=2):
        where = f"{path}, line {line}"
        trial = (row["subject"], row.get("session", ""), row["trial"])
        stimulus = row.get("stimulus", "")
        if stimuli.setdefault(trial, stimulus) != stimulus:
            msg = (
                f"{where}: a trial has one stimulus, but {'/'.join(trial)} has "
                f"{stimuli[trial]!r} and {stimulus!r}."
            )
            raise DataError(msg)
        if row["role"] not in ROLES:
            msg = f"{where}: role must be one of {', '.join(ROLES)}, got {row['role']!r}."
            raise DataError(msg)
        if has_windows and not row["window"].isdecimal():
            msg = f"{where}: window must be a whole number from 0, got {row['window']!r}."
            raise DataError(msg)
        key = (*trial, str(int(row["window"]))) if has_windows else trial
        item = numbers.setdefault(key, len(numbers))
        fold = row.get("fold", "1")
        roles = folds.setdefault(fold, {role: [] for role in ROLES})
        roles[row["role"]].append(item)
        lines.setdefault((fold, item), []).append(f"line {line}: {row['role']}")
    for subject, session, name in stimuli:
        if session and (subject, "", name) in stimuli:  # it may be the same trial, in two roles
            msg = (
                f"{path} must name the session of trial {name} of {subject} in every line or in "
                f"none: some say {session}, others nothing."
            )
            raise DataError(msg)
    items = Items(
        level="window" if has_windows else "trial",
        subject=tuple(key[0] for key in numbers),
        session=tuple(key[1] for key in numbers),
        trial=tuple(key[2] for key in numbers),
        stimulus=tuple(stimuli[key[:3]] for key in numbers),
        window=tuple(int(key[3]) for key in numbers) if has_windows else (),
    )
    several = [
        f"{items.name(item)}{f', fold {fold}' if 'fold' in rows[0] else ''} ({', '.join(said)})"
        for (fold, item), said in lines.items()
        if len(said) > 1
    ]
    if several:
        msg = (
            f"{path} must give a {items.level} one role in a fold, in one line; "
            f"{len(several)} {'has' if len(several) == 1 else 'have'} more: {some(several)}."
        )
        raise LeakError(msg)
    found = tuple(
        Fold(name=name, **{role: tuple(sorted(rows)) for role, rows in roles.items()})
        for name, roles in folds.items()
    )
    split = Split(
        protocol="table",
        settings={"kind": "table", "path": path.name, "leaky": leaky},
        level=items.level,
        disjoint=kept_apart(items, found),
        leaky=leaky,
        folds=found,
        items_digest=items.digest,
    )
    return items, split


def write_split_table(path: Path, items: Items, split: Split) -> None:
    """Write a split as `read_split_table` reads it, for people and other programs.

    Parameters
    ----------
    path : Path
        Tab-separated where the name ends in ``.tsv`` or ``.txt``, else CSV.
    items : Items
        Those that the split was made for.
    split : Split
        What is written.
    """
    columns = (*GROUPS, "window") if items.level == "window" else GROUPS
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=_delimiter(path), lineterminator="\n")
        writer.writerow([*columns, "fold", "role"])
        for fold in split.folds:
            for role in ROLES:
                for row in getattr(fold, role):
                    values = [getattr(items, column)[row] for column in columns]
                    writer.writerow([*values, fold.name, role])


def write_items(file: TextIO, items: Items) -> None:
    """Write what a table must name, tab-separated: such a table without folds and roles.

    Parameters
    ----------
    file : text file
        Open for writing.
    items : Items
        What is shared out.
    """
    columns = (*GROUPS, "window") if items.level == "window" else GROUPS
    writer = csv.writer(file, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(getattr(items, column) for column in columns), strict=True))


def kept_apart(items: Items, folds: tuple[Fold, ...]) -> tuple[str, ...]:
    """Return the groups of which no member has two roles in any fold.

    Of stimuli that is only known where every item in a role has the name of its own.
    """
    used = {row for fold in folds for role in ROLES for row in getattr(fold, role)}
    nameless = any(items.stimulus[row] == "" for row in used)
    found = []
    for group in GROUPS:
        if group == "stimulus" and nameless:
            continue
        keys = list(items.keys(group))
        members = [[{keys[row] for row in getattr(fold, role)} for role in ROLES] for fold in folds]
        if all(len(set.union(*sets)) == sum(map(len, sets)) for sets in members):
            found.append(group)
    return tuple(found)


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() in {".tsv", ".txt"} else ","


def _read_rows(path: Path) -> list[Mapping[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=_delimiter(path), strict=True)
            names = list(reader.fieldnames or ())
            rows: list[dict[str, Any]] = list(reader)
    except FileNotFoundError:
        msg = (
            f"There is no split table {path}: it must be a CSV or TSV with the columns "
            f"{', '.join(_NEEDED)}. A relative path counts from {Path.cwd()}."
        )
        raise DataError(msg) from None
    except OSError as error:
        msg = f"{path} must be a split table (CSV or TSV), and cannot be read: {error.strerror}."
        raise DataError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} must be a table of text: {error}."
        raise DataError(msg) from error
    missing = [name for name in _NEEDED if name not in names]
    unknown = [name for name in names if name not in _KNOWN]
    if missing or unknown or len(set(names)) < len(names):
        msg = (
            f"{path} must have the columns {', '.join(_NEEDED)}, and may have "
            f"{', '.join(name for name in _KNOWN if name not in _NEEDED)}; got {', '.join(names)}."
        )
        raise DataError(msg)
    if not rows:
        msg = f"{path} must have a line for each item, got none."
        raise DataError(msg)
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            msg = f"{path}, line {line}: must have {len(names)} columns as the first line has."
            raise DataError(msg)
    return [{name: text.strip() for name, text in row.items()} for row in rows]
