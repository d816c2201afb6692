"""A finished unit answers for another data set, as it is: nothing is fitted."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offline.datasets import AnySettings
from offline.datasets.contract import Dataset, Label
from offline.errors import DataError, LeakError
from offline.extraction import labels_of
from offline.predictions import Predictions
from offline.report.gather import design_of
from offline.report.study import Study, Variant
from offline.runs.folder import unit_folder, verify
from offline.runs.record import choose_unit, read_record, read_run_split
from offline.sequences import make_sequences
from offline.table import read_table
from offline.training import predict
from offline.unit import predictions_of, read_facts, read_network


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transfer:
    """What a unit said of another data set.

    Parameters
    ----------
    said : mapping of str to Predictions
        By target.
    study : Study
        The same, as results are shown; stamped if the unit is leaky.
    remarks : tuple of str
        Who was left out, and which targets differ, a sentence each.
    """

    said: Mapping[str, Predictions]
    study: Study
    remarks: tuple[str, ...]


def transfer(
    run: Path,
    on: AnySettings,
    *,
    cache: Path | None = None,
    fold: str | None = None,
    seed: int | None = None,
    n_workers: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> Transfer:
    """Answer for a data set with a unit's weights, scales, temperatures and windows.

    Parameters
    ----------
    run : Path
        Folder of the run.
    on : AnySettings
        The data set.
    cache : Path, optional
        Folder of features; ``features`` beside the run by default.
    fold : str, optional
        Whose weights; may be left out where there is one.
    seed : int, optional
        Of the recipe's seeds; the first one by default.
    n_workers : int
        Processes that read subjects side by side.
    report : callable
        Told how many subjects are read, of how many.

    Raises
    ------
    RunError
        The unit is not there, not done, or was changed.
    LeakError
        Everybody in the data set trained the unit or chose its epoch.
    DataError
        The data set asks nothing that the unit answers, or cannot be read.
    """
    run = run.absolute()
    record = read_record(run)
    recipe, split = record.recipe(), read_run_split(run, record)
    unit = choose_unit(record, split, fold=fold, seed=seed)
    folder = unit_folder(run.parent, unit)
    verify(folder)
    facts = read_facts(folder)
    own, other = recipe.dataset.open(), on.open()
    learned = labels_of(recipe, own)
    targets, remarks = shared_targets(learned, other.labels)
    subjects = newcomers(
        other, own, known={*facts.subjects["train"], *facts.subjects["validation"]}
    )
    left_out = [name for name in other.subjects if name not in subjects]
    if left_out:
        remarks += (
            "Left out, because the unit was trained or its epoch chosen on them: "
            f"{', '.join(left_out)}.",
        )
    if own.about.simulated and not other.about.simulated:
        remarks += ("The unit was trained on simulated people.",)
    asked = recipe.model_copy(update={"dataset": on, "subjects": subjects, "targets": targets})
    table = read_table(asked, cache or run.parent / "features", n_workers=n_workers, report=report)
    data = make_sequences(
        table,
        np.arange(len(table.window)),
        t_min=recipe.sequences.t_min,
        t_max=recipe.sequences.t_max,
        labelled=False,
    )
    if not len(data):
        msg = (
            f"A trial must have {recipe.sequences.t_min} windows of {recipe.windows.window_s:g} s "
            "in a row, because the unit answers from no fewer; none of the data set has."
        )
        raise DataError(msg)
    logits = predict(read_network(recipe, learned, folder), data)
    said = predictions_of(
        {name: logits[name] for name in targets}, data, facts.temperatures, facts.fold
    )
    answered = Variant(
        name=recipe.name,
        run_id=record.id,
        answers={"validation": {name: (one,) for name, one in said.items()}},
        train_priors={name: {facts.fold: facts.priors[name]} for name in targets},
        recipe=record.settings,
        lacks=table.lacks,
    )
    study = Study(
        name=f"{recipe.name} (fold {facts.fold}, seed {facts.seed})",
        about=other.about,
        labels=table.labels,
        design=design_of(recipe, split),
        recipe=record.settings,
        versions=record.sessions[-1].versions,
        variants=(answered,),
    )
    return Transfer(said=said, study=study, remarks=remarks)


def newcomers(other: Dataset, own: Dataset, *, known: Collection[str]) -> tuple[str, ...]:
    """Return who of another data set is new to a unit.

    Nobody is new whose recordings are those of a known one, nor who is called like one in the same
    data set. A data set stays the same, by title and reference, when it is converted, or read with
    other settings.

    Parameters
    ----------
    other : Dataset
        Who is to be answered for.
    own : Dataset
        The unit's.
    known : collection of str
        Subjects of `own` that trained the unit or chose its epoch.

    Raises
    ------
    LeakError
        Nobody is.
    """
    one, its = own.about, other.about
    names = set(known) if (one.title, one.reference) == (its.title, its.reference) else set()
    new = [name for name in other.subjects if name not in names]
    if new and one.kind == its.kind:  # digests of different readers are never alike
        prints = {own.fingerprint(name) for name in known}
        new = [name for name in new if other.fingerprint(name) not in prints]
    if not new:
        msg = (
            f"Somebody in {its.title} must be new to the unit, but everybody trained it or chose "
            "its epoch. Take other people, or a fold that left some out; data sets that only share "
            "names of subjects need different titles."
        )
        raise LeakError(msg)
    return tuple(new)


def shared_targets(
    learned: Mapping[str, Label], asked: Mapping[str, Label]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the targets that a unit learned and a data set asks, and remarks on them.

    Parameters
    ----------
    learned : mapping of str to Label
        Of the unit, by target.
    asked : mapping of str to Label
        Of the data set.

    Raises
    ------
    DataError
        There is none, or one has other classes.
    """
    shared = tuple(name for name in learned if name in asked)
    if not shared:
        msg = (
            f"The data set must ask one of {', '.join(learned)}, which the unit learned; it asks "
            f"{', '.join(asked)}."
        )
        raise DataError(msg)
    remarks = []
    for name in learned:
        if name not in shared:
            remarks.append(f"Not counted: {name}, which the data set does not ask.")
            continue
        mine, its = learned[name], asked[name]
        if mine.classes != its.classes:
            msg = (
                f"{name} must have the classes that the unit learned, {', '.join(mine.classes)}; "
                f"the data set has {', '.join(its.classes)}. Declare its labels alike, where its "
                "kind lets you."
            )
            raise DataError(msg)
        if mine.edges != its.edges:
            remarks.append(
                f"{name} is on another scale: {_shown(its)} here, and {_shown(mine)} where the "
                "unit learned it."
            )
    return shared, tuple(remarks)


def _shown(label: Label) -> str:
    edges = ", ".join(f"{edge:g}" for edge in label.edges)
    return f"classes end at {edges}" if edges else "categories"
