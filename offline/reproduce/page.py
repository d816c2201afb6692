"""The comparison as Markdown and as JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from offline.report.study import CHECKPOINTS, Study
from offline.report.words import describe, table
from offline.reproduce.compare import Compared, Ours, Spread
from offline.reproduce.paper import F1_HIGH, Measure, Paper, Printed

_BALANCED = Measure(words="balanced accuracy", score="balanced_accuracy", printed="")

LEAKY = "LEAKY PROTOCOL: it reproduces a paper and is no evidence"


def write_comparison(
    paper: Paper,
    compared: Mapping[str, Sequence[Compared]],
    *,
    by_paper: Sequence[Study],
    honest: Sequence[Study],
    changes: Sequence[str],
    out: Path,
    more: Iterable[str] = (),
) -> Path:
    """Write ``comparison.md`` and ``comparison.json``.

    Parameters
    ----------
    paper : Paper
        What is compared with.
    compared : mapping of str to sequence of Compared
        Rows by the table's title.
    by_paper, honest : sequence of Study
        What the rows were counted from.
    changes : sequence of str
        What was changed in the recipes, ``"training.max_epochs=3"``.
    out : Path
        Folder; made if it is not there.
    more : iterable of str
        Sections after the tables.

    Returns
    -------
    Path
        ``out / "comparison.md"``.
    """
    out.mkdir(parents=True, exist_ok=True)
    record = {
        "paper": {"name": paper.name, "reference": paper.reference, "per": paper.per},
        "changes": list(changes),
        "tables": {
            title: [
                {
                    "method": one.row.method,
                    "note": one.row.note,
                    "printed": {k: asdict(v) for k, v in one.row.printed.items()},
                    "by_paper_LEAKY": {k: asdict(v) for k, v in one.by_paper.items()},
                    "honest": {k: asdict(v) for k, v in one.honest.items()},
                }
                for one in rows
            ]
            for title, rows in compared.items()
        },
    }
    (out / "comparison.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    sections = _sections(paper, compared, by_paper=by_paper, honest=honest, changes=changes)
    path = out / "comparison.md"
    path.write_text("\n\n".join([*sections, *more]) + "\n", encoding="utf-8")
    return path


def _sections(
    paper: Paper,
    compared: Mapping[str, Sequence[Compared]],
    *,
    by_paper: Sequence[Study],
    honest: Sequence[Study],
    changes: Sequence[str],
) -> Iterator[str]:
    simulated = any(study.about.simulated for study in (*by_paper, *honest))
    stamps = [LEAKY + " (columns marked so)"]
    stamps += ["SIMULATED: nobody was measured"] if simulated else []
    yield f"# {paper.name}: the paper's numbers beside ours"
    yield paper.reference
    about = honest[0].about
    yield f"Ours on {about.title} ({about.reference}). Licence: {about.licence}"
    of_one = f"that of the class '{next(iter(honest[0].labels.values())).classes[-1]}'"
    of_f1 = of_one if F1_HIGH in paper.measures else "a mean over classes, as its neighbours are"
    yield (
        f"Percent, per {paper.per}: mean ± standard deviation over folds. F1 is {of_f1}. A number "
        "of the paper is as it prints it; we do not know that it can be reached."
    )
    if changes:
        yield (
            "> **NOT THE PAPER'S SETTINGS: changed for this run: "
            f"{', '.join(f'`{change}`' for change in changes)}.**"
        )
    for title, studies in (("Their protocol (LEAKY)", by_paper), ("Honest", honest)):
        yield f"## {title}"
        for study in studies:
            names = "; ".join(variant.name for variant in study.variants)
            lines = "\n".join(f"- {line}" for line in describe(study.design))
            yield f"{names}:\n\n{lines}"
            if study.n_missing:
                yield f"> **NOT FINISHED: {study.n_missing} units are missing.**"
    yield "## Where ours is not theirs"
    yield "\n".join(f"- {line}" for line in paper.differences)
    for title, rows in compared.items():
        yield f"## {title}"
        for target in paper.targets:
            if not any(target in one.row.variants for one in rows):
                continue
            yield f"### {target.capitalize()}"
            yield _table(rows, target, paper.measures, stamps=stamps)
        notes = [f"- {one.row.method}: {one.row.note}" for one in rows if one.row.note]
        missing = [one.row.method for one in rows if not one.row.variants]
        if missing:
            notes.append(f"- Not yet ours: {', '.join(missing)}.")
        if notes:
            yield "\n".join(notes)
    yield (
        f"\\*: weights of the epoch that was {CHECKPOINTS['best_test']}. What says the last class "
        "every time stands below each table: a model that does not beat it in balanced accuracy "
        "(100 over the number of classes) has learned nothing, whatever its F1."
    )


def _table(
    rows: Sequence[Compared], target: str, measures: Sequence[Measure], *, stamps: Sequence[str]
) -> str:
    prints = [
        m
        for m in measures
        if any(getattr(p, m.printed) is not None for one in rows for p in one.row.printed.values())
    ] or list(measures[:1])
    honestly = [*measures, *([] if _BALANCED in measures else [_BALANCED])]
    header = ["method", *(f"paper: {m.words}" for m in prints)]
    header += [f"ours, their protocol (LEAKY): {m.words}" for m in measures]
    header += [f"ours, honest: {m.words}" for m in honestly]
    body = []
    for one in rows:
        ours = [
            *_cells(one.by_paper.get(target), measures),
            *_cells(one.honest.get(target), honestly),
        ]
        body.append([one.row.method, *_printed(one.row.printed.get(target), prints), *ours])
    first = next((one for one in rows if target in one.by_paper and target in one.honest), None)
    if first is not None:
        leaky, honest = first.by_paper[target].always_high, first.honest[target].always_high
        body.append(
            [
                "*always the last class*",
                *([""] * len(prints)),
                *(_spread(leaky[m.score]) for m in measures),
                *(_spread(honest[m.score]) for m in honestly),
            ]
        )
    return table(header, body, stamps=stamps)


def _printed(printed: Printed | None, prints: Sequence[Measure]) -> list[str]:
    cells = []
    for measure in prints:
        value = None if printed is None else getattr(printed, measure.printed)
        std = None if printed is None else getattr(printed, f"{measure.printed}_std", None)
        words = "" if value is None else f"{value:.2f}"
        cells.append(words + (f" ± {std:.2f}" if std is not None else ""))
    return cells


def _cells(ours: Ours | None, measures: Sequence[Measure]) -> list[str]:
    if ours is None:
        return [""] * len(measures)
    mark = "\\*" if ours.checkpoint == "best_test" else ""
    return [_spread(ours.scores[m.score]) + mark for m in measures]


def _spread(one: Spread) -> str:
    return f"{one.mean:.2f} ± {one.std:.2f}"
