"""How figures of a report look: colours, stamps, captions, and how they get on disk."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#767676"
"""Colours that the colour-blind tell apart (Okabe & Ito 2008)."""

SEQUENTIAL = "cividis"
"""From nothing to all."""

_STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
}
_STAMP_IN = 0.24
_DPI = 130


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """A figure, and what it says.

    Parameters
    ----------
    name : str
        Of its file, without the ending.
    title : str
        Of its section in the report.
    caption : str
        What it shows, of how many, and how it was computed.
    figure : Figure
        Without stamps.
    """

    name: str
    title: str
    caption: str
    figure: Figure


@contextmanager
def style() -> Iterator[None]:
    """Give everything that is drawn inside the report's looks; the caller's are untouched."""
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def new_panels(
    n_rows: int, n_columns: int, *, width: float = 3.1, height: float = 2.6
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure of panels in rows and columns, each `width` x `height` inches.

    Parameters
    ----------
    n_rows, n_columns : int
        Panels.
    width, height : float
        Of one panel in inches.
    """
    size = (max(width * n_columns, 4.5), height * n_rows)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(n_rows, n_columns, squeeze=False)
    return figure, [list(row) for row in panels]


def save(drawing: Drawing, folder: Path, *, stamps: Sequence[str]) -> Path:
    """Write a figure as PNG with its stamps above it.

    Parameters
    ----------
    drawing : Drawing
        What to write.
    folder : Path
        Exists.
    stamps : sequence of str
        Warnings; each gets a line.

    Returns
    -------
    Path
        ``folder / "<name>.png"``.
    """
    figure = drawing.figure
    width, height = figure.get_size_inches()
    total = height + _STAMP_IN * len(stamps)
    figure.set_size_inches(width, total)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0.0, 0.0, 1.0, height / total))  # type: ignore[call-arg]
    for i, stamp in enumerate(stamps):
        figure.text(
            0.5,
            1.0 - _STAMP_IN * (i + 0.5) / total,
            stamp,
            ha="center",
            va="center",
            color="white",
            fontsize=min(8.0, 1.55 * 72 * width / max(len(stamp), 1)),
            fontweight="bold",
            bbox={"boxstyle": "square,pad=0.25", "facecolor": "#8A1C00", "edgecolor": "none"},
        )
    path = folder / f"{drawing.name}.png"
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
    return path
