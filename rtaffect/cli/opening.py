"""From settings to what runs: the live source, and decoders with their baselines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtaffect.core.errors import BaselineError, BundleError

if TYPE_CHECKING:
    from rtaffect.bundle import Bundle
    from rtaffect.cli.resting import RestCommand
    from rtaffect.config import Session
    from rtaffect.config.fusion import FusionSettings
    from rtaffect.config.mr import MrSettings
    from rtaffect.config.session import DecoderSettings
    from rtaffect.config.volumes import VolumeStreamSettings
    from rtaffect.core.clock import Clock
    from rtaffect.core.conditioner import Conditioner
    from rtaffect.core.streams import Source, StreamInfo
    from rtaffect.decode.baseline import Baseline
    from rtaffect.decode.decoder import Decoder
    from rtaffect.decode.fusion import Fusion
    from rtaffect.sources.fieldtrip import FieldTripSource
    from rtaffect.sources.lsl import LslSource
    from rtaffect.sources.recording import RecordingSource


def open_live_source(settings: "Session", *, hop_s: float) -> "tuple[Source, Clock]":
    """Return an open source of the session's streams, and the runtime's clock.

    Parameters
    ----------
    settings : Session
        Says which streams.
    hop_s : float
        The shortest distance of windows, in seconds: as often it ticks.
    """
    from rtaffect.sources.lsl_inlet import local_clock

    source = _other_streams(settings, hop_s=hop_s, clock=local_clock)
    volumes = settings.streams.volume
    if volumes is not None:
        return _with_volumes(volumes, source, hop_s=hop_s, clock=local_clock), local_clock
    assert source is not None, "a session has a stream"
    return source.open(), local_clock


def _other_streams(
    settings: "Session", *, hop_s: float, clock: "Clock"
) -> "LslSource | FieldTripSource | None":
    """Return the source, not yet open, of all streams but volumes; None where there are none."""
    choices = settings.choices()
    if settings.source.kind == "fieldtrip":
        from rtaffect.sources.fieldtrip import FieldTripSource

        (choice,) = (choice for choice in choices if choice.modality == "eeg")
        return FieldTripSource(
            choice,
            host=settings.source.host or "127.0.0.1",
            port=settings.source.port or 1972,
            tick_s=hop_s,
            clock=clock,
        )
    if not choices:
        return None
    from rtaffect.sources.lsl import LslSource

    return LslSource(choices, tick_s=hop_s)


def _with_volumes(
    settings: "VolumeStreamSettings",
    beside: "LslSource | FieldTripSource | None",
    *,
    hop_s: float,
    clock: "Clock",
) -> "Source":
    """Return an open source of volumes, and of the streams of another one if there are any."""
    from rtaffect.sources.volumes import VolumeSource

    if beside is not None:
        beside.open()
    try:
        return VolumeSource(
            settings.address,
            beside=beside,
            tick_s=hop_s,
            required=settings.required,
            clock=clock,
        ).open()
    except BaseException:
        if beside is not None:
            beside.close()
        raise


def open_conditioner(
    mr: "MrSettings | None", infos: "Mapping[str, StreamInfo]"
) -> "Conditioner | None":
    """Return what takes the scanner's artifacts out of EEG; None where nothing is to be done.

    Parameters
    ----------
    mr : MrSettings or None
        What the session says of the scanner.
    infos : mapping of str to StreamInfo
        The streams, by modality.

    Raises
    ------
    ConfigError
        The streams do not allow it.
    """
    if mr is None or (spec := mr.spec) is None:
        return None
    from rtaffect.cli.running import tell
    from rtaffect.signal.mr import MrCorrector

    corrector = MrCorrector(spec, infos)
    tell(f"EEG: the scanner's artifacts are subtracted, {corrector.words}.")
    return corrector


def lived_mr(settings: "Session | None", source: "RecordingSource") -> "MrSettings | None":
    """Return what a replay is to do about the scanner: what the file says, else what was done live.

    Parameters
    ----------
    settings : Session or None
        From the session file, if one was given.
    source : RecordingSource
        What is replayed.

    Raises
    ------
    ConfigError
        The recording's own settings are damaged.
    """
    if settings is not None and settings.mr is not None:
        return settings.mr
    lived = source.settings.get("mr")
    if lived is None:
        return None
    from rtaffect.config.mr import MrSettings
    from rtaffect.config.reading import validated

    return validated(lived, MrSettings, where="What the recording says of mr")


def open_decoders(
    wanted: "Sequence[DecoderSettings]",
    infos: "Mapping[str, StreamInfo]",
    *,
    provider: str,
    rest: "RestCommand",
    baselines: Sequence[Path] = (),
    recorded: Mapping[str, Any] | None = None,
) -> "list[Decoder]":
    """Return a decoder for each entry, once every one of them fits the streams.

    Parameters
    ----------
    wanted : sequence of DecoderSettings
        The entries.
    infos : mapping of str to StreamInfo
        The streams, by modality.
    provider : {"auto", "cpu", "cuda"}
        Where models run.
    rest : RestCommand
        Takes a baseline again where one does not fit.
    baselines : sequence of Path
        Files from the command line; each belongs to the decoders of the model that made it, and
        goes before what the recording holds, which goes before what the entry names.
    recorded : mapping of str to JSON, optional
        Baselines that a recording holds, by name of the decoder.

    Raises
    ------
    BundleError
        A bundle is not whole, or does not fit.
    BaselineError
        A baseline is not whole, or belongs to another model.
    """
    from rtaffect.bundle import find_bundle, load_bundle
    from rtaffect.decode.decoder import Decoder

    bundles = [(entry, load_bundle(find_bundle(entry.bundle))) for entry in wanted]
    names = [entry.name or bundle.manifest.name for entry, bundle in bundles]
    if len(set(names)) < len(names):
        msg = f"Decoders must differ in name, got {', '.join(names)}. Give each a `name`."
        raise BundleError(msg)
    for entry, bundle in bundles:
        check_fit(entry, bundle, infos)
    given = _read_all(baselines, [bundle for _, bundle in bundles], rest)
    return [
        Decoder(
            bundle,
            name=name,
            infos=infos,
            provider=provider,
            baseline=given.get(bundle.digest)
            or _recorded(name, bundle, recorded or {})
            or _named(entry, bundle, rest),
        )
        for name, (entry, bundle) in zip(names, bundles, strict=True)
    ]


def open_fusion(decoders: "Sequence[Decoder]", settings: "FusionSettings") -> "Fusion | None":
    """Return what makes one estimate of several; None where there is nothing to fuse.

    Raises
    ------
    ConfigError
        The settings ask for what cannot be.
    """
    from rtaffect.decode.fusion import Fusion
    from rtaffect.decode.membership import membership_of

    membership = membership_of({d.name: d.bundle for d in decoders}, settings)
    return None if membership is None else Fusion(membership, settings)


def check_fit(
    entry: "DecoderSettings", bundle: "Bundle", infos: "Mapping[str, StreamInfo]"
) -> None:
    """Check that a bundle fits the streams.

    Raises
    ------
    BundleError
        It does not; the message says every difference.
    """
    from rtaffect.bundle import explain_mismatch

    modalities = bundle.manifest.windows.modalities if entry.interpolate else ()
    if problems := explain_mismatch(bundle.manifest, infos, interpolate=modalities):
        msg = "\n  ".join(
            [f"The bundle {entry.bundle!r} does not fit the streams at hand:", *problems]
        )
        raise BundleError(msg)


def interpolated(wanted: "Sequence[DecoderSettings]", decoders: "Sequence[Decoder]") -> list[str]:
    """Return the names of the decoders that may rebuild missing channels."""
    return [d.name for entry, d in zip(wanted, decoders, strict=True) if entry.interpolate]


def _read_all(
    files: Sequence[Path], bundles: "Sequence[Bundle]", rest: "RestCommand"
) -> "dict[str, Baseline]":
    """Return baselines by the digest of their model, each of which must be among the bundles."""
    found: dict[str, Baseline] = {}
    for file in files:
        baseline = _read(file, bundles, rest)
        if baseline.bundle_digest in found:
            msg = (
                f"One model takes one baseline, and {file} is a second one of {baseline.bundle!r}."
            )
            raise BaselineError(msg)
        found[baseline.bundle_digest] = baseline
    return found


def _read(file: Path, bundles: "Sequence[Bundle]", rest: "RestCommand") -> "Baseline":
    """Return a baseline, which must have been made for one of the bundles."""
    from rtaffect.decode.baseline import read_baseline

    baseline = read_baseline(file)
    if baseline.bundle_digest not in {bundle.digest for bundle in bundles}:
        takers = [b for b in bundles if b.manifest.rest is not None] or bundles
        again = [b for b in takers if b.manifest.name == baseline.bundle] or takers
        at_hand = ", ".join(f"{b.manifest.name!r} (digest {b.digest[:12]})" for b in bundles)
        msg = (
            f"The baseline {file} must have been made for a model that is loaded: it was made for "
            f"{baseline.bundle!r} (digest {baseline.bundle_digest[:12]}), and loaded is {at_hand}. "
        )
        if any(b.manifest.name == baseline.bundle for b in bundles):
            msg += "The model was replaced since. "
        if again[0].manifest.rest is None:
            msg += "It takes no baseline: leave it out."
        else:
            commands = ", or ".join(rest.for_bundle(b) for b in again)
            msg += f"Make it again with {commands}; or give the model that it was made for."
        raise BaselineError(msg)
    return baseline


def _recorded(name: str, bundle: "Bundle", recorded: Mapping[str, Any]) -> "Baseline | None":
    """Return what the recording holds for this decoder, or else for another of the same model."""
    from rtaffect.decode.baseline import recorded_baseline

    kept = {key: recorded_baseline(told) for key, told in recorded.items()}
    fitting = {key: b for key, b in kept.items() if b.bundle_digest == bundle.digest}
    return fitting.get(name) or next(iter(fitting.values()), None)


def _named(entry: "DecoderSettings", bundle: "Bundle", rest: "RestCommand") -> "Baseline | None":
    """Return what the entry in the session file names."""
    return None if entry.baseline is None else _read(Path(entry.baseline), [bundle], rest)
