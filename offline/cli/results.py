"""Results on a terminal: every number beside those of whoever knows nothing."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from offline.cli.plans import longest_word

if TYPE_CHECKING:
    from offline.metrics.evaluation import Level
    from offline.report.numbers import Answer, Numbers
    from offline.report.study import Study
    from rtaffect.manifest import Metric

_SCORES = ("balanced_accuracy", "accuracy", "macro_f1", "f1_high")
_LEGEND = (
    "{mark}: knows nothing of the signals. Below a score: 95 % interval over subjects. p: as good "
    "with shuffled labels, or with labels shifted in time where they change within a trial."
)


def print_results(
    paths: Sequence[Path],
    console: Console,
    *,
    levels: Sequence[str] = ("trial",),
    out: Path | None = None,
) -> None:
    """Show what finished runs are worth.

    Parameters
    ----------
    paths : sequence of Path
        See `offline.report.gather.gather`.
    console : Console
        Where.
    levels : sequence of {"trial", "window"}
        What is counted.
    out : Path, optional
        A JSON file for every number.

    Raises
    ------
    RunError
        There is nothing to show.
    """
    from offline.report.gather import gather

    print_studies(gather(paths, cache=None), console, levels=levels, out=out)


def print_studies(
    studies: "Sequence[Study]",
    console: Console,
    *,
    levels: Sequence[str] = ("trial",),
    out: Path | None = None,
) -> None:
    """Show what was said in some studies; the parameters are those of `print_results`."""
    from offline.report.numbers import count

    counted = [(study, count(study)) for study in studies]
    for study, numbers in counted:
        _print_study(study, numbers, console, levels)
    if out is not None:
        records = [_record(study, numbers) for study, numbers in counted]
        out.write_text(json.dumps({"studies": records}, indent=1), encoding="utf-8")
        console.print(f"Every number: {out}", markup=False, highlight=False)


def _print_study(
    study: "Study", numbers: "Numbers", console: Console, levels: Sequence[str]
) -> None:
    from offline.report.course import course_in_words
    from offline.report.differences import differences_in_words
    from offline.report.words import below_chance_in_words, few_in_words, missing_in_words

    console.print(f"\n[bold]{escape(study.name)}[/] on {escape(study.about.title)}")
    for stamp in study.stamps:
        console.print(stamp, style="bold red", markup=False, highlight=False)
    if study.n_missing:
        console.print(f"NOT FINISHED: {missing_in_words(study.n_missing)}.", style="bold red")
    has_italics = console.color_system is not None  # else styles are not written: a pipe, a file
    for target in study.labels:
        answers = numbers.of(target)
        is_course = any(answer.chosen.is_course for answer in answers)
        for per in ("window",) if is_course else levels:
            mark = "" if has_italics else "* "
            console.print(_table(target, per, answers, mark=mark))
        if why := below_chance_in_words(answer.chosen for answer in answers):
            console.print(why, markup=False, highlight=False)
        for line in course_in_words(answers):
            console.print(line, markup=False, highlight=False)
        for line in differences_in_words(study, target):
            console.print(line, markup=False, highlight=False)
    legend = _LEGEND.format(mark="Italic" if has_italics else "*")
    console.print(legend, markup=False, highlight=False)
    if few := few_in_words(answer.chosen.n_subjects for answer in numbers.answers):
        console.print(few, style="bold", markup=False, highlight=False)


def _table(target: str, per: str, answers: "Sequence[Answer]", *, mark: str) -> Table:
    from offline.plurals import counted
    from offline.report.words import TRIVIAL, counts_in_words, scores_in_words

    one, first = answers[0], _level(answers[0], per)
    high = one.chosen.classes[-1]
    known = scores_in_words(one.chosen.classes)
    shown = {name: known[name] for name in _SCORES if name in known}
    n_rows = (
        counts_in_words(n_rows=first.n, n_trials=one.n_trials)
        if per == "trial"
        else counted(first.n, "window")
    )
    table = Table(
        title=f"{escape(target)}, per {per}: {counted(one.chosen.n_subjects, 'subject')}, "
        f"{n_rows}; {first.scores['prevalence'].value:.1%} are {escape(repr(high))}",
        title_justify="left",
    )
    trivial = {name: mark + TRIVIAL[name].format(high=high) for name in first.trivial}
    names = [*(answer.variant for answer in answers), *trivial.values()]
    table.add_column("", min_width=longest_word(names))
    for words in shown.values():
        table.add_column(escape(words), justify="right")
    table.add_column("p", justify="right")
    for answer in answers:
        level = _level(answer, per)
        shifted = answer.chosen.shifted.get("balanced_accuracy")
        p = f"{level.p['balanced_accuracy'] if shifted is None else shifted.p:.3f}"
        n_subjects = answer.chosen.n_subjects
        of = "" if n_subjects == one.chosen.n_subjects else f" ({counted(n_subjects, 'subject')})"
        table.add_row(escape(answer.variant) + of, *_cells(level.scores, shown), p, style="bold")
    for name, scores in first.trivial.items():
        table.add_row(escape(trivial[name]), *_cells(scores, shown), "", style="italic")
    return table


def _level(answer: "Answer", per: str) -> "Level":
    return answer.chosen.per_trial if per == "trial" else answer.chosen.per_window


def _cells(scores: "Mapping[str, Metric]", shown: "Iterable[str]") -> list[str]:
    return [_cell(scores[name]) if name in scores else "not defined" for name in shown]


def _cell(metric: "Metric") -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f}\n{metric.ci_low:.3f}-{metric.ci_high:.3f}"


def _record(study: "Study", numbers: "Numbers") -> dict[str, object]:
    return {
        "name": study.name,
        "stamps": list(study.stamps),
        "n_missing": study.n_missing,
        "answers": [
            {
                "variant": answer.variant,
                "target": answer.target,
                "by_checkpoint": {
                    checkpoint: evaluation.model_dump(mode="json")
                    for checkpoint, evaluation in answer.by_checkpoint.items()
                },
            }
            for answer in numbers.answers
        ],
    }
