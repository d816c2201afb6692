"""Finished runs on disk become studies."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offline.errors import RunError
from offline.predictions import Predictions, concatenate, read_predictions
from offline.report.study import Checkpoint, Curve, Design, ScalpMaps, Study, Variant
from offline.runs.folder import state, unit_folder, verify
from offline.runs.plan import Unit
from offline.runs.record import (
    STUDY_ENDING,
    RunRecord,
    read_record,
    read_run_split,
    read_study,
    units_of,
)
from rtaffect.core.errors import RtaffectError

if TYPE_CHECKING:  # a recipe knows every network, which loads torch
    from offline.protocols.contract import Split
    from offline.recipe import Recipe


def gather(paths: Sequence[Path], *, cache: Path | None) -> list[Study]:
    """Read runs, and put those that can be compared into one study.

    Parameters
    ----------
    paths : sequence of Path
        Files ``*.study.json`` that a sweep wrote, folders of runs, or folders that hold studies.
    cache : Path or None
        Folder of features, to look at what trained networks saw; None leaves that out.

    Returns
    -------
    list of Study
        One for each data set and protocol, in the order of `paths`; settings of the data set that
        begin with ``train_`` say nothing of what is tested.

    Raises
    ------
    RunError
        There is nothing there, it cannot be read, or none of its units is done.
    """
    by_question: dict[str, Study] = {}
    for name, folder, variant in _runs(paths):
        study = _read_run(folder, name=name, variant=variant, cache=cache)
        asked = [_tested(study.recipe["dataset"]), study.design.protocol, study.design.settings]
        question = json.dumps([name, asked, study.design.leaky], sort_keys=True, default=str)
        if question in by_question:
            study = _joined(by_question[question], study)
        by_question[question] = study
    return list(by_question.values())


def _tested(dataset: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the tested windows depend on: not which labels the others are trained on."""
    return {key: value for key, value in dataset.items() if not key.startswith("train_")}


def folder_of(path: Path) -> Path:
    """Return the folder of all runs that a path as `gather` takes it lies in."""
    is_root = path.is_dir() and any(path.glob(f"*{STUDY_ENDING}"))
    return path if is_root else path.absolute().parent


def _runs(paths: Sequence[Path]) -> list[tuple[str, Path, str]]:
    """Return each run's study, folder and variant."""
    found: list[tuple[str, Path, str]] = []
    for path in paths:
        if path.name.endswith(STUDY_ENDING):
            record = read_study(path)
            found += [(record.name, path.parent / run, v) for v, run in record.variants.items()]
        elif inner := sorted(path.glob(f"*{STUDY_ENDING}")):
            found += _runs(inner)
        else:
            name = str(read_record(path).settings["name"])
            found.append((name, path, f"{name} ({path.name})" if len(paths) > 1 else name))
    return found


def _read_run(folder: Path, *, name: str, variant: str, cache: Path | None) -> Study:
    from offline.report.looks import look_at_run

    record = read_record(folder)
    recipe, split = record.recipe(), read_run_split(folder, record)
    units = units_of(record, split)
    folders = {unit: unit_folder(folder.parent, unit) for unit in units}
    done = [unit for unit in units if state(folders[unit]) == "done"]
    unfinished = {unit.fold for unit in units if unit not in done}
    counted = {unit: folders[unit] for unit in done if unit.fold not in unfinished}
    if not counted:
        msg = (
            f"Run {folder} must have a fold that is finished with every seed, got {len(done)} of "
            f"{len(units)} units. Train on."
        )
        raise RunError(msg)
    for unit_path in counted.values():
        verify(unit_path)
    maps: tuple[ScalpMaps, ...] = ()
    no_maps = ""
    if cache is not None:
        try:  # numbers come from what was written; maps need the features once more
            maps = look_at_run(folder, counted, cache)
        except RtaffectError as error:
            no_maps = str(error)
    dataset = recipe.dataset.open()
    answers = _answers(counted)
    targets = answers["validation"]
    design = replace(
        design_of(recipe, split), stimuli=_stimuli(targets), people=_people(counted.values())
    )
    return Study(
        name=name,
        about=dataset.about,
        labels={target: dataset.labels[target] for target in targets},
        design=design,
        recipe=record.settings,
        versions=_versions(record),
        variants=(
            Variant(
                name=variant,
                run_id=record.id,
                answers=answers,
                train_priors=_train_priors(counted),
                recipe=record.settings,
                commands=tuple(dict.fromkeys(one.command for one in record.sessions)),
                n_people=_n_people(counted),
                curves=tuple(_curve(unit, path) for unit, path in counted.items()),
                choices=recipe.model.choices(),
                maps=maps,
                no_maps=no_maps,
                lacks=record.lacks,
                n_missing=len(units) - len(done),
            ),
        ),
    )


