"""The edge to LSL's library: what is on the network, and one connection to it.

Connections ask for raw stamps (``processing_flags=0``) and never recover by themselves: LSL's own
dejitter bends stamps for more than a minute after a dropout, and its own recovery hides the loss.
"""

import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rtaffect.core.arrivals import OWN_PREFIX
from rtaffect.core.clock import Clock
from rtaffect.core.errors import StreamError
from rtaffect.core.lsl_settings import lsl_settings
from rtaffect.sources.offered import MAX_ABOUT_DEPTH, kept_about

try:
    import pylsl
    import pylsl.util
except (RuntimeError, OSError) as missing:
    MISSING = (
        "LSL's library (liblsl) must be installed beside pylsl, and it could not be loaded on "
        f"this {platform.system()} {platform.machine()} ({missing}). On Windows (amd64), macOS "
        "and Linux x86_64 with glibc 2.35 or newer, `pip install --force-reinstall pylsl` brings "
        "it. Elsewhere (ARM, RHEL 8 and 9, Ubuntu 20.04, Debian 11): `conda install -c "
        "conda-forge liblsl`, a package from https://github.com/sccn/liblsl/releases, or `pip "
        "install mne-lsl` and the environment variable PYLSL_LIB set to the liblsl inside it."
    )
    raise StreamError(MISSING) from missing

with suppress(NotImplementedError):  # liblsl older than 1.17.7: its log lines stay on the screen
    pylsl.set_config_content(lsl_settings())

DTYPES = {
    pylsl.cf_float32: "float32",
    pylsl.cf_double64: "float64",
    pylsl.cf_string: "text",
    pylsl.cf_int8: "int8",
    pylsl.cf_int16: "int16",
    pylsl.cf_int32: "int32",
    pylsl.cf_int64: "int64",
}
BUFFER_S = 120  # LSL keeps this much of a stream that nobody pulls
DESCRIBE_S = 2.0

local_clock: Clock = pylsl.local_clock


class SenderLostError(StreamError):
    """The connection to the sender ended."""


class SenderTimeoutError(StreamError):
    """The sender did not answer in time."""


@contextmanager
def _lsl_errors(found: "FoundStream") -> Iterator[None]:
    try:
        yield
    except pylsl.util.LostError as error:
        msg = f"The connection to {found} ended."
        raise SenderLostError(msg) from error
    except pylsl.util.TimeoutError as error:
        msg = (
            f"{found} announces itself but did not answer in time; a firewall may block its ports "
            "(UDP and TCP 16572 to 16604)."
        )
        raise SenderTimeoutError(msg) from error
    except RuntimeError as error:
        msg = f"LSL's library refused to serve {found}: {error}"
        raise StreamError(msg) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStream:
    """A stream that is on the network.

    Parameters
    ----------
    name, stype, source_id, hostname, uid : str
        Name, LSL content type, the sender's identity ("" when it has none), its machine, and the
        identity of this very run of the sender.
    n_channels : int
        The number of channels.
    sfreq : float
        Nominal rate in Hz; 0.0 means irregular.
    dtype : str
        NumPy's word for the samples, or ``"text"``.
    ch_names, units : tuple of str
        Labels and units as described, one a described channel; empty when nothing is described.
    simulated : bool
        The sender declares that nobody was measured.
    about : mapping of str to str
        What else is described, by dotted key.
    problem : str
        Why the description could not be had; "" when it could.
    handle : object
        LSL's own description.
    """

    name: str
    stype: str
    source_id: str
    hostname: str
    uid: str
    n_channels: int
    sfreq: float
    dtype: str
    ch_names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    simulated: bool = False
    about: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    handle: Any = field(default=None, repr=False, compare=False)

    @property
    def selectable(self) -> bool:
        """Whether a session may listen to it: not to what rtaffect itself sends."""
        return not self.stype.startswith(OWN_PREFIX)

    def __str__(self) -> str:
        rate = f"{self.sfreq:g} Hz" if self.sfreq else "irregular"
        identity = f"source_id {self.source_id!r}" if self.source_id else "no source_id"
        return (
            f"{self.name!r} (type {self.stype!r}, {identity}, on {self.hostname}: "
            f"{self.n_channels} x {self.dtype}, {rate})"
        )


def library_version() -> str:
    """Return the version of LSL's library, as ``"1.18"``."""
    return "{}.{:02d}".format(*divmod(pylsl.library_version(), 100))


def resolve(wait_s: float) -> list[FoundStream]:
    """Return every stream that answers within a time in seconds, without its description."""
    return [_found(handle) for handle in pylsl.resolve_streams(wait_s)]


