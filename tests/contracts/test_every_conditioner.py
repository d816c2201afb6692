"""What every step of the signal chain promises: causal, repeatable, its input left alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.core.spec import QualitySpec
from rtaffect.signal.blocks import BLOCKS_PER_S, Block, BlockCutter
from rtaffect.signal.filters import CausalFilter, filter_bank, highpass
from rtaffect.signal.montage import plan_montage
from rtaffect.signal.quality import QualityMonitor
from rtaffect.signal.reference import rereference
from rtaffect.signal.resample import GridResampler
from rtaffect.signal.timeline import Break, RegularTimeline, Span

SIGNAL = Path(__file__).parents[2] / "rtaffect" / "signal"
SFREQ = 256.0
HELPERS = {
    "__init__": "",
    "units": "factors, no state",
    "ring": "memory, held to a plain array in test_ring",
    "track": "the two tracks' common part",
    "signals": "the whole chain, held to the same in test_windows",
    "frames": "the whole chain of frames, held to the same in test_windows",
}
Step = Callable[[np.ndarray], np.ndarray]


def filtered() -> Step:
    return CausalFilter(highpass(1.0, order=2, sfreq=SFREQ), n_channels=3).process


def banked() -> Step:
    bank = filter_bank({"theta": (4.0, 8.0), "beta": (12.0, 30.0)}, n_channels=3, sfreq=SFREQ)
    return lambda block: np.concatenate([f.process(block) for f in bank.values()])


def referenced() -> Step:
    return lambda block: rereference(block, "average")


def mounted() -> Step:
    plan = plan_montage(("EEG Cz", "T3", "pz"), ("T7", "Cz", "Pz"))
    return plan.apply


def judged() -> Step:
    monitor = QualityMonitor(QualitySpec(), n_channels=3, sfreq=SFREQ)
    return lambda block: monitor.process(block)[:, None].astype(float)


EVERY: dict[str, tuple[str, Callable[[], Step]]] = {
    "high-pass": ("filters", filtered),
    "filter bank": ("filters", banked),
    "average reference": ("reference", referenced),
    "montage": ("montage", mounted),
    "quality": ("quality", judged),
    "timeline, blocks and resampler": ("timeline blocks resample", lambda: chained()),
}


def chained() -> Step:
    """The steps that work on stamps, from samples to grid samples, one 1/16 s at a time."""
    timeline = RegularTimeline(SFREQ, bridge_s=0.02)
    cutter, resampler = BlockCutter(), GridResampler(128.0, half_s=0.0625)
    n = 0

    def step(block: np.ndarray) -> np.ndarray:
        nonlocal n
        stamps = 100.0 + (n + np.arange(block.shape[1])) / SFREQ
        n += block.shape[1]
        spans = timeline.push(stamps, block, t_received=float(stamps[-1]))
        period_s = timeline.period_s
        cuts = [cut for span in spans for cut in cutter.push(span, period_s=period_s)]
        parts = [resampler.push(cut, period_s=period_s)[1] for cut in cuts]
        return np.concatenate([np.empty((3, 0)), *parts], axis=1)

    return step


def blocks_of(seed: int, n_blocks: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    n = int(SFREQ / BLOCKS_PER_S)
    signal = rng.normal(0, 20, (3, n * n_blocks))
    return [signal[:, at : at + n].copy() for at in range(0, signal.shape[1], n)]


def test_every_file_of_signal_is_held_to_the_contract() -> None:
    registered = {module for modules, _ in EVERY.values() for module in modules.split()}
    assert {path.stem for path in SIGNAL.glob("*.py")} == registered | set(HELPERS)


@pytest.mark.parametrize("name", EVERY)
def test_same_blocks_same_bits_and_the_input_is_left_alone(name: str) -> None:
    blocks = blocks_of(1)
    kept = [block.copy() for block in blocks]
    first, second = EVERY[name][1](), EVERY[name][1]()
    for block in blocks:
        one, two = first(block), second(block)
        np.testing.assert_array_equal(one, two)
        assert np.isfinite(one).all()
    for block, before in zip(blocks, kept, strict=True):
        np.testing.assert_array_equal(block, before)


@pytest.mark.parametrize("name", EVERY)
@given(st.integers(1, 38))
@settings(max_examples=15, deadline=None)
def test_the_future_changes_nothing_that_was_said(name: str, n_same: int) -> None:
    blocks, other = blocks_of(2), blocks_of(3)
    first, second = EVERY[name][1](), EVERY[name][1]()
    for i in range(40):
        one = first(blocks[i])
        two = second(blocks[i] if i < n_same else other[i])
        if i < n_same:
            np.testing.assert_array_equal(one, two)


def test_a_reset_forgets() -> None:
    sos = highpass(1.0, order=2, sfreq=SFREQ)
    used, fresh = CausalFilter(sos, n_channels=3), CausalFilter(sos, n_channels=3)
    for block in blocks_of(4):
        used.process(block)
    used.reset()
    for block in blocks_of(5):
        np.testing.assert_array_equal(used.process(block), fresh.process(block))


def test_steps_on_stamps_hold_no_more_memory_the_longer_they_run() -> None:
    resampler = GridResampler(128.0, half_s=0.0625)
    cutter = BlockCutter()
    n = int(SFREQ / BLOCKS_PER_S)
    sizes = []
    for i in range(2000):
        stamps = (i * n + np.arange(n)) / SFREQ
        flags = np.zeros(n, dtype=bool)
        span = Span(stamps, np.ones((3, n)), flags, Break.START if i == 0 else None)
        for block in cutter.push(span, period_s=1 / SFREQ):
            resampler.push(block, period_s=1 / SFREQ)
        held = [value for value in vars(resampler).values() if isinstance(value, list)]
        sizes.append(sum(len(kept) for kept in held))
    assert max(sizes[10:]) <= 8
    assert all(isinstance(kept, Block) for values in held for kept in values)
