"""The comparison as Markdown and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from offline.report.study import CHECKPOINTS, Study
from offline.report.words import describe, table
from offline.reproduce.compare import Compared, Ours, Spread
from offline.reproduce.paper import Paper, Printed

LEAKY = "LEAKY PROTOCOL: it reproduces a paper and is no evidence"


def write_comparison(
    paper: Paper,
    compared: Mapping[str, Sequence[Compared]],
    *,
    by_paper: Sequence[Study],
    honest: Sequence[Study],
    changes: Sequence[str],
    out: Path,
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
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
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
    yield (
        f"Percent, per {paper.per}: mean ± standard deviation over folds. F1 is that of the class "
        f"'{next(iter(honest[0].labels.values())).classes[-1]}'. A number of the paper is as it "
        "prints it; we do not know that it can be reached."
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
            yield f"### {target.capitalize()}"
            yield _table(rows, target, has_f1=_has_f1(rows), stamps=stamps)
        notes = [f"- {one.row.method}: {one.row.note}" for one in rows if one.row.note]
        missing = [one.row.method for one in rows if not one.row.variants]
        if missing:
            notes.append(f"- Not yet ours: {', '.join(missing)}.")
        if notes:
            yield "\n".join(notes)
    yield (
        f"\\*: weights of the epoch that was {CHECKPOINTS['best_test']}. What says the last class "
        "every time stands below each table: a model that does not beat it in balanced accuracy "
        "(50 for two classes) has learned nothing, whatever its F1."
    )


def _has_f1(rows: Sequence[Compared]) -> bool:
    return any(p.f1 is not None for one in rows for p in one.row.printed.values())


def _table(rows: Sequence[Compared], target: str, *, has_f1: bool, stamps: Sequence[str]) -> str:
    header = ["method", "paper: accuracy", *(["paper: F1"] if has_f1 else [])]
    header += [f"ours, their protocol (LEAKY): {name}" for name in ("accuracy", "F1")]
    header += [f"ours, honest: {name}" for name in ("accuracy", "F1", "balanced accuracy")]
    body = []
    for one in rows:
        printed = one.row.printed.get(target)
        ours = [
            *_cells(one.by_paper.get(target), ("accuracy", "f1_high")),
            *_cells(one.honest.get(target), ("accuracy", "f1_high", "balanced_accuracy")),
        ]
        body.append([one.row.method, *_printed(printed, has_f1=has_f1), *ours])
    first = next((one for one in rows if target in one.by_paper and target in one.honest), None)
    if first is not None:
        leaky, honest = first.by_paper[target].always_high, first.honest[target].always_high
        body.append(
            [
                "*always the last class*",
                *([""] * (1 + has_f1)),
                *(_spread(leaky[name]) for name in ("accuracy", "f1_high")),
                *(_spread(honest[name]) for name in ("accuracy", "f1_high", "balanced_accuracy")),
            ]
        )
    return table(header, body, stamps=stamps)


def _printed(printed: Printed | None, *, has_f1: bool) -> list[str]:
    if printed is None:
        return [""] * (1 + has_f1)
    cells = [(printed.accuracy, printed.accuracy_std)]
    cells += [(printed.f1, printed.f1_std)] if has_f1 and printed.f1 is not None else []
    return [f"{v:.2f}" + (f" ± {std:.2f}" if std is not None else "") for v, std in cells]


def _cells(ours: Ours | None, names: Sequence[str]) -> list[str]:
    if ours is None:
        return [""] * len(names)
    mark = "\\*" if ours.checkpoint == "best_test" else ""
    return [_spread(ours.scores[name]) + mark for name in names]


def _spread(one: Spread) -> str:
    return f"{one.mean:.2f} ± {one.std:.2f}"
