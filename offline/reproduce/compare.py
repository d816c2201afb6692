"""Our answers as a paper counts them: mean and standard deviation over folds, in percent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offline.metrics.answers import answers_of, by_trial
from offline.metrics.scores import class_scores, confusions, trivial_answers
from offline.predictions import Predictions
from offline.report.study import Checkpoint, Study, Variant
from offline.reproduce.paper import Paper, Per, Row

MEASURES = {"accuracy": "accuracy", "f1_high": "F1 of the last class"}
HONEST_MEASURES = {"balanced_accuracy": "balanced accuracy"}

ALWAYS_HIGH = "always_high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and standard deviation over folds and seeds, in percent."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """One variant's answers to one target.

    Parameters
    ----------
    scores, always_high : mapping of str to Spread
        By measure: the model's, and of who says the last class every time.
    checkpoint : {"validation", "last", "best_test"}
        Whose weights answered.
    n_folds, n_subjects : int
        Folds and seeds together; tested subjects.
    """

    scores: Mapping[str, Spread]
    always_high: Mapping[str, Spread]
    checkpoint: Checkpoint
    n_folds: int
    n_subjects: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """One row of a paper beside ours.

    Parameters
    ----------
    row : Row
        As printed.
    by_paper, honest : mapping of str to Ours
        By target: by the paper's protocol, and by an honest one. Empty for what we do not have.
    """

    row: Row
    by_paper: Mapping[str, Ours]
    honest: Mapping[str, Ours]


def compare(
    paper: Paper, by_paper: Sequence[Study], honest: Sequence[Study]
) -> dict[str, list[Compared]]:
    """Put our runs beside a paper's rows.

    Parameters
    ----------
    paper : Paper
        Its tables.
    by_paper, honest : sequence of Study
        Of its two sweeps.

    Returns
    -------
    dict of str to list of Compared
        By the table's title.
    """
    return {
        table.title: [
            Compared(
                row=row,
                by_paper=_targets(row, by_paper, paper.per),
                honest=_targets(row, honest, paper.per),
            )
            for row in table.rows
        ]
        for table in paper.tables
    }


def measure(variant: Variant, target: str, *, checkpoint: Checkpoint, per: Per) -> Ours:
    """Return a variant's scores, fold by fold as papers do.

    Parameters
    ----------
    variant : Variant
        Answers.
    target : str
        Which.
    checkpoint : {"validation", "last", "best_test"}
        Whose weights.
    per : {"trial", "window"}
        What is counted.
    """
    priors = variant.train_priors[target]
    seeds = variant.answers[checkpoint][target]
    found, blind = [], []
    for said in seeds:
        for fold in np.unique(said.fold):
            model, high = _fold_scores(said.rows(said.fold == fold), priors, per)
            found.append(model)
            blind.append(high)
    return Ours(
        scores=_spread(found),
        always_high=_spread(blind),
        checkpoint=checkpoint,
        n_folds=len(found),
        n_subjects=len(np.unique(seeds[0].subject)),
    )


def _targets(row: Row, studies: Sequence[Study], per: Per) -> dict[str, Ours]:
    found = {}
    for target, name in row.variants.items():
        for study in studies:
            for variant in study.variants:
                if variant.name == name and target in variant.answers["validation"]:
                    chosen: Checkpoint = (
                        "best_test" if "best_test" in variant.answers else "validation"
                    )
                    found[target] = measure(variant, target, checkpoint=chosen, per=per)
    return found


def _fold_scores(
    said: Predictions, priors: Mapping[str, Sequence[float]], per: Per
) -> tuple[dict[str, float], dict[str, float]]:
    answers = answers_of([said], priors)
    if per == "trial":
        answers = by_trial(answers)
    always_high = trivial_answers(answers)[ALWAYS_HIGH]
    return tuple(  # type: ignore[return-value]
        _scores(confusions(answers, classes).sum(axis=0))
        for classes in (answers.log_p[0].argmax(axis=1), always_high)
    )


def _scores(confusion: npt.NDArray[np.float64]) -> dict[str, float]:
    return {name: float(value) for name, value in class_scores(confusion).items()}


def _spread(folds: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    return {
        name: Spread(
            mean=100.0 * float(np.mean([fold[name] for fold in folds])),
            std=100.0 * float(np.std([fold[name] for fold in folds])),
        )
        for name in folds[0]
    }
