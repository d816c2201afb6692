"""Every LSL outlet of ours: estimates, and streams sent for a recording or a simulator."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rtaffect import wire
from rtaffect.core.arrivals import OWN_PREFIX
from rtaffect.core.errors import PublishError
from rtaffect.core.estimate import Estimate
from rtaffect.core.health import Health
from rtaffect.core.lsl_settings import lsl_settings
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.streams import Chunk, Event, StreamInfo
from rtaffect.core.window import Flag

try:
    import pylsl
except (RuntimeError, OSError) as missing:
    MISSING = (
        "LSL's library (liblsl) must be installed beside pylsl, and it could not be loaded "
        f"({missing}): `pip install --force-reinstall pylsl`, or `conda install -c conda-forge "
        "liblsl`."
    )
    raise PublishError(MISSING) from missing

with suppress(NotImplementedError):  # liblsl older than 1.17.7: its log lines stay on the screen
    pylsl.set_config_content(lsl_settings())

ESTIMATE_TYPE = f"{OWN_PREFIX}estimate"
FLAG_BITS: dict[Flag, int] = {flag: 1 << i for i, flag in enumerate(Flag)}
"""What each flag adds to the number in a modality's flag channel."""

DTYPES = {"float32": pylsl.cf_float32, "float64": pylsl.cf_double64}
RESERVED_STAMPS = (0.0, -1.0)  # LSL takes these for "now" and "go on from the last one"


@contextmanager
def _lsl_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        msg = f"LSL's library refused to send the stream {name!r}: {error}"
        raise PublishError(msg) from error


def _outlet(
    info: StreamInfo,
    channel_format: int,
    notes: Mapping[str, str],
    channel_notes: Sequence[Mapping[str, str]] = (),
) -> pylsl.StreamOutlet:
    """Open an outlet whose description holds labels, units and notes; a dot in a key nests it."""
    if not info.source_id or not info.ch_names:
        msg = (
            f"A stream that is sent must have a source_id and channels, got {info.source_id!r} and "
            f"{info.n_channels} channels for {info.name!r}."
        )
        raise PublishError(msg)
    with _lsl_errors(info.name):
        described = pylsl.StreamInfo(
            info.name, info.stype, info.n_channels, info.sfreq, channel_format, info.source_id
        )
        desc = described.desc()
        channels = desc.append_child("channels")
        units = info.units or ("",) * info.n_channels
        more = channel_notes or ({},) * info.n_channels
        for label, unit, about in zip(info.ch_names, units, more, strict=True):
            channel = channels.append_child("channel")
            for key, value in {"label": label, "unit": unit, **about}.items():
                channel.append_child_value(key, value)
        simulated = str(info.simulated).lower()
        for key, value in {"simulated": simulated, **info.about, **notes}.items():
            *groups, name = key.split(".")
            _descend(desc, groups).append_child_value(name, value)
        return pylsl.StreamOutlet(described)


def _descend(node: Any, names: Sequence[str]) -> Any:
    """Return the element at the end of a path, made where there is none."""
    for name in names:
        child = node.child(name)
        node = node.append_child(name) if child.empty() else child
    return node


class LslSender:
    """Sends streams as their descriptions say, each sample with its own stamp.

    Parameters
    ----------
    infos : sequence of StreamInfo
        What to send; each needs a `source_id`, so that receivers find it again.
    dtype : {"float32", "float64"}
        What numbers travel as; amplifiers send float32.
    channel_notes : mapping of str to sequence of mapping of str to str
        By modality: what else the description says of each channel.

    Raises
    ------
    PublishError
        A description is not complete, or LSL refuses it.
    """

    def __init__(
        self,
        infos: Sequence[StreamInfo],
        *,
        dtype: Literal["float32", "float64"] = "float32",
        channel_notes: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
    ) -> None:
        self._infos = {info.modality: info for info in infos}
        self._outlets = {
            info.modality: _outlet(
                info,
                pylsl.cf_string if info.is_text else DTYPES[dtype],
                {},
                (channel_notes or {}).get(info.modality, ()),
            )
            for info in infos
        }

    def push(self, chunk: Chunk) -> None:
        """Send a chunk with the stamps that it has; pacing is the caller's.

        Parameters
        ----------
        chunk : Chunk
            Samples of shape (n_channels, n_times) of one of the streams.

        Raises
        ------
        PublishError
            The chunk is of none of the streams, or has another number of channels.
        """
        info = self._infos.get(chunk.modality)
        if info is None or len(chunk.data) != info.n_channels:
            msg = (
                f"A chunk must be of one of {', '.join(self._infos)} and have its channels, got "
                f"{len(chunk.data)} channels of {chunk.modality!r}."
            )
            raise PublishError(msg)
        if not chunk.data.shape[1]:
            return
        samples = np.ascontiguousarray(chunk.data.T)
        with _lsl_errors(info.name):
            self._outlets[chunk.modality].push_chunk(
                [[str(text) for text in row] for row in samples] if info.is_text else samples,
                _sendable(chunk.stamps_s).tolist(),
            )

    def has_consumers(self, modality: str) -> bool:
        """Return whether anybody receives a stream right now."""
        return bool(self._outlets[modality].have_consumers())

    def close(self) -> None:
        """End every stream."""
        self._outlets.clear()


