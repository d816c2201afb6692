"""ASB: automatic focus on regions of interest, ICBHI 2024; and a stand-in for its data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from offline.metrics.challenge import challenge_score
from offline.predictions import Predictions
from offline.report.study import Study
from offline.report.words import table
from offline.reproduce.page import LEAKY
from offline.reproduce.paper import MACRO, RECIPES, Paper, PaperTable, Printed, Reproduced, Row

_PRINTED_SCORES = {"first stage": 0.5132, "second stage": 0.4213}

_LINEAR = "Not in the paper: a linear answer on the mean of the newest 10 s of each region."


def _rows(target: str, ending: str, printed: Mapping[str, str]) -> tuple[Row, ...]:
    """Return rows of precision, sensitivity and F1, as shares; ``ending`` is of our variants."""
    rows = []
    for method, numbers in printed.items():
        precision, sensitivity, f1 = (100 * float(number) for number in numbers.split())
        variant = "full" if (method, ending) == ("ASB", "") else method + ending
        row = Printed(precision=precision, sensitivity=sensitivity, f1=f1)
        rows.append(Row(method=method, printed={target: row}, variants={target: variant}))
    rows.append(Row(method="linear", variants={target: f"linear{ending}"}, note=_LINEAR))
    return tuple(rows)


def _tables(of_class: str, of_level: str) -> tuple[PaperTable, ...]:
    by_class = {"ASB": ".73 .73 .73", "EBR": ".49 .48 .47", "Vanilla": ".59 .54 .52"}
    by_level = {"ASB": ".23 .32 .26", "EBR": ".04 .07 .05", "Vanilla": ".19 .25 .21"}
    return (
        PaperTable(title="Table 1: class, inner test", rows=_rows(of_class, "", by_class)),
        PaperTable(title="Table 2: level, inner test", rows=_rows(of_level, ", level", by_level)),
    )


def _challenge(found: Reproduced, *, of_class: str, of_level: str) -> Iterator[str]:
    """Yield Table 3: the challenge's score, class and level of the same windows together."""
    yield "## Table 3: the challenge's score of ASB"
    yield (
        "0.6 times the share of wrong classes plus 0.4 times the mean of |said - true| / (|said| + "
        "|true|) over levels from -4 to 4 (0 where both are 0, which the challenge does not "
        "define). **Lower is better**; who says class and level by chance has about .67 to .69 on "
        "the challenge's trials."
    )
    body = [["paper: " + name, f"{score:.4f}"] for name, score in _PRINTED_SCORES.items()]
    for words, studies in (
        ("ours, their protocol (LEAKY)", found.by_paper),
        ("ours, honest", found.honest),
    ):
        classes = _said(studies, "full", of_class)
        levels = _said(studies, "ASB, level", of_level)
        if classes is not None and levels is not None:
            body.append([words, f"{challenge_score(classes, levels):.4f}"])
    yield table(["ASB", "score"], body, stamps=[f"{LEAKY} (rows marked so)"])


def _said(studies: Sequence[Study], variant: str, target: str) -> Predictions | None:
    for study in studies:
        for one in study.variants:
            if one.name == variant and target in one.answers["validation"]:
                return one.answers["validation"][target][0]
    return None


def _challenge_of_trials(found: Reproduced) -> Iterator[str]:
    return _challenge(found, of_class="class", of_level="level")


def _challenge_of_film(found: Reproduced) -> Iterator[str]:
    return _challenge(found, of_class="valence", of_level="valence")


PAPER = Paper(
    name="asb",
    reference=(
        "Deep learning model that focuses on emotion-related brain regions by itself (ASB), entry "
        "to the Mind-Reading Emotions challenge, IFMBE ICBHI 2024; code: "
        "https://github.com/BMS410Wind/ICBHI2024"
    ),
    per="window",
    targets=("class", "level"),
    paper_sweep=RECIPES / "asb_paper.yaml",
    honest_sweep=RECIPES / "asb_honest.yaml",
    data="a copy of the ICBHI 2024 challenge's data",
    measures=MACRO,
    differences=(
        "The published code tests one draw of a tenth of the trials; ours ten folds, each a tenth.",
        "It trains 10 000 epochs and keeps the one that was best in validation accuracy; ours 500, "
        "and the best in validation likelihood.",
        "It shrinks the weights of some layers; ours, by the optimiser, all of them.",
        "As in the code, the leaky runs scale a trial between one minimum and one maximum over all "
        "its regions and frames (`whole_trial_minmax`), the future among them; for EBR the code "
        "takes them over its 32 regions, ours over all. The honest runs normalise each region by "
        "its own past and present frames.",
        "EBR's 32 regions are those of the code; we could not find the article that they are "
        "said to come from.",
    ),
    tables=_tables("class", "level"),
    more=(_challenge_of_trials,),
)

STAND_IN = replace(
    PAPER,
    name="asb-studyforrest",
    reference=(
        f"{PAPER.reference}. STAND-IN: ours are of StudyForrest, because the challenge's data are "
        "not free. The paper's numbers stand beside them for scale and can neither be reached nor "
        "missed."
    ),
    targets=("valence",),
    paper_sweep=RECIPES / "asb_studyforrest_paper.yaml",
    honest_sweep=RECIPES / "asb_studyforrest_honest.yaml",
    data="a copy of StudyForrest's ROI frames",
    differences=(
        "Other people, another scanner, another atlas (267 of Shen's regions, not 246 of "
        "Brainnetome's), one film instead of 30 clips, and what the film portrays instead of what "
        "people said they felt.",
        "Class is portrayed valence in thirds of its scale, level in ninths.",
        "EBR sees every eighth region: as many as the seed's list, and no emotion about them.",
        "The trial that is scaled as a whole is a run of the film.",
        *PAPER.differences[2:4],
    ),
    tables=_tables("valence", "valence"),
    more=(_challenge_of_film,),
)
