"""Which of the shipped models fit the streams at hand."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from rtaffect.core.errors import BundleError

if TYPE_CHECKING:
    from rtaffect.core.spec import ModalitySpec

N_NAMED = 8
"""Channels that a message names; of hundreds of regions, the rest is counted."""


def fitting_bundles(ch_names: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the shipped bundles that together hear every stream, the fewest that do.

    First comes the one that makes use of most channels, then the best of those that hear a stream
    which those before do not. Where there is EEG a face has no model unless EEG has one: its
    labels are likelier to be wrong than nobody wants it.

    Parameters
    ----------
    ch_names : mapping of str to sequence of str
        Labels of each stream, as its sender spells them, by modality.

    Returns
    -------
    tuple of str
        Names of the bundles, at least one.

    Raises
    ------
    BundleError
        None fits; the message says what each lacks.
    """
    from rtaffect.bundle import load_bundle, shipped_bundles

    fits: list[tuple[bool, int, str, frozenset[str]]] = []
    lacks: list[str] = []
    others: list[str] = []
    for name, path in shipped_bundles().items():
        windows = load_bundle(path).manifest.windows
        if not windows.modalities.keys() & ch_names.keys():
            others.append(name)
        elif missing := lacking(windows.modalities, ch_names):
            wanted = "; ".join(
                f"{modality}: {listed(names)}" for modality, names in missing.items()
            )
            lacks.append(f"  {name} lacks {wanted}")
        else:
            hears = frozenset(windows.modalities).intersection(ch_names)
            n_used = sum(len(windows.modalities[modality].ch_names) for modality in hears)
            fits.append(("eeg" not in hears, -n_used, name, hears))
    if others:
        lacks.append(f"  {', '.join(others)}: for other streams")
    best: dict[str, frozenset[str]] = {}
    for _, _, name, hears in sorted(fits):
        heard = frozenset[str]().union(*best.values())
        is_face_instead = hears == {"face"} and "eeg" in ch_names.keys() - heard
        if hears - heard and not is_face_instead:
            best[name] = hears
    if not best:
        what = "regions" if ch_names.keys() == {"roi"} else "channels"
        at_hand = [f"  the {m} has {listed(names)}" for m, names in ch_names.items()]
        msg = "\n".join(
            [
                f"No shipped model fits the {what} at hand:",
                *at_hand,
                *(lacks or ["  none is installed"]),
                _advice(ch_names),
            ]
        )
        raise BundleError(msg)
    return tuple(sorted(best))


def _advice(modalities: Collection[str]) -> str:
    """Return what may be done where no model fits streams of these modalities."""
    ways = []
    if "eeg" in modalities:
        ways.append("correct labels (streams.eeg.rename in a session file)")
    if "roi" in modalities:
        ways.append(
            "name regions as the model does (labels.names of the scanner; Regions in the JSON file "
            "beside a table)"
        )
    advice = ", or ".join([*ways, "use your own model"])
    return f"{advice[0].upper()}{advice[1:]}."


def lacking(
    modalities: "Mapping[str, ModalitySpec]", ch_names: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the channels that a model wants and the streams do not have, by modality.

    Parameters
    ----------
    modalities : mapping of str to ModalitySpec
        What the model wants. One that it can do without lacks nothing while it has no stream.
    ch_names : mapping of str to sequence of str
        Labels of each stream, as its sender spells them, by modality.
    """
    lacks: dict[str, list[str]] = {}
    for modality, spec in modalities.items():
        if modality in ch_names:
            absent = _missing(ch_names[modality], spec)
        else:
            absent = [] if spec.optional else [*spec.ch_names] or ["the stream"]
        if absent:
            lacks[modality] = absent
    return lacks


def listed(names: Sequence[str]) -> str:
    """Return names for a message, of very many the first."""
    if len(names) <= 4 * N_NAMED:
        return " ".join(names)
    return f"{' '.join(names[:N_NAMED])} and {len(names) - N_NAMED} more"


def _missing(have: Sequence[str], spec: "ModalitySpec") -> list[str]:
    from rtaffect.core.spec import SignalSpec
    from rtaffect.signal.montage import canonical_name

    known = {canonical_name(label) for label in have} if isinstance(spec, SignalSpec) else set(have)
    return [name for name in spec.ch_names if name not in known]
