"""Figures of a study: a row a target, a column a variant."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from offline.metrics.calibration import N_BINS
from offline.plurals import counted, ranged
from offline.report.drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SEQUENTIAL,
    VERMILION,
    Drawing,
    new_panels,
)
from offline.report.numbers import HEADLINE, Answer, Numbers, wilson
from offline.report.study import Curve, Study
from offline.report.words import counts_in_words, few_in_words
from rtaffect.manifest import Metric

N_COLUMNS = 4
"""Variants side by side in one figure; more go into another."""


def draw_headline(study: Study, numbers: Numbers) -> Drawing:
    """Return balanced accuracy per trial of every variant, beside chance."""
    targets = list(study.labels)
    n = max(len(numbers.of(target)) for target in targets)
    figure, panels = new_panels(1, len(targets), width=4.2, height=0.9 + 0.34 * n)
    for axis, target in zip(panels[0], targets, strict=True):
        answers = numbers.of(target)
        _forest(
            axis,
            names=[answer.variant for answer in answers],
            metrics=[answer.chosen.reported.scores[HEADLINE] for answer in answers],
        )
        chance = 1.0 / len(study.labels[target].classes)
        axis.axvline(chance, color=VERMILION, linestyle="--", linewidth=1.2)
        axis.set_xlim(-0.03, 1.03)
        axis.set_title(f"{target} (dashed: chance, {chance:.2f})")
        axis.set_xlabel(f"balanced accuracy per {_row(numbers)}")
    first = numbers.answers[0].chosen
    trials = counts_in_words(n_rows=first.per_trial.n, n_trials=numbers.answers[0].n_trials)
    few = few_in_words(answer.chosen.n_subjects for answer in numbers.answers)
    return Drawing(
        name="headline",
        title="Balanced accuracy of every variant",
        caption=f"Balanced accuracy per {_row(numbers)}, pooled, with 95 % intervals (bootstrap "
        f"over {counted(first.n_subjects, 'subject')}); {trials}; weights of the epoch that was "
        f"best on validation. An interval that holds the dashed line shows nothing. {few}".rstrip(),
        figure=figure,
    )


def _row(numbers: Numbers) -> str:
    """Return what is counted: windows where a label changes within trials."""
    return "window" if any(answer.chosen.is_course for answer in numbers.answers) else "trial"


def draw_subjects(study: Study, numbers: Numbers) -> Iterator[Drawing]:
    """Yield accuracy of every subject, with intervals."""
    n_subjects = max(answer.chosen.n_subjects for answer in numbers.answers)
    drawn = _grids(study, numbers, _subjects, width=3.0, height=1.0 + 0.15 * n_subjects)
    for part, (names, figure) in enumerate(drawn, start=1):
        yield Drawing(
            name=_numbered("subjects", part),
            title=_titled("Every subject", names),
            caption=f"Accuracy per {_row(numbers)} of each subject when tested, sorted, with "
            f"Wilson's 95 % interval over that subject's {_row(numbers)}s; the blue line is the "
            f"mean over the (up to {n_subjects}) subjects, who count alike. Red ticks: what always "
            "answering the class that is more frequent in training would give.",
            figure=figure,
        )


def draw_confusions(study: Study, numbers: Numbers) -> Iterator[Drawing]:
    """Yield confusion matrices per trial."""
    again = ""
    if any(answer.chosen.per_trial.n > answer.n_trials for answer in numbers.answers):
        again = " A trial counts once for each fold that tested it."
    drawn = _grids(study, numbers, _confusion, width=2.5, height=2.3)
    for part, (names, figure) in enumerate(drawn, start=1):
        yield Drawing(
            name=_numbered("confusions", part),
            title=_titled("Confusion matrices", names),
            caption=f"{_row(numbers).capitalize()}s by true class (rows) and answered class "
            "(columns), all subjects and "
            "folds pooled; colours and percentages are shares of the true class, below them the "
            f"number of {_row(numbers)}s (the mean over seeds).{again}",
            figure=figure,
        )


def draw_calibration(study: Study, numbers: Numbers) -> Iterator[Drawing]:
    """Yield reliability diagrams."""
    drawn = _grids(study, numbers, _reliability, width=2.6, height=2.5)
    for part, (names, figure) in enumerate(drawn, start=1):
        yield Drawing(
            name=_numbered("calibration", part),
            title=_titled("Calibration, per window", names),
            caption="Reliability of the answered probabilities per window: accuracy against the "
            f"probability of the answered class, in {N_BINS} bins of equal width; a point's area "
            "grows with its share of the windows. On the dashed line a 70 % is right 70 % of the "
            "time. ECE: the mean distance from it. The temperature was fitted on validation, never "
            "on test.",
            figure=figure,
        )


def draw_curves(study: Study) -> Iterator[Drawing]:
    """Yield learning curves; none for models that are solved at once."""
    learned = [variant for variant in study.variants if any(c.train_nll for c in variant.curves)]
    for part, i in enumerate(range(0, len(learned), N_COLUMNS), start=1):
        some = learned[i : i + N_COLUMNS]
        figure, panels = new_panels(1, len(some), width=3.0, height=2.7)
        for axis, variant in zip(panels[0], some, strict=True):
            _learning(axis, variant.curves)
            axis.set_title(f"{variant.name} ({counted(len(variant.curves), 'unit')})")
        panels[0][0].legend(loc="best")
        n_units = max(len(variant.curves) for variant in some)
        names = [variant.name for variant in some] if len(some) < len(learned) else []
        yield Drawing(
            name=_numbered("learning", part),
            title=_titled("Learning curves", names),
            caption="Mean negative log likelihood (nats, mean over targets) by epoch: thin lines "
            f"are folds and seeds (up to {n_units}), thick ones their median over the units that "
            "still train. Ticks at the bottom: the epoch that validation chose in each unit. "
            "Training loss is measured while weights move and with dropout.",
            figure=figure,
        )


def draw_differences(study: Study, numbers: Numbers) -> Iterator[Drawing]:
    """Yield paired differences from the first variant; none if there is only one variant."""
    if not numbers.changes:
        return
    changes = numbers.changes
    targets = [target for target in study.labels if any(c.target == target for c in changes)]
    n = len({change.variant for change in changes})
    figure, panels = new_panels(1, len(targets), width=4.2, height=0.9 + 0.34 * n)
    for axis, target in zip(panels[0], targets, strict=True):
        some = [change for change in changes if change.target == target]
        _forest(
            axis,
            names=[f"{change.variant}  (p = {change.difference.p:.3f})" for change in some],
            metrics=[change.difference.value for change in some],
        )
        axis.axvline(0.0, color=VERMILION, linestyle="--", linewidth=1.2)
        axis.set_title(target)
        axis.set_xlabel(f"difference in balanced accuracy\nfrom {study.variants[0].name!r}")
    n_subjects = [len(change.difference.by_subject) for change in changes]
    few = few_in_words(n_subjects)
    yield Drawing(
        name="differences",
        title="What each change is worth",
        caption="Difference in balanced accuracy per trial from the first variant: the mean over "
        f"the {ranged(min(n_subjects), max(n_subjects), 'subject')} that both answered for, who "
        "count alike, with 95 % intervals (bootstrap over subjects) and p (signs tossed by "
        f"subject, two-sided). Left of the dashed line the change costs. {few}".rstrip(),
        figure=figure,
    )


def _grids(
    study: Study,
    numbers: Numbers,
    draw: Callable[[Axes, Answer], None],
    *,
    width: float,
    height: float,
) -> Iterator[tuple[Sequence[str], Figure]]:
    """Yield names of some variants, and their figure: a row a target, a column a variant."""
    by_place = {(answer.variant, answer.target): answer for answer in numbers.answers}
    names = [variant.name for variant in study.variants]
    targets = list(study.labels)
    for i in range(0, len(names), N_COLUMNS):
        some = names[i : i + N_COLUMNS]
        figure, panels = new_panels(len(targets), len(some), width=width, height=height)
        for row, target in zip(panels, targets, strict=True):
            for axis, name in zip(row, some, strict=True):
                if (name, target) in by_place:
                    draw(axis, by_place[name, target])
                else:
                    axis.set_axis_off()
                    axis.text(0.5, 0.5, f"{name}\ndoes not answer {target}", ha="center")
        yield some if len(some) < len(names) else (), figure


def _numbered(name: str, part: int) -> str:
    return name if part == 1 else f"{name}_{part}"


def _titled(title: str, names: Sequence[str]) -> str:
    """Return a title that names the variants of one of several figures."""
    return f"{title} ({', '.join(names)})" if names else title


def _forest(axis: Axes, *, names: Sequence[str], metrics: Sequence[Metric]) -> None:
    """Draw a dot and its interval a row, the first on top."""
    rows = np.arange(len(names))
    for row, metric in zip(rows, metrics, strict=True):
        if metric.ci_low is not None and metric.ci_high is not None:
            axis.hlines(row, metric.ci_low, metric.ci_high, color=BLACK, linewidth=1.2)
    axis.plot([metric.value for metric in metrics], rows, "o", color=BLUE, markersize=4.5)
    axis.set_yticks(rows, labels=list(names))
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")


def _subjects(axis: Axes, answer: Answer) -> None:
    people = sorted(
        answer.chosen.reported.subjects, key=lambda one: one.scores["accuracy"], reverse=True
    )
    accuracies = [one.scores["accuracy"] for one in people]
    intervals = [wilson(one) for one in people]
    _forest(
        axis,
        names=[one.subject for one in people],
        metrics=[
            Metric(value=value, ci_low=low, ci_high=high)
            for value, (low, high) in zip(accuracies, intervals, strict=True)
        ],
    )
    axis.tick_params(axis="y", labelsize=6.5)
    trivial = [one.trivial["majority"] for one in people]
    axis.plot(
        trivial, np.arange(len(people)), "|", color=VERMILION, markersize=6, markeredgewidth=1.8
    )
    mean = float(np.mean(accuracies))
    axis.axvline(mean, color=BLUE, linewidth=1.0, alpha=0.6)
    axis.set_xlim(-0.03, 1.03)
    axis.set_title(f"{answer.variant}: {answer.target}\nmean {mean:.3f}")
    axis.set_xlabel("accuracy per trial")


def _confusion(axis: Axes, answer: Answer) -> None:
    counts = np.array(answer.chosen.reported.confusion)
    classes = answer.chosen.classes
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap=SEQUENTIAL, vmin=0.0, vmax=1.0)
    axis.grid(visible=False)
    ticks = np.arange(len(classes))
    axis.set_xticks(ticks, labels=classes)
    axis.set_yticks(ticks, labels=classes)
    axis.set_xlabel("answered")
    axis.set_ylabel("true")
    axis.set_title(f"{answer.variant}: {answer.target}")
    for true, said in np.ndindex(counts.shape):
        axis.text(
            said,
            true,
            f"{shares[true, said]:.0%}\n{counts[true, said]:g}",
            ha="center",
            va="center",
            fontsize=8.0 if len(ticks) <= 3 else 5.5,
            color=BLACK if shares[true, said] > 0.6 else "white",
        )


def _reliability(axis: Axes, answer: Answer) -> None:
    level = answer.chosen.per_window
    lowest = 1.0 / len(answer.chosen.classes)
    axis.plot([lowest, 1.0], [lowest, 1.0], color=GREY, linestyle="--", linewidth=1.0)
    bins = [one for one in level.reliability if one.n]
    n = np.array([one.n for one in bins], dtype=np.float64)
    confidence = [one.confidence for one in bins]
    accuracy = [one.accuracy for one in bins]
    axis.plot(confidence, accuracy, color=BLUE, linewidth=1.0)
    axis.scatter(confidence, accuracy, s=6.0 + 160.0 * n / max(n.sum(), 1.0), color=BLUE, zorder=3)
    axis.set_xlim(lowest - 0.02, 1.02)
    axis.set_ylim(0.0, 1.02)
    axis.set_xlabel("answered probability")
    axis.set_ylabel("accuracy")
    axis.set_title(f"{answer.variant}: {answer.target}\nECE {level.scores['ece'].value:.3f}")


def _learning(axis: Axes, curves: Sequence[Curve]) -> None:
    for label, colour, column in (
        ("train", GREEN, "train_nll"),
        ("validation", ORANGE, "validation_nll"),
    ):
        lines = [np.array(getattr(curve, column)) for curve in curves if getattr(curve, column)]
        if not lines:
            continue
        for line in lines:
            axis.plot(np.arange(1, len(line) + 1), line, color=colour, linewidth=0.5, alpha=0.35)
        longest = max(len(line) for line in lines)
        median = [np.median([line[i] for line in lines if i < len(line)]) for i in range(longest)]
        axis.plot(np.arange(1, longest + 1), median, color=colour, linewidth=2.0, label=label)
    chosen = [curve.chosen for curve in curves if curve.chosen]
    low, high = axis.get_ylim()
    axis.plot(chosen, [low] * len(chosen), "|", color=VERMILION, markersize=9, clip_on=False)
    axis.set_ylim(low, high)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("epoch")
    axis.set_ylabel("negative log likelihood")
