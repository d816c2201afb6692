"""All numbers of a report, computed once for its tables, its figures and its JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from scipy.stats import binomtest

from offline.metrics.evaluation import Evaluation, SubjectRow, evaluate
from offline.metrics.intervals import Difference, paired_difference
from offline.report.study import Checkpoint, Study, Variant

_SEED = 0
"""Of bootstraps and permutations: the same runs give the same report."""

HEADLINE = "balanced_accuracy"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """One variant's answers to one target, counted.

    Parameters
    ----------
    variant, target : str
        Which.
    by_checkpoint : mapping of str to Evaluation
        By whose weights answered.
    n_trials : int
        Different trials; a trial that was tested in several folds is several rows of
        ``Evaluation.per_trial``.
    """

    variant: str
    target: str
    by_checkpoint: Mapping[Checkpoint, Evaluation]
    n_trials: int

    @property
    def chosen(self) -> Evaluation:
        """Of the epoch that validation chose: what the report speaks of."""
        return self.by_checkpoint["validation"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """A variant minus the first one, in balanced accuracy as reported, over the same subjects.

    Parameters
    ----------
    variant, target : str
        Which.
    mean, first_mean : float
        Over these subjects' own balanced accuracies, of the variant and of the first one. Each
        subject counts alike, which it does not where all trials are pooled.
    difference : Difference
        Of the two.
    """

    variant: str
    target: str
    mean: float
    first_mean: float
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    """Everything that was counted.

    Parameters
    ----------
    answers : tuple of Answer
        By target, then in the order of the variants.
    changes : tuple of Change
        What each variant is worth beside the first.
    """

    answers: tuple[Answer, ...]
    changes: tuple[Change, ...]

    def of(self, target: str) -> tuple[Answer, ...]:
        """Return what the variants that answer a target said of it, in order."""
        return tuple(answer for answer in self.answers if answer.target == target)


def count(study: Study) -> Numbers:
    """Count everything that a report says.

    Parameters
    ----------
    study : Study
        Answers of all variants.
    """
    answers = tuple(
        _answer(variant, target)
        for target in study.labels
        for variant in study.variants
        if target in variant.answers["validation"]
    )
    first = study.variants[0].name
    changes = []
    for target in study.labels:
        some = [answer for answer in answers if answer.target == target]
        reference = next((answer for answer in some if answer.variant == first), None)
        if reference is not None:
            changes += [c for answer in some if (c := _change(answer, reference)) is not None]
    return Numbers(answers=answers, changes=tuple(changes))


def wilson(row: SubjectRow) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a subject's accuracy over its rows [1]_.

    References
    ----------
    .. [1] Wilson 1927, J. Am. Stat. Assoc. 22(158), doi:10.1080/01621459.1927.10502953
    """
    hits = round(row.scores["accuracy"] * row.n)
    low, high = binomtest(hits, row.n).proportion_ci(method="wilson")
    return float(low), float(high)


def hop_s(recipe: Mapping[str, Any]) -> float | None:
    """Return the distance of tested windows in seconds; None where the recipe is not known."""
    windows = recipe.get("windows", {})
    found = windows.get("train_hop_s") or windows.get("tr_s", 0) * windows.get("every", 1)
    return float(found) or None


def least_p(n_subjects: int) -> float:
    """Return the smallest p that tossing signs, two-sided, can give for so many subjects."""
    return min(1.0, 2.0 ** (1 - n_subjects))


def _answer(variant: Variant, target: str) -> Answer:
    said = variant.answers["validation"][target][0]
    trials = zip(said.subject.tolist(), said.session.tolist(), said.trial.tolist(), strict=True)
    return Answer(
        variant=variant.name,
        target=target,
        n_trials=len(set(trials)),
        by_checkpoint={
            checkpoint: evaluate(
                by_target[target],
                train_prior=variant.train_priors[target],
                seed=_SEED,
                hop_s=hop_s(variant.recipe),
            )
            for checkpoint, by_target in variant.answers.items()
        },
    )


def _change(answer: Answer, reference: Answer) -> Change | None:
    """Return the difference over the subjects that both answered for; None if there is nobody."""
    one, other = (_by_subject(a.chosen) for a in (answer, reference))
    both = sorted(one.keys() & other.keys())
    if answer is reference or not both:
        return None
    difference = paired_difference(
        {name: one[name] for name in both}, {name: other[name] for name in both}, seed=_SEED
    )
    return Change(
        variant=answer.variant,
        target=answer.target,
        mean=fmean(one[name] for name in both),
        first_mean=fmean(other[name] for name in both),
        difference=difference,
    )


def _by_subject(evaluation: Evaluation) -> dict[str, float]:
    return {row.subject: row.scores[HEADLINE] for row in evaluation.reported.subjects}
