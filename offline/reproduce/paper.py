"""What a paper claims: its tables as printed, and which of our runs stands beside each row."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from offline.report.study import Study

Per = Literal["trial", "window"]

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number that a paper prints.

    Parameters
    ----------
    words : str
        What it is called in tables.
    score : str
        Of `offline.metrics.scores.class_scores`.
    printed : str
        Where `Printed` has it.
    """

    words: str
    score: str
    printed: str


ACCURACY = Measure(words="accuracy", score="accuracy", printed="accuracy")
F1_HIGH = Measure(words="F1", score="f1_high", printed="f1")
MACRO = (
    Measure(words="precision", score="macro_precision", printed="precision"),
    Measure(words="sensitivity", score="macro_sensitivity", printed="sensitivity"),
    Measure(words="F1", score="macro_f1", printed="f1"),
)
"""Means over classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a paper prints of one target, in percent; std over folds where it says so."""

    accuracy: float | None = None
    accuracy_std: float | None = None
    f1: float | None = None
    f1_std: float | None = None
    precision: float | None = None
    sensitivity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method.

    Parameters
    ----------
    method : str
        As the paper calls it.
    printed : mapping of str to Printed
        By target; empty where the paper has a figure without numbers, or none of this.
    variants : mapping of str to str
        Name of our variant that answers each target; empty for a method that we do not have.
    note : str
        What to know of the comparison.
    """

    method: str
    printed: Mapping[str, Printed] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """One of a paper's tables."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """What came of a paper's two sweeps.

    Parameters
    ----------
    by_paper, honest : sequence of Study
        By the paper's protocol, and by an honest one.
    runs : Path
        Folder of all runs.
    cache : Path
        Folder of features.
    out : Path
        Folder for figures; it is there.
    """

    by_paper: Sequence[Study]
    honest: Sequence[Study]
    runs: Path
    cache: Path
    out: Path


More = Callable[[Reproduced], Iterator[str]]
"""Yields sections of Markdown for what a paper has beside its tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper, its tables, and the two sweeps that are put beside them.

    Parameters
    ----------
    name : str
        On the command line.
    reference : str
        Authors, where, DOI.
    per : {"trial", "window"}
        What the paper counts.
    targets : tuple of str
        In the order of its columns.
    paper_sweep, honest_sweep : Path
        Sweeps: by the paper's protocol, and by an honest one.
    differences : tuple of str
        Where we know that we depart from it, a sentence each.
    tables : tuple of PaperTable
        As printed.
    data : str
        What ``--data`` holds, in words; "" where nothing is needed.
    measures : tuple of Measure
        What its tables count.
    more : tuple of callable
        What it has beside tables.
    """

    name: str
    reference: str
    per: Per
    targets: tuple[str, ...]
    paper_sweep: Path
    honest_sweep: Path
    differences: tuple[str, ...]
    tables: tuple[PaperTable, ...]
    data: str = "a copy of DEAP"
    measures: tuple[Measure, ...] = (ACCURACY, F1_HIGH)
    more: tuple[More, ...] = ()


def both(variant: str) -> dict[str, str]:
    """Return a variant that answers valence and arousal at once."""
    return {"valence": variant, "arousal": variant}
