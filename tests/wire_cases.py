"""A session and estimates that several tests publish."""

from rtaffect import wire
from rtaffect.core.estimate import Distribution, Estimate
from rtaffect.core.window import Flag

EDGES = (-1.0, -0.25, 0.25, 1.0)
CLASSES = ("low", "medium", "high")


def session(*decoders: str) -> wire.Session:
    """Return a session with some decoders of valence and a category."""
    return wire.Session(
        rtaffect_version="0.1.0",
        simulated=True,
        topics=(
            *("session/", "health/", "event/"),
            *(f"{kind}/{name}/" for name in decoders for kind in ("estimate", "dfcn")),
        ),
        decoders={
            name: wire.DecoderInfo(
                bundle_digest="d" * 64,
                simulated=True,
                modalities=("eeg", "face"),
                window_s=3.0,
                hop_s=0.25,
                targets={
                    "valence": wire.TargetInfo(classes=CLASSES, edges=EDGES),
                    "emotion": wire.TargetInfo(classes=("calm", "fear"), edges=()),
                },
            )
            for name in decoders
        },
        streams={},
    )


def estimate(decoder: str, t_end: float) -> Estimate:
    """Return an estimate with an answer."""
    return Estimate(
        decoder=decoder,
        t_start=t_end - 3.0,
        t_end=t_end,
        targets={
            "valence": Distribution(classes=CLASSES, probabilities=(0.2, 0.3, 0.5), edges=EDGES),
            "emotion": Distribution(classes=("calm", "fear"), probabilities=(0.9, 0.1)),
        },
        confidence=0.4,
        coverage={"eeg": 1.0, "face": 0.5},
        flags=(("eeg", Flag.SIMULATED), ("face", Flag.GAP), ("face", Flag.SIMULATED)),
        contributions={decoder: 1.0},
        n_slices=4,
        bundle_digest="d" * 64,
    )
