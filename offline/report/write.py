"""From studies to a folder: ``report.md``, ``report.json`` and ``figures/*.png``."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from offline.report.brain import draw_maps
from offline.report.drawing import Drawing, save, style
from offline.report.figures import (
    draw_calibration,
    draw_confusions,
    draw_curves,
    draw_differences,
    draw_headline,
    draw_subjects,
)
from offline.report.numbers import Numbers, count
from offline.report.page import write_page
from offline.report.study import Study


def write_report(studies: Sequence[Study], out: Path) -> Path:
    """Write the report of some studies.

    Parameters
    ----------
    studies : sequence of Study
        Each gets a chapter.
    out : Path
        Folder; made if it is not there. Files of an earlier report are replaced.

    Returns
    -------
    Path
        ``out / "report.md"``.
    """
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    pages, records = [], []
    for number, study in enumerate(studies, start=1):
        numbers = count(study)
        prefix = f"{number}_" if len(studies) > 1 else ""
        drawings = []
        with style():
            for drawing in _draw(study, numbers):
                named = replace(drawing, name=prefix + drawing.name)
                save(named, figures, stamps=study.stamps)
                drawings.append(named)
        pages.append(write_page(study, numbers, drawings))
        records.append(_record(study, numbers, drawings))
    (out / "report.json").write_text(json.dumps({"studies": records}, indent=1), encoding="utf-8")
    path = out / "report.md"
    path.write_text("\n\n".join(pages), encoding="utf-8")
    return path


def _draw(study: Study, numbers: Numbers) -> Iterator[Drawing]:
    yield draw_headline(study, numbers)
    yield from draw_subjects(study, numbers)
    yield from draw_differences(study, numbers)
    yield from draw_confusions(study, numbers)
    yield from draw_calibration(study, numbers)
    yield from draw_curves(study)
    yield from draw_maps(study.variants, simulated=study.about.simulated)


def _record(study: Study, numbers: Numbers, drawings: Sequence[Drawing]) -> dict[str, Any]:
    return {
        "name": study.name,
        "stamps": list(study.stamps),
        "data": asdict(study.about),
        "design": asdict(study.design),
        "recipe": dict(study.recipe),
        "versions": dict(study.versions),
        "variants": {
            variant.name: {
                "run": variant.run_id,
                "n_missing": variant.n_missing,
                "recipe": dict(variant.recipe),
                "commands": list(variant.commands),
                "choices": list(variant.choices),
            }
            for variant in study.variants
        },
        "answers": [
            {
                "variant": answer.variant,
                "target": answer.target,
                "n_trials": answer.n_trials,
                "by_checkpoint": {
                    checkpoint: evaluation.model_dump(mode="json")
                    for checkpoint, evaluation in answer.by_checkpoint.items()
                },
            }
            for answer in numbers.answers
        ],
        "changes": [
            {
                "variant": change.variant,
                "target": change.target,
                "mean_over_subjects": change.mean,
                "mean_over_subjects_of_the_first": change.first_mean,
                "value": change.difference.value.model_dump(),
                "p": change.difference.p,
                "by_subject": dict(change.difference.by_subject),
            }
            for change in numbers.changes
        ],
        "figures": {drawing.name: drawing.caption for drawing in drawings},
    }
