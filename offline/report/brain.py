"""Maps over the scalp: where a network looked (Zheng et al. 2023, Fig. 2), what it saw."""

from collections.abc import Iterator, Sequence

import mne
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from offline.plurals import counted
from offline.report.drawing import Drawing, new_panels
from offline.report.study import ScalpMaps, Variant

_COLOURS = "RdBu_r"
"""Deep red the highest, deep blue the lowest, as in the paper; told apart by the colour-blind."""


_CAUTION = (
    "Read with care: these are values at electrodes, each of which hears many sources (and muscles "
    "of the face and neck): a high one is not a place in the brain, nor a cause of what was felt."
)
_SIMULATED = "Nobody was measured: the map shows what the simulator put in."


def draw_maps(variants: Sequence[Variant], *, simulated: bool) -> Iterator[Drawing]:
    """Draw the maps of all variants; one that several have alike is drawn once.

    Parameters
    ----------
    variants : sequence of Variant
        Whose. Those that see the same features have the same brain maps.
    simulated : bool
        Nobody was measured, and captions say so.
    """
    caution = f"{_CAUTION} {_SIMULATED}" if simulated else _CAUTION
    drawn: list[tuple[str, ScalpMaps, list[str]]] = []
    for number, variant in enumerate(variants, start=1):
        prefix = f"{number}_" if number > 1 else ""
        for i, maps in enumerate(variant.maps, start=1):
            for _, before, owners in drawn:
                if _alike(before, maps):
                    owners.append(variant.name)
                    break
            else:
                drawn.append((f"{prefix}maps_{i}", maps, [variant.name]))
    for name, maps, owners in drawn:
        yield _draw(maps, name=name, of=", ".join(owners), caution=caution)


def _alike(one: ScalpMaps, other: ScalpMaps) -> bool:
    return (one.caption, one.ch_names, list(one.panels)) == (
        other.caption,
        other.ch_names,
        list(other.panels),
    ) and all(
        np.array_equal(panel, other.panels[name], equal_nan=True)
        for name, panel in one.panels.items()
    )


def _draw(maps: ScalpMaps, *, name: str, of: str, caution: str) -> Drawing:
    n_rows = 1 if maps.grid is None else 2
    figure, panels = new_panels(n_rows, len(maps.panels), width=2.1, height=2.3)
    values = np.concatenate([panel[np.isfinite(panel)] for panel in maps.panels.values()])
    limits = (float(values.min()), float(values.max()))
    if maps.is_signed:
        most = float(np.abs(values).max())
        limits = (-most, most)
    info = mne.create_info(list(maps.ch_names), sfreq=1.0, ch_types="eeg")
    # one head under two names: MNE renamed it
    known = {"colin27_1005", "standard_1005"} & set(mne.channels.get_builtin_montages())
    info.set_montage(min(known), on_missing="ignore")
    placed = np.array([np.isfinite(ch["loc"][:3]).all() for ch in info["chs"]])
    info = mne.pick_info(info, np.flatnonzero(placed))
    for column, (title, panel) in enumerate(maps.panels.items()):
        axis = panels[-1][column]
        mne.viz.plot_topomap(
            panel[placed],
            info,
            axes=axis,
            show=False,
            cmap=_COLOURS,
            vlim=limits,
            contours=4,
            sensors=True,
        )
        top = panels[0][column]
        top.set_title(f"{title}\n({counted(maps.n_windows[title], 'window')})", fontsize=8.5)
        if maps.grid is not None:
            _draw_grid(top, panel, maps, limits=limits)
    colours = ScalarMappable(Normalize(*limits), cmap=_COLOURS)
    bar = figure.colorbar(colours, ax=[axis for row in panels for axis in row], shrink=0.7)
    bar.set_label(maps.unit)
    unplaced = [ch for ch, ok in zip(maps.ch_names, placed, strict=True) if not ok]
    left_out = (
        f" Without a place on the scalp and left out: {', '.join(unplaced)}." if unplaced else ""
    )
    return Drawing(
        name=name,
        title=f"{maps.title} ({of})",
        caption=f"{maps.caption} One colour scale for all panels; splined between electrodes "
        f"(MNE-Python); dots are the {int(placed.sum())} electrodes.{left_out} {caution}",
        figure=figure,
    )


def _draw_grid(
    axis: Axes, panel: npt.NDArray[np.float64], maps: ScalpMaps, *, limits: tuple[float, float]
) -> None:
    assert maps.grid is not None
    cells = np.where(maps.grid >= 0, panel[maps.grid], np.nan)
    axis.imshow(cells, cmap=_COLOURS, vmin=limits[0], vmax=limits[1])
    axis.set_facecolor("#F0F0F0")
    axis.grid(visible=False)
    axis.set_xticks([])
    axis.set_yticks([])
    for row, column in zip(*np.nonzero(maps.grid >= 0), strict=True):
        ch_name = maps.ch_names[maps.grid[row, column]]
        axis.text(column, row, ch_name, ha="center", va="center", fontsize=5.0)