def _joined(study: Study, other: Study) -> Study:
    taken = {variant.name for variant in study.variants}
    new = tuple(variant for variant in other.variants if variant.name not in taken)
    return replace(
        study,
        labels=dict(study.labels) | dict(other.labels),
        variants=(*study.variants, *new),
    )


def design_of(recipe: "Recipe", split: "Split") -> Design:
    """Return how a run's items were shared out."""
    return Design(
        protocol=split.protocol,
        settings=dict(split.settings),
        level=split.level,
        disjoint=split.disjoint,
        leaky=split.leaky or recipe.is_leaky,
        test_chooses=bool(recipe.training.paper_protocol),
        n_folds=len(split.folds),
        digest=split.digest,
    )


def _versions(record: RunRecord) -> Mapping[str, str]:
    last = record.sessions[-1]
    commit = {"commit": last.commit} if last.commit else {}
    return dict(last.versions) | commit


def _answers(
    folders: Mapping[Unit, Path],
) -> Mapping[Checkpoint, Mapping[str, tuple[Predictions, ...]]]:
    """Return what all folds said together, by checkpoint, target and seed."""
    from offline.unit import PREDICTIONS, SELECTIONS

    files: dict[Checkpoint, str] = {"validation": PREDICTIONS}
    files |= {"last": SELECTIONS["last"], "best_test": SELECTIONS["best_test"]}
    seeds = sorted({unit.seed for unit in folders})
    found: dict[Checkpoint, dict[str, tuple[Predictions, ...]]] = {}
    for checkpoint, file in files.items():
        for seed in seeds:
            parts = [
                read_predictions(folder / file)
                for unit, folder in folders.items()
                if unit.seed == seed and (folder / file).exists()
            ]
            for target in parts[0] if parts else ():
                whole = concatenate([part[target] for part in parts])
                by_target = found.setdefault(checkpoint, {})
                by_target[target] = (*by_target.get(target, ()), whole)
    return found


def _train_priors(folders: Mapping[Unit, Path]) -> Mapping[str, Mapping[str, Sequence[float]]]:
    from offline.unit import read_facts

    found: dict[str, dict[str, Sequence[float]]] = {}
    for unit, folder in folders.items():
        for target, shares in read_facts(folder).priors.items():
            found.setdefault(target, {})[unit.fold] = shares
    return found


def _n_people(folders: Mapping[Unit, Path]) -> Mapping[str, tuple[int, int]]:
    """Return how many subjects have each role in a fold, the fewest and the most."""
    from offline.unit import read_facts

    by_role: dict[str, list[int]] = {}
    for folder in folders.values():
        for role, subjects in read_facts(folder).subjects.items():
            by_role.setdefault(role, []).append(len(subjects))
    return {role: (min(n), max(n)) for role, n in by_role.items()}


def _stimuli(
    by_target: Mapping[str, tuple[Predictions, ...]],
) -> Literal["named", "partly", "nameless"]:
    """Return whether what was tested says what was shown."""
    named = [
        name != "" for said in by_target.values() for name in np.unique(said[0].stimulus).tolist()
    ]
    if all(named):
        return "named"
    return "partly" if any(named) else "nameless"


def _people(folders: Iterable[Path]) -> Literal["known", "partly", "new"]:
    """Return whether those tested have another role in a fold as well."""
    from offline.unit import read_facts

    roles = [
        {role: set(names) for role, names in read_facts(folder).subjects.items()}
        for folder in folders
    ]
    if not any(fold["test"] & (fold["train"] | fold["validation"]) for fold in roles):
        return "new"
    return "known" if all(fold["test"] <= fold["train"] for fold in roles) else "partly"


def _curve(unit: Unit, folder: Path) -> Curve:
    from offline.unit import HISTORY, read_facts

    lines = (folder / HISTORY).read_text(encoding="utf-8").splitlines()
    epochs: list[dict[str, Any]] = [json.loads(line) for line in lines if line]
    return Curve(
        fold=unit.fold,
        seed=unit.seed,
        train_nll=tuple(epoch["train_nll"] for epoch in epochs),
        validation_nll=tuple(epoch["validation_nll"] for epoch in epochs),
        chosen=read_facts(folder).epoch if epochs else 0,
    )
