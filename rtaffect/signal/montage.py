"""From the channels that a stream has to those that a model wants."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import MontageError

Floats = npt.NDArray[np.float64]

MIN_PRESENT = 4  # channels from which others can be rebuilt: below, no sphere fits them

_PREFIX = re.compile(r"^EEG[ _:-]+")
_SUFFIX = re.compile(r"[ _-]+(?:REF|LE|AVG|AR)$")
_SITE = re.compile(r"([A-Z]+?)(Z|10|[1-9])(H?)")
# The rows of the 10-05 system (Oostenveld & Praamstra 2001, doi:10.1016/S1388-2457(00)00527-7),
# front to back, then the earlobes (A) and mastoids (M).
_ROWS = re.compile(
    "FP|AFP|AF|AFF|F|FFC|FFT|FC|FT|FCC|FTT|C|T|CCP|TTP|CP|TP|CPP|TPP|P|PPO|PO|POO|O|OI|I|A|M"
)
_NEVER_SITES = re.compile("A[Z3-9]|A10|C[7-9]|C10|M[Z3-9]|M10")
_OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
_SOCKET = re.compile(r"([A-H])([1-9]|[12][0-9]|3[0-2])")


def canonical_name(label: str) -> str:
    """Return the electrode that a label means, in MNE's spelling.

    Parameters
    ----------
    label : str
        A channel's label: ``"EEG FP1-REF"``, ``"T3"``, ``"Fc5."``, ``" cz "`` ...

    Returns
    -------
    str
        ``"Fp1"``, ``"T7"``, ``"FC5"``, ``"Cz"`` ...; a label that is no site of the 10-05 system (a
        bipolar derivation such as ``"A2-A1"``) comes back without blanks at its ends.
    """
    bare = _bare(label)
    if not _is_site(bare):
        return label.strip()
    name = bare.replace("FP", "Fp").replace("Z", "z").replace("H", "h")
    return _OLD_NAMES.get(name, name)


def is_site(label: str) -> bool:
    """Return whether a label means a site of the 10-05 system, an earlobe or a mastoid."""
    return _is_site(_bare(label))


def _bare(label: str) -> str:
    upper = " ".join(label.split()).upper()
    return _SUFFIX.sub("", _PREFIX.sub("", upper)).rstrip(".")


def _is_site(bare: str) -> bool:
    site = _SITE.fullmatch(bare)
    return bool(site and _ROWS.fullmatch(site[1]) and not _NEVER_SITES.fullmatch(bare))


@dataclass(frozen=True, slots=True, eq=False)
class MontagePlan:
    """How the model's channels come from the stream's.

    Parameters
    ----------
    ch_names : tuple of str
        The model's channels.
    used : tuple of int
        Indices of the stream's channels that are looked at, in the order of `ch_names`.
    interpolated : tuple of str
        Channels of the model that are rebuilt from the used ones.
    weights : ndarray of float64, shape (n_interpolated, n_used)
        What each used channel adds to each interpolated one.
    """

    ch_names: tuple[str, ...]
    used: tuple[int, ...]
    interpolated: tuple[str, ...]
    weights: Floats

    def apply(self, data: npt.NDArray[np.floating]) -> Floats:
        """Return the model's channels.

        Parameters
        ----------
        data : ndarray, shape (n_in, n_times)
            All channels of the stream, in one unit.

        Returns
        -------
        ndarray of float64, shape (n_out, n_times)
            The model's channels.
        """
        return self.rebuild(data[list(self.used)].astype(np.float64, copy=False))

    def rebuild(self, used: Floats) -> Floats:
        """Return the model's channels from those that are used.

        Parameters
        ----------
        used : ndarray of float64, shape (n_used, n_times)
            The stream's channels `used`, in one unit.

        Returns
        -------
        ndarray of float64, shape (n_out, n_times)
            The model's channels; `used` itself where nothing is interpolated.
        """
        if not self.interpolated:
            return used
        # Not one product with ones for the present channels: 0 * NaN would spread one bad channel.
        data = np.empty((len(self.ch_names), used.shape[1]))
        missing = np.array([name in self.interpolated for name in self.ch_names])
        data[~missing] = used
        # How samples lie in memory may matter to the last bit of a product.
        data[missing] = self.weights @ np.ascontiguousarray(used)
        return data


def plan_montage(
    ch_names_in: Sequence[str],
    wanted: Sequence[str],
    *,
    interpolate: bool = False,
    max_interpolated: int = 0,
) -> MontagePlan:
    """Plan how to get the model's channels.

    Parameters
    ----------
    ch_names_in : sequence of str
        The stream's labels.
    wanted : sequence of str
        The model's channels.
    interpolate : bool
        The user asked for missing channels to be rebuilt by spherical splines.
    max_interpolated : int
        How many of them the bundle permits.

    Returns
    -------
    MontagePlan
        The plan.

    Raises
    ------
    MontageError
        Channels are missing, two channels claim one site, or labels are positions on the amplifier.
    """
    sockets = _sockets(ch_names_in)
    names = ["" if label in sockets else canonical_name(label) for label in ch_names_in]
    targets = [canonical_name(name) for name in wanted]
    _check_one_claim(targets, names, ch_names_in)
    missing = [name for name in targets if name not in names]
    if missing and not (interpolate and len(missing) <= max_interpolated):
        unclaimed = [
            label for label, name in zip(ch_names_in, names, strict=True) if name not in targets
        ]
        remedy = (
            _name_the_sites(unclaimed, sockets, missing)
            if sockets
            else _near_spellings(unclaimed, missing)
        )
        msg = (
            f"The bundle wants channels that the stream does not have: {', '.join(missing)}. "
            f"The stream has {', '.join(ch_names_in) or 'none'}. {remedy}"
        )
        if interpolate:
            msg += f" The bundle permits {max_interpolated} rebuilt channels at most."
        elif len(missing) <= max_interpolated:
            msg += " Or let them be rebuilt from their neighbours (`interpolate: true`)."
        raise MontageError(msg)
    present = [name for name in targets if name in names]
    return MontagePlan(
        ch_names=tuple(wanted),
        used=tuple(names.index(name) for name in present),
        interpolated=tuple(
            name for name, target in zip(wanted, targets, strict=True) if target in missing
        ),
        weights=_spline_weights(present, missing) if missing else np.empty((0, len(present))),
    )


def _sockets(labels: Sequence[str]) -> frozenset[str]:
    """Return the labels that count an amplifier's sockets (BioSemi's A1 ... H32).

    A1 and A2 may be earlobes and C3 a site, but where A3, B1 or C7 stand beside them they are
    sockets. If one letter counts sockets, every letter does, unless other labels are sites beyond
    doubt.
    """
    matches = {label: _SOCKET.fullmatch(_bare(label)) for label in labels}
    letters = {match[1] for match in matches.values() if match and not _is_site(match[0])}
    scalp = any(_is_site(_bare(label)) for label, match in matches.items() if match is None)
    if letters and not scalp:
        letters = set("ABCDEFGH")
    return frozenset(label for label, match in matches.items() if match and match[1] in letters)


def _check_one_claim(
    targets: Sequence[str], names: Sequence[str], ch_names_in: Sequence[str]
) -> None:
    for target in targets:
        claims = [label for label, name in zip(ch_names_in, names, strict=True) if name == target]
        if len(claims) > 1:
            msg = (
                f"One channel must stand for {target}; the stream has {len(claims)}: "
                f"{', '.join(map(repr, claims))}. Say which by renaming the others in the "
                f"session file (`streams: eeg: rename: {{{claims[1]}: {claims[1]}-unused}}`)."
            )
            raise MontageError(msg)


def _name_the_sites(
    unclaimed: Sequence[str], sockets: frozenset[str], missing: Sequence[str]
) -> str:
    first = next(label for label in unclaimed if label in sockets)
    return (
        f"Labels such as {first!r} are positions on the amplifier, not sites on the scalp: say "
        f"where each electrode sat (`streams: eeg: rename: {{{first}: {missing[0]}, ...}}`)."
    )


def _near_spellings(unclaimed: Sequence[str], missing: Sequence[str]) -> str:
    others = {_bare(label): label for label in unclaimed if not _is_site(_bare(label))}
    hints = []
    for name in missing:
        derived = [bare for bare in others if name.upper() in re.split(r"[^A-Z0-9]+", bare)]
        alike = difflib.get_close_matches(name.upper(), others, n=2, cutoff=0.7)
        if near := dict.fromkeys([*derived, *alike]):
            hints.append(f"near {name}: {', '.join(repr(others[bare]) for bare in near)}")
    if not hints:
        return "No other label is near in spelling; `streams: eeg: rename` says what a label means."
    return f"Spelled alike ({'; '.join(hints)}): if it is meant, say so (`streams: eeg: rename`)."


def _spline_weights(present: Sequence[str], missing: Sequence[str]) -> Floats:
    """Return how each present channel adds to each missing one, by spherical splines.

    MNE's own interpolation (Perrin et al. 1989, doi:10.1016/0013-4694(89)90180-6) applied to unit
    impulses, with positions of the 10-05 system on an average head.

    Parameters
    ----------
    present, missing : sequence of str
        Sites of the 10-05 system.

    Returns
    -------
    ndarray of float64, shape (n_missing, n_present)
        The weights.

    Raises
    ------
    MontageError
        A channel has no known position, or too few are present.
    """
    import mne  # a second to load, and hardly ever needed

    # one head under two names: MNE renamed it
    known = {"colin27_1005", "standard_1005"} & set(mne.channels.get_builtin_montages())
    montage = mne.channels.make_standard_montage(min(known))
    names = [*present, *missing]
    unplaced = [name for name in names if name not in montage.ch_names]
    if unplaced or len(present) < MIN_PRESENT:
        msg = (
            f"Rebuilding {', '.join(missing)} needs sites of the 10-05 system and at least "
            f"{MIN_PRESENT} present channels; got {len(present)} present, "
            f"no position for {', '.join(unplaced) or 'none'}."
        )
        raise MontageError(msg)
    impulses = np.zeros((len(names), len(present)))
    np.fill_diagonal(impulses, 1.0)
    raw = mne.io.RawArray(impulses, mne.create_info(names, 1.0, "eeg"), verbose="error")
    raw.set_montage(montage, verbose="error")
    raw.info["bads"] = list(missing)
    raw.interpolate_bads(verbose="error")
    return np.asarray(raw.get_data(picks=list(missing)))
