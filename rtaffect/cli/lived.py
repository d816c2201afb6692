"""What a session had live and a replay lacks: its models, and its person's baseline."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rtaffect.cli.running import tell
from rtaffect.text import printable

if TYPE_CHECKING:
    from rtaffect.cli.resting import RestCommand
    from rtaffect.config.fusion import FusionSettings
    from rtaffect.config.session import DecoderSettings
    from rtaffect.decode.decoder import Decoder
    from rtaffect.sources.recording import RecordingSource


def tell_differences(
    source: "RecordingSource", decoders: "Sequence[Decoder]", rest: "RestCommand"
) -> None:
    """Say of a session's own recording why these estimates are not those of the session.

    Parameters
    ----------
    source : RecordingSource
        What is replayed.
    decoders : sequence of Decoder
        What decodes it now.
    rest : RestCommand
        Takes a baseline again.
    """
    now = {decoder.bundle.digest: decoder.bundle.manifest.name for decoder in decoders}
    absent = {digest: name for digest, name in source.bundles.items() if digest not in now}
    if absent:
        new = [_model(n, d) for d, n in now.items() if d not in source.bundles]
        here = (
            f"Here it is decoded by {' and '.join(new)}: these estimates are not those of then."
            if new
            else "Without it only the other estimates of the session are here."
        )
        tell(f"Note: {decoded_live_by(absent)} {here}")
    without = [d for d in decoders if d.bundle.manifest.rest is not None and d.baseline is None]
    for decoder in without:
        for name, kept in source.baselines.items():
            made_for = _model(kept["bundle"], kept["bundle_digest"])
            loaded = _model(decoder.bundle.manifest.name, decoder.bundle.digest)
            tell(
                f"Note: the recording holds a baseline of decoder {printable(name)!r}, made for "
                f"{made_for}. Loaded is {loaded}, which cannot take it: give the model that it was "
                f"made for, or make a baseline again with {rest.for_bundle(decoder.bundle)}."
            )


def decoded_live_by(bundles: Mapping[str, str]) -> str:
    """Return which models a session had live, and how to give them.

    Parameters
    ----------
    bundles : mapping of str to str
        Their names, by digest.
    """
    models = " and ".join(_model(name, digest) for digest, name in bundles.items())
    shipped = shipped_by_digest()
    if all(digest in shipped for digest in bundles):
        it = "They are" if len(bundles) > 1 else "It is"
        how = f"{it} shipped: without `--bundle` and `--session` the same decode it again."
    elif len(bundles) > 1:
        how = "Give them with `--session FILE`, a session file that names all of them."
    else:
        how = (
            "Give it with `--bundle FOLDER`, the folder of that model (`rtaffect bundle show "
            "FOLDER` says its digest), or with `--session FILE`, the session file."
        )
    return f"This session was decoded live by {models}. {how}"


def lived_decoders(
    source: "RecordingSource", *, interpolate: bool
) -> "tuple[DecoderSettings, ...]":
    """Return the decoders of a session as they were live; none unless every model is shipped.

    Parameters
    ----------
    source : RecordingSource
        What is replayed.
    interpolate : bool
        Let all rebuild missing channels, also those that did not.

    Raises
    ------
    ConfigError
        The recording's own settings are damaged.
    """
    from rtaffect.config.reading import validated
    from rtaffect.config.session import DecoderSettings

    shipped = shipped_by_digest()
    entries = source.settings.get("decoders")
    rebuilt = {
        str(entry.get("name")): entry.get("interpolate") is True
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    }
    if not all(digest in shipped for digest in source.digests.values()):
        return ()
    return tuple(
        validated(
            {
                "bundle": shipped[digest],
                "name": name,
                "interpolate": interpolate or rebuilt.get(name, False),
            },
            DecoderSettings,
            where="What the recording says of its decoders",
        )
        for name, digest in source.digests.items()
    )


def lived_fusion(source: "RecordingSource", decoders: "Sequence[Decoder]") -> "FusionSettings":
    """Return how these decoders were fused live; as by default where they are others.

    Parameters
    ----------
    source : RecordingSource
        What is replayed.
    decoders : sequence of Decoder
        What decodes it now.

    Raises
    ------
    ConfigError
        The recording's own settings are damaged.
    """
    from rtaffect.config.fusion import FusionSettings
    from rtaffect.config.reading import validated

    lived = source.settings.get("fusion")
    if lived is None or {d.name: d.bundle.digest for d in decoders} != source.digests:
        return FusionSettings()
    return validated(lived, FusionSettings, where="What the recording says of fusion")


def shipped_by_digest() -> dict[str, str]:
    """Return the names of the shipped bundles, by digest."""
    from rtaffect.bundle import load_bundle, shipped_bundles

    return {load_bundle(path).digest: name for name, path in shipped_bundles().items()}


def _model(name: str, digest: str) -> str:
    return f"{printable(name)!r} (digest {printable(digest)[:12]})"
