"""Which of the streams at hand is meant, and whether its description holds water.

They may be on the network, in a recording or in a FieldTrip buffer.
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rtaffect.core.errors import StreamError
from rtaffect.core.streams import StreamChoice, StreamInfo
from rtaffect.signal.units import declare_unit
from rtaffect.sources.offered import OfferedStream

Offered = TypeVar("Offered", bound=OfferedStream)

KEYS = {"type": "stype", "name": "name", "source_id": "source_id"}

WHY_INVISIBLE = """\
A stream may be invisible because
  - its sender has not been started, or has stopped;
  - a firewall or VPN on either machine blocks LSL (UDP 16571, UDP and TCP 16572 to 16604);
  - it is on another machine and multicast does not pass between the two: name that machine in
    KnownPeers under [lab] in lsl_api.cfg;
  - it has another LSL session id: [lab] SessionID must be the same in lsl_api.cfg on both sides;
  - its type, name or source_id is spelled otherwise: case matters.
`rtaffect streams` lists what is there."""


def select(choice: StreamChoice, found: Sequence[Offered]) -> Offered | None:
    """Return the one stream that is meant, or None when none fits.

    Parameters
    ----------
    choice : StreamChoice
        What is wanted.
    found : sequence of OfferedStream
        What is there.

    Returns
    -------
    OfferedStream or None
        The stream.

    Raises
    ------
    StreamError
        If several fit; the message lists them and says what would tell them apart.
    """
    fitting = [
        stream
        for stream in found
        if stream.selectable and all(getattr(stream, k) == v for k, v in _asked(choice).items())
    ]
    if len(fitting) <= 1:
        return fitting[0] if fitting else None
    lines = [f"{len(fitting)} streams fit {_wish(choice)}, and only one may:", *_listed(fitting)]
    telling = [
        key
        for key, attribute in KEYS.items()
        if len({getattr(stream, attribute) for stream in fitting}) == len(fitting)
    ]
    if telling:
        lines.append(f"Say which by {' or '.join(telling)}, {_where(choice)}.")
    else:
        lines.append(
            "Nothing but the machine or the run tells them apart. Stop all but one, or give each "
            "sender a source_id of its own."
        )
    counts = Counter(stream.source_id for stream in fitting if stream.source_id)
    lines.extend(
        f"{count} of them have the identical source_id {source_id!r}: the same sender may have "
        "been started twice."
        for source_id, count in counts.items()
        if count > 1
    )
    raise StreamError("\n".join(lines))


def not_found(
    choice: StreamChoice, found: Sequence[OfferedStream], *, waited_s: float
) -> StreamError:
    """Return the error that says what is there instead and why a stream may be invisible."""
    there = [stream for stream in found if stream.selectable]
    lines = [f"No stream fits {_wish(choice)}; looked for {waited_s:g} s."]
    if there:
        lines += ["Streams that are there:", *_listed(there)]
    else:
        lines.append("No stream at all is there.")
    for key, attribute in KEYS.items():
        asked = getattr(choice, attribute)
        known = sorted({getattr(stream, attribute) for stream in there} - {""})
        if asked is not None and asked not in known and (near := _near(asked, known)):
            lines.append(f"Was {key} {near!r} meant instead of {asked!r}?")
    return StreamError("\n".join([*lines, WHY_INVISIBLE]))


def describe(found: OfferedStream, choice: StreamChoice) -> StreamInfo:
    """Return the description of a chosen stream, with the session's corrections.

    Parameters
    ----------
    found : OfferedStream
        The stream, fully described.
    choice : StreamChoice
        What the session says of it.

    Returns
    -------
    StreamInfo
        The description that the runtime goes by.

    Raises
    ------
    StreamError
        If the description contradicts itself or the session.
    UnitError
        If the session's unit is none, or contradicts one that the stream declares.
    """
    where = _where(choice)
    if found.n_channels < 1 or found.dtype == "undefined":
        msg = f"{found} has no samples that could be received: {found.n_channels} x {found.dtype}."
        raise StreamError(msg)
    ch_names = tuple(_labels(found, choice, where))
    _must_be_there("rename", choice.rename, ch_names, found, where)
    ch_names = tuple(choice.rename.get(label, label) for label in ch_names)
    _must_be_there("factors", choice.factors, ch_names, found, where)
    repeated = sorted(label for label, count in Counter(ch_names).items() if count > 1)
    if repeated:
        msg = (
            f"Channel labels must differ; {found} has {', '.join(repeated)} more than once. Give "
            f"the labels by ch_names, {where}."
        )
        raise StreamError(msg)
    described = len(found.units) == found.n_channels
    units = found.units if described else ("",) * found.n_channels
    info = StreamInfo(
        modality=choice.modality,
        name=found.name,
        stype=found.stype,
        source_id=found.source_id,
        ch_names=ch_names,
        sfreq=found.sfreq if choice.sfreq is None else choice.sfreq,
        units=units,
        is_text=found.dtype == "text",
        simulated=found.simulated,
        about=dict(found.about),
        factors=dict(choice.factors),
    )
    return info if choice.unit is None else declare_unit(info, choice.unit)


def differences(first: StreamInfo, again: StreamInfo) -> list[str]:
    """Return what a stream that came back changed, as ``what: old -> new``."""
    what = {
        "channels": (first.n_channels, again.n_channels),
        "labels": (" ".join(first.ch_names), " ".join(again.ch_names)),
        "rate in Hz": (first.sfreq, again.sfreq),
        "units": (_units(first), _units(again)),
        "text": (first.is_text, again.is_text),
        "simulated": (first.simulated, again.simulated),
        "TR in s": (first.about.get("acquisition.tr_s"), again.about.get("acquisition.tr_s")),
    }
    return [f"{word}: {old} -> {new}" for word, (old, new) in what.items() if old != new]


def _must_be_there(
    key: str, named: Iterable[str], ch_names: Sequence[str], found: OfferedStream, where: str
) -> None:
    """Refuse a key of the session file that names channels which are not there."""
    unknown = sorted(set(named) - set(ch_names))
    if not unknown:
        return
    near = {label: _near(label, ch_names) for label in unknown}
    hints = [f"{label!r}" + (f" ({n!r}?)" if n else "") for label, n in near.items()]
    msg = (
        f"{key}, {where}, must name channels that {found} has; it has no {', '.join(hints)}. Its "
        f"channels: {', '.join(ch_names)}."
    )
    raise StreamError(msg)


def _labels(found: OfferedStream, choice: StreamChoice, where: str) -> Sequence[str]:
    given = found.ch_names if choice.ch_names is None else choice.ch_names
    speaker = "its sender describes" if choice.ch_names is None else f"ch_names, {where}, has"
    n_named = sum(1 for label in given if label)
    if n_named == 0 and (found.n_channels == 1 or found.dtype == "text"):
        return [f"{found.name}-{i}" for i in range(found.n_channels)]  # markers need no labels
    if n_named == 0:
        msg = (
            f"{found} has no channel labels. Give them in the amplifier's software, or by "
            f"ch_names: [...], {where}, in the order of the channels."
        )
        raise StreamError(msg)
    if len(given) != found.n_channels:
        msg = f"{found} has {found.n_channels} channels, but {speaker} {len(given)}."
        raise StreamError(msg)
    if n_named < len(given):
        nameless = ", ".join(str(i + 1) for i, label in enumerate(given) if not label)
        msg = f"Every channel needs a label; {found} has none for channel {nameless}."
        raise StreamError(f"{msg} Give all labels by ch_names, {where}.")
    return given


def _asked(choice: StreamChoice) -> dict[str, str]:
    return {a: getattr(choice, a) for a in KEYS.values() if getattr(choice, a) is not None}


def _where(choice: StreamChoice) -> str:
    return f"under streams: {choice.modality}: in the session file"


def _wish(choice: StreamChoice) -> str:
    asked = [f"{key} {getattr(choice, a)!r}" for key, a in KEYS.items() if getattr(choice, a)]
    return f"{' and '.join(asked) or 'no condition'} (modality {choice.modality!r})"


def _listed(streams: Sequence[OfferedStream]) -> list[str]:
    return [f"  {stream}" for stream in sorted(streams, key=str)]


def _near(word: str, known: Sequence[str]) -> str | None:
    folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def _units(info: StreamInfo) -> str:
    words = [unit or "undeclared" for unit in info.units]
    return words[0] if len(set(words)) == 1 else " ".join(words)
