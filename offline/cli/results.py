"""Results on a terminal: every number beside those of whoever knows nothing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from offline.metrics.evaluation import Level
    from offline.report.numbers import Answer, Numbers
    from offline.report.study import Study
    from rtaffect.manifest import Metric

_SCORES = ("balanced_accuracy", "accuracy", "macro_f1", "f1_high")


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
    console.print(f"\n[bold]{escape(study.name)}[/] on {escape(study.about.title)}")
    for stamp in study.stamps:
        console.print(stamp, style="bold red", markup=False, highlight=False)
    if study.n_missing:
        console.print(f"NOT FINISHED: {study.n_missing} units are missing.", style="bold red")
    for target in study.labels:
        for per in levels:
            console.print(_table(target, per, numbers.of(target)))


def _table(target: str, per: str, answers: "Sequence[Answer]") -> Table:
    first = _level(answers[0], per)
    high = answers[0].chosen.classes[-1]
    prevalence = first.scores["prevalence"].value
    table = Table(
        title=f"{target}, per {per}: {answers[0].chosen.n_subjects} subjects, n = {first.n}, "
        f"{prevalence:.1%} are {high!r}",
        title_justify="left",
    )
    table.add_column("[95 % over subjects]")
    for score in _SCORES:
        table.add_column(score.replace("_", " "), justify="right")
    table.add_column("p", justify="right")
    for answer in answers:
        level = _level(answer, per)
        p = f"{level.p['balanced_accuracy']:.3f}" if "balanced_accuracy" in level.p else ""
        table.add_row(escape(answer.variant), *_cells(level.scores), p, style="bold")
    for name, scores in first.trivial.items():
        table.add_row(name.replace("_", " "), *_cells(scores), "", style="italic")
    return table


def _level(answer: "Answer", per: str) -> "Level":
    return answer.chosen.per_trial if per == "trial" else answer.chosen.per_window


def _cells(scores: "Mapping[str, Metric]") -> list[str]:
    return [_cell(scores[name]) if name in scores else "not defined" for name in _SCORES]


def _cell(metric: "Metric") -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} \\[{metric.ci_low:.3f}, {metric.ci_high:.3f}]"


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
