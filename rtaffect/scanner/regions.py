"""Which regions a session means."""

from pathlib import Path

from rtaffect.config.scanner import LabelSettings, ScannerSettings
from rtaffect.core.atlas import RegionTable, read_regions
from rtaffect.scanner.acquired import ScannerInput
from rtaffect.scanner.lsl_input import LslInput
from rtaffect.scanner.roi_means import RoiMeanMaker, read_labels


def open_mean_maker(labels: LabelSettings | None) -> RoiMeanMaker | None:
    """Return what takes means of volumes; None where no label image is named.

    Raises
    ------
    ConfigError
        The image or the names cannot be read, or do not belong together.
    """
    if labels is None or labels.image is None:
        return None
    return RoiMeanMaker(
        read_labels(Path(labels.image)),
        None if labels.names is None else read_regions(labels.names),
        resample=labels.resample,
    )


def named_regions(settings: ScannerSettings, source: ScannerInput) -> RegionTable | None:
    """Return the regions of means that arrive as such; None where only volumes are wanted.

    Parameters
    ----------
    settings : ScannerSettings
        Names a table, or leaves it to the way in.
    source : ScannerInput
        The open way in; a stream of LSL names its regions itself.

    Raises
    ------
    ConfigError
        The table cannot be read.
    """
    if settings.labels is not None and settings.labels.names is not None:
        return read_regions(settings.labels.names)
    if not isinstance(source, LslInput):
        return None
    names = source.ch_names
    return RegionTable(name="of the sender", values=tuple(range(1, len(names) + 1)), names=names)
