"""What to say where a recording lacks channels that a recipe wants."""

from collections.abc import Sequence

from offline.datasets.contract import Dataset, Recording
from offline.errors import DataError
from offline.plurals import some
from rtaffect.core.errors import MontageError
from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.core.spec import GRID, WindowSpec
from rtaffect.signal.montage import canonical_name

_MONTAGES = {"EEG_32": EEG_32, "EEG_15": EEG_15}


def montage_error(
    recording: Recording, dataset: Dataset, windows: WindowSpec, error: MontageError
) -> DataError:
    """Return the runtime's error about channels or regions in the words of training.

    Parameters
    ----------
    recording : Recording
        The one that does not fit; it is opened once more.
    dataset : Dataset
        All recordings.
    windows : WindowSpec
        Of the recipe.
    error : MontageError
        What the runtime said, which knows of a bundle and a stream.
    """
    where = f"Subject {recording.subject}, session {recording.session}"
    where += f" ({recording.file})" if recording.file else ""
    with recording.open() as source:
        labels = {modality: info.ch_names for modality, info in source.infos.items()}
    if windows.closes != GRID:
        asked = windows.modalities[windows.closes].row_names
        return _region_error(where, asked, labels.get(windows.closes, ()), dataset, error)
    eeg = windows.modalities.get("eeg")
    if eeg is None:  # of a face the runtime says all there is to say
        return DataError(f"{where}: {error}")
    return _electrode_error(where, eeg.ch_names, labels["eeg"], dataset, error)


def _region_error(
    where: str,
    wanted: Sequence[str],
    labels: Sequence[str],
    dataset: Dataset,
    error: MontageError,
) -> DataError:
    lacks = [name for name in wanted if name not in labels]
    if not lacks:
        return DataError(f"{where}: {error}")
    return DataError(
        f"{where} must have the regions of windows.regions, but lacks {some(lacks)}. Set "
        f"windows.regions to names out of the {len(dataset.ch_names)} that all recordings have "
        f"({some(dataset.ch_names) or 'there are none'}), or to `dataset` for all of them."
    )


def _electrode_error(
    where: str,
    wanted: Sequence[str],
    labels: Sequence[str],
    dataset: Dataset,
    error: MontageError,
) -> DataError:
    has = {canonical_name(label) for label in labels}
    lacks = [name for name in wanted if canonical_name(name) not in has]
    if not lacks:  # two labels claim one site
        return DataError(f"{where}: {error}")
    shared = dataset.ch_names
    fitting = [name for name, montage in _MONTAGES.items() if set(montage) <= set(shared)]
    remedy = f"{fitting[0]}, or a list" if fitting else "a list"
    return DataError(
        f"{where} must have the electrodes of windows.montage, but lacks {', '.join(lacks)}; it "
        f"has {', '.join(labels)}. Set windows.montage to {remedy} of electrodes that all "
        f"recordings have: {', '.join(shared) or 'there are none'}. If a label means an electrode, "
        "say so in the data set (`streams: {eeg: {rename: ...}}`)."
    )
