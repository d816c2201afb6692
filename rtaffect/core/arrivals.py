"""The layout of our own streams inside a recording; the recorder writes it, the replay reads it.

An XDF file keeps what each stream said. To replay a session bit for bit one must also know in which
order, and when, the engine got it: that is the *arrivals* stream, one row an event.

Volumes are not in the XDF file. Each is a NIfTI file in a folder beside it, and the stream of
volumes holds one JSON sample a volume: its header (see `rtaffect.core.volume_message`), the file's
name and sha256.
"""

from enum import IntEnum
from pathlib import Path

FORMAT = 1
"""Version of this layout; a recording of a later one is refused."""

OWN_PREFIX = "rtaffect-"
"""Streams of these types are ours, never a signal that anybody may select."""

SESSION_STYPE = "rtaffect-session"
"""One JSON sample: format, version, the streams with their numbers, the session's settings."""

ARRIVALS_STYPE = "rtaffect-arrivals"
"""One row an event, stamped with its arrival, channels `ARRIVAL_CHANNELS`, double64."""

EVENTS_STYPE = "rtaffect-events"
"""One JSON sample a stream event: modality, state, detail."""

ESTIMATES_STYPE = "rtaffect-estimates"
"""One JSON sample an estimate, stamped with its ``t_end``: the estimate and its timing."""

ARRIVAL_CHANNELS: tuple[str, ...] = ("kind", "stream", "n_samples", "t_received", "value")


class ArrivalKind(IntEnum):
    """What arrived: the first channel of the arrivals stream."""

    CHUNK = 0  # n_samples of the stream follow in its own stamps
    OFFSET = 1  # value is the clock offset in seconds
    TICK = 2
    STREAM_EVENT = 3  # the next sample of the events stream


def volumes_folder(recording: Path) -> Path:
    """Return where the volumes of a recording are: ``session_volumes`` of ``session.xdf``."""
    return recording.with_name(f"{recording.stem}_volumes")


def volume_file(number: int) -> str:
    """Return the name of the file of a recording's volume, counted from 0 as they arrived."""
    return f"{number:06d}.nii"
