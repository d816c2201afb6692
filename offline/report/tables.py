"""The tables of a report, each beside what must be known to read it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from offline.metrics.answers import TRIAL_RULE
from offline.metrics.evaluation import Evaluation, Level
from offline.plurals import counted
from offline.report.course import course_in_words
from offline.report.differences import differences_in_words
from offline.report.numbers import HEADLINE, Answer, Change, Numbers, least_p
from offline.report.study import CHECKPOINTS, Study
from offline.report.words import (
    TRIVIAL,
    below_chance_in_words,
    counts_in_words,
    few_in_words,
    scores_in_words,
    table,
)
from rtaffect.manifest import Metric

_PROBABILITY = {
    "nll": "negative log likelihood",
    "prior_nll": "that of the training set's shares",
    "ece": "calibration error (ECE)",
    "correlation": "correlation with the rating, within subjects",
}


def answers_in_tables(study: Study, numbers: Numbers) -> Iterator[str]:
    """Yield the scores of every target, per trial and per window, beside who knows nothing."""
    yield "## What came of it"
    yield (
        "Tables per trial and per window are **pooled**: the rows of all subjects and folds lie in "
        "one heap, each counted once, and a subject with more of them weighs more (with several "
        "seeds: the mean over seeds). Under *What each change is worth* and in the figure of every "
        "subject each subject is counted by itself first, and then all alike: **means over "
        "subjects**, which may differ a little from the pooled numbers."
    )
    yield (
        "95 % intervals in brackets are bootstraps over subjects. p: how often balanced accuracy "
        "is as high after shuffling labels over the trials of each subject, or, where labels "
        "change within a trial, after shifting them in time. Rows in italics know "
        "nothing of the signals; a model that does not beat them has learned nothing. A trial is "
        f"answered by the {TRIAL_RULE}. Windows of one trial are not independent: numbers per "
        "window are for comparison with papers that give them, those per trial are the result."
    )
    if study.design.level == "window" and "trial" not in study.design.disjoint:
        yield (
            "Windows were shared out, so that no fold tests a whole trial: per trial means per "
            "trial **and fold**, of the windows that the fold tested."
        )
    for target in study.labels:
        answers = numbers.of(target)
        is_course = any(answer.chosen.is_course for answer in answers)
        for per in ("window",) if is_course else ("trial", "window"):
            yield f"### {target.capitalize()}, per {per}"
            levels = [_level(answer, per) for answer in answers]
            yield _score_table(answers, levels, per=per, stamps=study.stamps)
            yield _under(answers, levels[0], per=per)
        if said := [f"- {line}" for line in course_in_words(answers)]:
            yield "It changes within a trial, so that what counts are windows."
            yield "\n".join(said)
        yield f"### {target.capitalize()}: what the probabilities are worth, per window"
        yield _probability_table(answers, stamps=study.stamps)


def _level(answer: Answer, per: str) -> Level:
    return answer.chosen.per_trial if per == "trial" else answer.chosen.per_window


def _score_table(
    answers: Sequence[Answer], levels: Sequence[Level], *, per: str, stamps: Sequence[str]
) -> str:
    classes = answers[0].chosen.classes
    shown = scores_in_words(classes)
    rows = [
        [f"**{answer.variant}**", *_cells(level.scores, shown), _p(_chance(answer, level))]
        for answer, level in zip(answers, levels, strict=True)
    ]
    rows += [
        [f"*{TRIVIAL[name].format(high=classes[-1])}*", *_cells(scores, shown), ""]
        for name, scores in levels[0].trivial.items()
    ]
    return table([f"per {per}", *shown.values(), "p"], rows, stamps=stamps)


def _chance(answer: Answer, level: Level) -> float:
    """Return how often chance does as well: with shifted labels, where they are a course."""
    shifted = answer.chosen.shifted.get(HEADLINE)
    return level.p[HEADLINE] if shifted is None else shifted.p


def _under(answers: Sequence[Answer], first: Level, *, per: str) -> str:
    """Return of how many a table is, and how far its intervals can be trusted."""
    one = answers[0]
    n_rows = (
        counts_in_words(n_rows=first.n, n_trials=one.n_trials)
        if per == "trial"
        else counted(first.n, "window")
    )
    share = first.scores["prevalence"].value
    said = [
        f"Pooled over {counted(one.chosen.n_subjects, 'subject')}, {n_rows}; "
        f"{share:.1%} are {one.chosen.classes[-1]!r}."
    ]
    fewer = [
        f"{answer.variant} over {counted(answer.chosen.n_subjects, 'subject')}"
        for answer in answers
        if answer.chosen.n_subjects != one.chosen.n_subjects
    ]
    if fewer:
        said.append(
            f"That is {one.variant}, and the rows in italics; but {', '.join(fewer)}: such rows "
            "cannot be compared, only the paired differences below can."
        )
    if why := below_chance_in_words(answer.chosen for answer in answers):
        said.append(why)
    if few := few_in_words(answer.chosen.n_subjects for answer in answers):
        said.append(f"**{few}**")
    return " ".join(said)


def _probability_table(answers: Sequence[Answer], *, stamps: Sequence[str]) -> str:
    rows = [
        [answer.variant, *_cells(answer.chosen.per_window.scores, _PROBABILITY)]
        for answer in answers
    ]
    return table(["", *_PROBABILITY.values()], rows, stamps=stamps)


def _cells(scores: Mapping[str, Metric], names: Iterable[str]) -> list[str]:
    return [_with_interval(scores[name]) if name in scores else "not defined" for name in names]


def epochs_in_tables(study: Study, numbers: Numbers) -> Iterator[str]:
    """Yield what other epochs than the chosen one would have answered; not of solved models."""
    variants = [variant for variant in study.variants if not variant.is_solved]
    if not variants:
        return
    yield "## Which epoch answered"
    checkpoints = [c for c in CHECKPOINTS if any(c in v.answers for v in variants)]
    third = _third(numbers)
    words = " and ".join(
        dict.fromkeys(scores_in_words(answer.chosen.classes)[third] for answer in numbers.answers)
    )
    rows_are = ", per window where labels change within a trial" * _has_course(numbers)
    note = f"Balanced accuracy / accuracy / {words}, per trial{rows_are}, pooled. "
    if "best_test" in checkpoints:
        note += (
            f"**{CHECKPOINTS['best_test']}** is what some papers report: the test set chose it, so "
            "that it is no result; the difference from the first column is what choosing earns."
        )
    else:
        note += "A last epoch far from the one that validation chose speaks of overfitting."
    if solved := [variant.name for variant in study.variants if variant.is_solved]:
        note += f" Without epochs, and so not here: {', '.join(solved)}."
    yield note
    header = ["", *(f"{t}: {CHECKPOINTS[c]}" for t in study.labels for c in checkpoints)]
    by_place = {(a.variant, a.target): a.by_checkpoint for a in numbers.answers}
    rows = [
        [
            variant.name,
            *(
                _triple(by_place.get((variant.name, target), {}).get(checkpoint), third)
                for target in study.labels
                for checkpoint in checkpoints
            ),
        ]
        for variant in variants
    ]
    yield table(header, rows, stamps=study.stamps)


def changes_in_tables(study: Study, changes: Sequence[Change]) -> Iterator[str]:
    """Yield what each variant is worth beside the first; nothing if there is only one."""
    if not changes:
        return
    yield "## What each change is worth"
    yield (
        f"Each variant minus {study.variants[0].name!r} in balanced accuracy, per trial, or per "
        "window where labels change within a trial, over the subjects that both answered for. "
        "Each subject's own balanced accuracy is taken first "
        "(over the classes that the subject has), then the mean over subjects, all alike: these "
        "means need not be the pooled numbers above. Intervals are bootstraps over subjects. p: "
        "signs tossed by subject, two-sided, each comparison by itself."
    )
    first = study.variants[0].name
    rows = [
        [
            change.variant,
            change.target,
            f"{change.mean:.3f}",
            f"{change.first_mean:.3f}",
            _with_interval(change.difference.value, sign="+"),
            _p(change.difference.p),
            str(len(change.difference.by_subject)),
        ]
        for change in changes
    ]
    header = ["variant", "target", "mean", f"mean of {first!r}", "difference", "p", "subjects"]
    yield table(header, rows, stamps=study.stamps)
    by_episode = [
        f"- {target.capitalize()}: {line}"
        for target in study.labels
        for line in differences_in_words(study, target)
    ]
    if by_episode:
        yield "\n".join(["Over episodes of the stimuli as well:", "", *by_episode])
    fewest = min(len(change.difference.by_subject) for change in changes)
    if few := few_in_words([fewest]):
        yield f"**{few}**"
    if (least := least_p(fewest)) > 0.05:
        yield (
            f"Over {counted(fewest, 'subject')} p cannot fall below {least:.3g}, whatever was "
            "found."
        )


def _with_interval(metric: Metric, *, sign: str = "") -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return f"{metric.value:{sign}.3f}"
    return f"{metric.value:{sign}.3f} [{metric.ci_low:{sign}.3f}, {metric.ci_high:{sign}.3f}]"


def _third(numbers: Numbers) -> str:
    """Return the score beside both accuracies: of two classes that of the high one."""
    return "f1_high" if all(len(a.chosen.classes) == 2 for a in numbers.answers) else "macro_f1"


def _has_course(numbers: Numbers) -> bool:
    return any(answer.chosen.is_course for answer in numbers.answers)


def _triple(evaluation: Evaluation | None, third: str) -> str:
    if evaluation is None:
        return ""
    names = (HEADLINE, "accuracy", third)
    return " / ".join(f"{evaluation.reported.scores[name].value:.3f}" for name in names)


def _p(p: float) -> str:
    return f"{p:.4f}" if p < 0.01 else f"{p:.3f}"
