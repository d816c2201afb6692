"""Frames of fMRI made by hand for tests of the chain from chunks to windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtaffect.core.spec import RoiSpec, WindowSpec
from rtaffect.core.streams import Chunk, Event, StreamInfo, Tick

REGIONS = ("A8m_L", "A8m_R", "rAmyg_L", "rAmyg_R", "lINS_R")
TR_S = 2.0

ROI_SPEC = RoiSpec(ch_names=REGIONS, sfreq=0.5, n_settle=3)
FRAMES = WindowSpec(
    window_s=12.0,
    hop_s=TR_S,
    max_wait_s=3.0,
    stale_s=8.0,
    closes="roi",
    modalities={"roi": ROI_SPEC},
)


def roi_info(**changes: object) -> StreamInfo:
    """Describe a stream of the regions, in another order and with one that nobody wants."""
    given: dict[str, object] = {
        "modality": "roi",
        "name": "rtaffect-roi",
        "stype": "fMRI",
        "ch_names": ("Cerebellum", *REGIONS[::-1]),
        "sfreq": 0.0,
    }
    return StreamInfo(**(given | changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Frame:
    """One frame: when it was acquired, when it came, and a value a region of `REGIONS`."""

    stamp_s: float
    t_received: float
    values: np.ndarray

    def column(self) -> np.ndarray:
        """The values in the order of `roi_info`."""
        return np.concatenate([[-1.0], self.values[::-1]]).astype(np.float32)


def frames(n: int, *, t_start: float = 100.0, seed: int = 0, delay_s: float = 0.5) -> list[Frame]:
    """Return frames that come at every TR, each some time after it was acquired."""
    rng = np.random.default_rng(seed)
    values = rng.normal(100.0, 3.0, (n, len(REGIONS)))
    stamps = t_start + TR_S * np.arange(n)
    return [Frame(t, t + delay_s, v) for t, v in zip(stamps.tolist(), values, strict=True)]


def events_of(given: Sequence[Frame], *, until: float | None = None) -> list[Event]:
    """Return chunks of one frame each, and a tick every half second, in the order of arrival."""
    events: list[Event] = [
        Chunk("roi", frame.column()[:, None], np.array([frame.stamp_s]), frame.t_received)
        for frame in given
    ]
    first = min(frame.t_received for frame in given)
    last = max(frame.t_received for frame in given) if until is None else until
    events += [Tick(t) for t in np.arange(np.floor(first), last + 0.5, 0.5).tolist()]
    return sorted(events, key=lambda event: event.t_received)
