"""Events made by hand for tests of the chain from chunks to windows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15
from rtaffect.core.spec import FrameSpec, QualitySpec, SignalSpec, WindowSpec
from rtaffect.core.streams import Chunk, Event, StreamInfo, Tick
from rtaffect.core.window import Window

SPEC = WindowSpec(
    modalities={
        "eeg": SignalSpec(ch_names=EEG_15, quality=QualitySpec(amplitude_uv=500.0)),
        "face": FrameSpec(ch_names=FACE_FEATURES),
    }
)
BANDS_HZ = {"theta": (4.0, 8.0), "alpha": (8.0, 14.0), "beta": (14.0, 31.0), "gamma": (31.0, 45.0)}
BANKED = WindowSpec(
    modalities={
        "eeg": SignalSpec(
            ch_names=EEG_15, quality=QualitySpec(amplitude_uv=500.0), bands_hz=BANDS_HZ
        )
    }
)
EEG_INFO = StreamInfo(
    modality="eeg", name="amp", stype="EEG", ch_names=EEG_15, sfreq=256.0, units=("uV",) * 15
)
FACE_INFO = StreamInfo(
    modality="face",
    name="camera",
    stype="Face",
    ch_names=(*FACE_FEATURES, "confidence", "success"),
    sfreq=0.0,
    units=("",) * 31,
)
INFOS = {"eeg": EEG_INFO, "face": FACE_INFO}


@dataclass
class ListSource:
    """A source of given events."""

    given: Sequence[Event]
    infos: Mapping[str, StreamInfo] = field(default_factory=lambda: INFOS)
    n_waiting: int = 0

    def events(self) -> Iterator[Event]:
        yield from self.given

    def close(self) -> None:
        """Nothing to let go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def eeg_samples(stamps: np.ndarray, seed: int = 0) -> np.ndarray:
    """Sines and noise, a function of the stamps alone."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (15, 3))
    hz = np.array([6.0, 10.0, 21.0])
    waves = np.sin(2 * np.pi * hz[None, :, None] * stamps[None, None] + phase[..., None]).sum(
        axis=1
    )
    return 8.0 * waves + rng.normal(0, 2.0, (15, len(stamps))) + 1000.0


def session(
    duration_s: float,
    *,
    t_start: float = 100.0,
    seed: int = 0,
    eeg_chunk: int = 8,
    lost_s: Sequence[tuple[float, float]] = (),
    face: bool = True,
    face_until_s: float = np.inf,
) -> list[Event]:
    """Return the events of a session in engine order: EEG, face frames and ticks.

    `lost_s` are (start, stop) pairs after `t_start` of EEG that never arrives.
    """
    stamps = t_start + np.arange(int(duration_s * 256)) / 256.0
    samples = eeg_samples(stamps, seed)
    keep = np.ones(len(stamps), dtype=bool)
    for a, b in lost_s:
        keep &= (stamps < t_start + a) | (stamps >= t_start + b)
    events: list[Event] = []
    for at in range(0, len(stamps), eeg_chunk):
        part = slice(at, at + eeg_chunk)
        if keep[part].any():
            chosen = keep[part]
            arrival = float(stamps[part][-1]) + 0.002
            events.append(Chunk("eeg", samples[:, part][:, chosen], stamps[part][chosen], arrival))
    if face:
        rng = np.random.default_rng(seed + 1)
        times = t_start + np.arange(int(min(duration_s, face_until_s) * 30)) / 30.0
        times += rng.uniform(0, 0.004, len(times))
        frames = rng.uniform(0, 5, (31, len(times)))
        frames[29:] = 1.0
        events += [
            Chunk("face", frames[:, i : i + 1], times[i : i + 1], float(times[i]) + 0.015)
            for i in range(len(times))
        ]
    events += [Tick(t) for t in np.arange(t_start, t_start + duration_s + 2.0, 0.25).tolist()]
    return sorted(events, key=lambda event: event.t_received)


def same_windows(a: Sequence[Window], b: Sequence[Window]) -> None:
    """Assert that two lists of windows are equal in every bit."""
    assert [w.index for w in a] == [w.index for w in b]
    for one, other in zip(a, b, strict=True):
        assert (one.t_start, one.t_end, one.t_closed) == (
            other.t_start,
            other.t_end,
            other.t_closed,
        )
        assert one.modalities.keys() == other.modalities.keys()
        for modality, part in one.modalities.items():
            twin = other.modalities[modality]
            assert part.data.tobytes() == twin.data.tobytes(), (one.index, modality)
            assert (part.usable, part.coverage, part.flags) == (
                twin.usable,
                twin.coverage,
                twin.flags,
            )
            np.testing.assert_equal(part.t_newest, twin.t_newest)
