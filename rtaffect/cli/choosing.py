"""Which of the shipped models fits the streams at hand."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rtaffect.core.errors import BundleError

if TYPE_CHECKING:
    from rtaffect.core.spec import ModalitySpec


def fitting_bundle(ch_names: Mapping[str, Sequence[str]]) -> str:
    """Return the shipped bundle that makes use of most channels.

    Parameters
    ----------
    ch_names : mapping of str to sequence of str
        Labels of each stream, as its sender spells them, by modality.

    Returns
    -------
    str
        Name of the bundle.

    Raises
    ------
    BundleError
        None fits; the message says what each lacks.
    """
    from rtaffect.bundle import load_bundle, shipped_bundles

    uses: dict[str, int] = {}
    lacks: list[str] = []
    for name, path in shipped_bundles().items():
        modalities = load_bundle(path).manifest.windows.modalities
        if missing := lacking(modalities, ch_names):
            wanted = "; ".join(
                f"{modality}: {' '.join(names)}" for modality, names in missing.items()
            )
            lacks.append(f"  {name} lacks {wanted}")
        else:
            present = [spec for modality, spec in modalities.items() if modality in ch_names]
            uses[name] = sum(len(spec.ch_names) for spec in present)
    if not uses:
        at_hand = [f"  the {m} has {', '.join(names)}" for m, names in ch_names.items()]
        msg = "\n".join(
            [
                "No shipped model fits the channels at hand:",
                *at_hand,
                *(lacks or ["  none is installed"]),
                "Correct labels (streams.eeg.rename in a session file), or use your own model.",
            ]
        )
        raise BundleError(msg)
    return max(uses, key=lambda name: uses[name])


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
    return {
        modality: absent
        for modality, spec in modalities.items()
        if modality in ch_names or not spec.optional
        if (absent := _missing(ch_names.get(modality, ()), spec.ch_names))
    }


def _missing(have: Sequence[str], wanted: Sequence[str]) -> list[str]:
    from rtaffect.signal.montage import canonical_name

    known = {canonical_name(label) for label in have}
    return [name for name in wanted if name not in known]