def _sendable(stamps_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return stamps with those that LSL reserves moved by the smallest step there is."""
    return np.where(np.isin(stamps_s, RESERVED_STAMPS), np.nextafter(stamps_s, np.inf), stamps_s)


class LslPublisher:
    """Sends the estimates of each decoder as an LSL stream; a `rtaffect.core.sinks.Sink`.

    The type is ``rtaffect-estimate``, the rate irregular, the stamp of a sample the end of its
    window, so that recorders keep estimates beside the signals. Channels, by target:
    ``<target>_expected`` and ``<target>_spread`` (ordered targets), ``<target>_p_<class>``; then
    ``confidence``, ``n_slices``, ``lag_s`` and, by modality, ``<modality>_coverage`` and
    ``<modality>_flags`` (a sum of the bits that the description lists under ``flag_bits``), and
    ``baseline_flags`` of a model that takes one. Targets without an answer are NaN.

    Parameters
    ----------
    session : wire.Session
        What runs.
    session_id : str
        Tells this session from others; part of the streams' source_id.

    Raises
    ------
    PublishError
        LSL refuses to open a stream.
    """

    def __init__(self, session: wire.Session, *, session_id: str) -> None:
        self._decoders = session.decoders
        self._outlets = {
            name: _outlet(
                StreamInfo(
                    modality=name,
                    name=f"rtaffect {name}",
                    stype=ESTIMATE_TYPE,
                    source_id=f"{ESTIMATE_TYPE}-{name}-{session_id}",
                    ch_names=tuple(label for label, _ in _channels(decoder)),
                    units=tuple(unit for _, unit in _channels(decoder)),
                    sfreq=pylsl.IRREGULAR_RATE,
                    simulated=session.simulated,
                ),
                pylsl.cf_double64,
                {
                    "decoder": name,
                    "session_id": session_id,
                    "bundle_digest": decoder.bundle_digest,
                    "leaky": str(decoder.leaky).lower(),
                    "rtaffect_version": session.rtaffect_version,
                    "flag_bits": " ".join(f"{flag}={bit}" for flag, bit in FLAG_BITS.items()),
                },
            )
            for name, decoder in session.decoders.items()
        }

    def on_event(self, event: Event) -> None:
        """Ignore events."""

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:  # noqa: ARG002
        """Send an estimate as one sample."""
        values = _values(estimate, self._decoders[estimate.decoder])
        with _lsl_errors(estimate.decoder):
            stamp = _sendable(np.array([estimate.t_end]))
            self._outlets[estimate.decoder].push_sample(values, float(stamp[0]))

    def on_health(self, health: Health) -> None:
        """Ignore health."""

    def wants_matrices(self, decoder: str) -> bool:  # noqa: ARG002
        """Return False: matrices do not travel here."""
        return False

    def on_matrix(self, matrix: Matrix) -> None:
        """Ignore matrices."""

    def close(self) -> None:
        """End the streams."""
        self._outlets.clear()


def _channels(decoder: wire.DecoderInfo) -> Iterator[tuple[str, str]]:
    """Yield label and unit of each channel, in the order of `_values`."""
    for name, target in decoder.targets.items():
        if target.edges:
            yield f"{name}_expected", "-1..1"
            yield f"{name}_spread", "-1..1"
        for word in target.classes:
            yield f"{name}_p_{word}", "probability"
    yield "confidence", "0..1"
    yield "n_slices", "count"
    yield "lag_s", "s"
    for modality in decoder.modalities:
        yield f"{modality}_coverage", "0..1"
        yield f"{modality}_flags", "bits"
    if decoder.takes_baseline:
        yield "baseline_flags", "bits"


def _values(estimate: Estimate, decoder: wire.DecoderInfo) -> list[float]:
    values: list[float] = []
    for name, info in decoder.targets.items():
        target = estimate.targets.get(name)
        if info.edges:
            values += [target.expected, target.spread] if target else [np.nan, np.nan]
        values += target.probabilities if target else [np.nan] * len(info.classes)
    values += [estimate.confidence, estimate.n_slices, estimate.lag_s]
    for modality in decoder.modalities:
        values += [estimate.coverage.get(modality, 0.0), _bits(estimate, modality)]
    return [*values, _bits(estimate, "baseline")] if decoder.takes_baseline else values


def _bits(estimate: Estimate, modality: str) -> int:
    return sum(FLAG_BITS[flag] for owner, flag in estimate.flags if owner == modality)