def resolve_again(
    lost: FoundStream, *, but: frozenset[str], timeout_s: float
) -> FoundStream | None:
    """Return another run of a sender, or None when none answers.

    Parameters
    ----------
    lost : FoundStream
        The sender: name, type and source_id are its identity.
    but : frozenset of str
        Runs (their `uid`) that are not wanted.
    timeout_s : float
        How long to wait, in seconds.

    Returns
    -------
    FoundStream or None
        The first that answers.
    """
    wanted = {"name": lost.name, "type": lost.stype, "source_id": lost.source_id}
    query = " and ".join(
        [
            *(f"{key}={_quoted(value)}" for key, value in wanted.items()),
            *(f"not(uid={_quoted(uid)})" for uid in sorted(but)),
        ]
    )
    handles = pylsl.resolve_bypred(query, 1, timeout_s)
    return _found(handles[0]) if handles else None


def discover(wait_s: float = 1.0, *, include_own: bool = False) -> list[FoundStream]:
    """Return the streams on the network with their descriptions, sorted by type and name.

    Parameters
    ----------
    wait_s : float
        How long to listen, in seconds; below half a second only some streams answer.
    include_own : bool
        Also those that rtaffect sends (estimates, a simulated participant's truth), which no
        session can select.

    Returns
    -------
    list of FoundStream
        What is there.
    """
    found = [stream for stream in resolve(wait_s) if include_own or stream.selectable]
    if not found:
        return []
    with ThreadPoolExecutor(max_workers=min(16, len(found))) as pool:
        return sorted(pool.map(_described, found), key=lambda s: (s.stype, s.name, s.source_id))


class Inlet:
    """One connection to one run of a sender, used by one thread.

    Parameters
    ----------
    found : FoundStream
        What to connect to.
    """

    def __init__(self, found: FoundStream) -> None:
        self.found = found
        with _lsl_errors(found):
            self._inlet = pylsl.StreamInlet(
                found.handle,
                max_buflen=BUFFER_S,
                recover=False,
                processing_flags=pylsl.proc_none,
                as_numpy=True,
            )

    def describe(self, timeout_s: float) -> FoundStream:
        """Return the stream with its full description."""
        with _lsl_errors(self.found):
            info = self._inlet.info(timeout_s)
        desc = info.desc()
        labels, units = [], []
        channel = desc.child("channels").child("channel")
        while not channel.empty():
            labels.append(channel.child_value("label").strip())
            units.append(channel.child_value("unit").strip())
            channel = channel.next_sibling("channel")
        return replace(
            self.found,
            ch_names=tuple(labels),
            units=tuple(units),
            simulated=desc.child_value("simulated").strip().lower() == "true",
            about=kept_about(_leaves(desc, ())),
        )

    def open(self, timeout_s: float) -> None:
        """Subscribe: from now on LSL keeps every sample until it is pulled."""
        with _lsl_errors(self.found):
            self._inlet.open_stream(timeout_s)

    def offset(self, timeout_s: float) -> float:
        """Return ``runtime clock - sender's clock`` in seconds; at once, but for the first time."""
        with _lsl_errors(self.found):
            return float(self._inlet.time_correction(timeout_s))

    def pull(self, timeout_s: float) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        """Wait for a sample, then return all that is there.

        Parameters
        ----------
        timeout_s : float
            How long to wait for the first sample, in seconds.

        Returns
        -------
        data : ndarray, shape (n_channels, n_times)
            Samples, C-contiguous, text decoded; ours to keep.
        stamps_s : ndarray of float64, shape (n_times,)
            Raw stamps on the sender's clock.
        """
        with _lsl_errors(self.found):
            samples, stamps_s = self._inlet.pull_chunk(timeout=timeout_s, min_samples=1)
        if self.found.dtype == "text":
            data = np.empty(samples.shape[::-1], dtype=object)
            for (i_time, i_channel), text in np.ndenumerate(samples):
                data[i_channel, i_time] = text.decode("utf-8", errors="backslashreplace")
            return data, stamps_s
        return samples.T.copy(order="C"), stamps_s

    def close(self) -> None:
        """Disconnect and destroy; nobody may be inside another method."""
        self._inlet.close_stream()
        del self._inlet


def _found(handle: Any) -> FoundStream:
    return FoundStream(
        name=handle.name(),
        stype=handle.type(),
        source_id=handle.source_id(),
        hostname=handle.hostname(),
        uid=handle.uid(),
        n_channels=handle.channel_count(),
        sfreq=handle.nominal_srate(),
        dtype=DTYPES.get(handle.channel_format(), "undefined"),
        handle=handle,
    )


def _described(found: FoundStream) -> FoundStream:
    inlet = Inlet(found)
    try:
        return inlet.describe(DESCRIBE_S)
    except StreamError as error:
        return replace(found, problem=str(error))
    finally:
        inlet.close()


def _leaves(element: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every text below an element, with the names that lead there."""
    child = element.first_child()
    while not child.empty():
        name = child.name()
        if child.first_child().is_text():
            yield (*path, name), child.child_value().strip()
        elif name != "channels" and len(path) < MAX_ABOUT_DEPTH:
            yield from _leaves(child, (*path, name))
        child = child.next_sibling()


def _quoted(text: str) -> str:
    """Return an XPath 1.0 literal, which knows no escapes."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    pieces = ', "\'", '.join(f"'{piece}'" for piece in text.split("'"))
    return f"concat({pieces})"
