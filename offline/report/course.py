"""What is said of a course's numbers, wherever they are shown: shifted labels, and few episodes."""

from collections.abc import Iterator, Sequence

from offline.metrics.course import SHIFT_S, ShiftedNull
from offline.metrics.course_grid import WITHIN
from offline.plurals import counted
from offline.report.numbers import Answer
from rtaffect.manifest import Metric

_NAMES = {"balanced_accuracy": "balanced accuracy", WITHIN: "correlation r within trials"}


def course_in_words(answers: Sequence[Answer]) -> Iterator[str]:
    """Yield a sentence for each score of each variant; nothing where trials have one label.

    Parameters
    ----------
    answers : sequence of Answer
        Of one target.
    """
    for answer in answers:
        done = answer.chosen
        for name, null in done.shifted.items():
            metric = done.per_window.scores.get(name)
            if metric is None:
                continue
            whole = done.over_episodes.get(name)
            yield f"{answer.variant}: {_said(_NAMES[name], metric, whole)}; {_null(null)}."
    counts = sorted({a.chosen.n_episodes for a in answers if a.chosen.n_episodes})
    if counts:
        yield (
            f"The stimuli have {counted(counts[-1], 'episode')} with a label, the same for "
            "everybody. Another stimulus has others: believe the interval over subjects and "
            "episodes, and not the narrower one over subjects."
        )


def _said(name: str, metric: Metric, whole: Metric | None) -> str:
    words = f"{name} {metric.value:.3f}{_interval(metric, 'subjects')}"
    return words + (_interval(whole, "subjects and episodes") if whole is not None else "")


def _interval(metric: Metric, over: str) -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return ""
    return f" [{metric.ci_low:.3f}, {metric.ci_high:.3f} over {over}]"


def _null(null: ShiftedNull) -> str:
    return (
        f"labels shifted by more than {SHIFT_S:g} s ({counted(null.n_draws, 'draw')}) give "
        f"{null.mean:.3f}, sd {null.sd:.3f}, 95 % below {null.high:.3f}, p = {null.p:.3f}"
    )
