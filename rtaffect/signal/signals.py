"""Signals (EEG): timeline, blocks, montage, quality, resampling, filters, reference, bank."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rtaffect.core.spec import SignalSpec
from rtaffect.core.streams import Chunk, ClockOffset, StreamInfo
from rtaffect.core.window import ModalityWindow
from rtaffect.signal.blocks import BLOCK_S, BLOCKS_PER_S, Block, BlockCutter
from rtaffect.signal.filters import CausalFilter, design, filter_bank
from rtaffect.signal.montage import plan_montage
from rtaffect.signal.quality import QualityMonitor
from rtaffect.signal.reference import rereference
from rtaffect.signal.resample import GridResampler
from rtaffect.signal.timeline import (
    OFFSET_STEP_S,
    Break,
    ClockMap,
    Floats,
    RegularTimeline,
    TimelineCounts,
)
from rtaffect.signal.track import ARTIFACT, BRIDGED, PRESENT, UNSETTLED, GridTrack, States
from rtaffect.signal.units import factors_to_microvolts

MIN_RATE = 0.95
"""Of the model's rate: a slower signal lacks what the model looks at."""


class SignalTrack(GridTrack):
    """Follows one regularly sampled stream.

    Parameters
    ----------
    spec : SignalSpec
        What the model wants.
    info : StreamInfo
        The stream.
    keep_s : float
        How much of the past is kept, in seconds.
    interpolate : bool
        Missing channels may be rebuilt from their neighbours, up to the bundle's limit.
    hop_s : float
        Windows end at whole multiples of it, in seconds; what lies between is worked on at once.

    Raises
    ------
    MontageError, UnitError
        The stream's channels or units do not serve.
    """

    def __init__(
        self,
        spec: SignalSpec,
        info: StreamInfo,
        *,
        keep_s: float,
        interpolate: bool,
        hop_s: float = BLOCK_S,
    ) -> None:
        super().__init__(info, sfreq=spec.sfreq, n_rows=spec.n_rows, keep_s=keep_s)
        self.spec = spec
        self.plan = plan_montage(
            info.ch_names,
            spec.ch_names,
            interpolate=interpolate,
            max_interpolated=spec.max_interpolated,
        )
        self.interpolated = bool(self.plan.interpolated)
        self._used = list(self.plan.used)
        self._factors = factors_to_microvolts(info, used=self._used)[:, None]
        self._clock = ClockMap()
        self._waiting: list[tuple[Floats, npt.NDArray[Any], float]] = []
        self.timeline = RegularTimeline(info.sfreq, bridge_s=spec.bridge_s)
        self._cutter = BlockCutter()
        self._resampler = GridResampler(spec.sfreq, half_s=spec.resample_half_s)
        n_channels = len(spec.ch_names)
        self._filter = CausalFilter(design(spec), n_channels=n_channels)
        self._bank = filter_bank(
            spec.bands_hz, n_channels=n_channels, sfreq=spec.sfreq, order=spec.bands_order
        )
        self._quality: QualityMonitor | None = None
        self._bad_blocks: list[int] = []
        self._n_delay_blocks = round(spec.resample_half_s * BLOCKS_PER_S)
        self._n_hop_blocks = round(hop_s * BLOCKS_PER_S)
        self._n_hops = 0
        self._put_off: list[Block] = []
        self._t_settled = np.inf

    @property
    def counts(self) -> TimelineCounts:
        """What the stream delivered so far."""
        return self.timeline.counts

    @property
    def measured_sfreq(self) -> float:
        """Measured rate in Hz; NaN before it is known."""
        return self.timeline.measured_sfreq

    @property
    def offset_s(self) -> float:
        """Newest clock offset in seconds; NaN before the first."""
        return self._clock.offset_s if self._clock.known else float("nan")

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with single channels right now, in words: ``"F3 flat"``."""
        self._catch_up()
        if self._quality is None:
            return ()
        return tuple(
            f"{name} {' '.join(faults)}"
            for name, faults in zip(self.spec.ch_names, self._quality.report().faults, strict=True)
            if faults
        )

    def offset(self, event: ClockOffset) -> None:
        """Take a clock offset; a step means that the sender's clock was set."""
        if abs(self._clock.update(event)) > OFFSET_STEP_S:
            self.interrupt(Break.CLOCK)

    def interrupt(self, reason: Break) -> None:
        """End the segment."""
        for _ in self._place():
            pass
        self.timeline.interrupt(reason)

    def push(self, chunk: Chunk) -> Iterator[None]:
        """Take samples; yield whenever windows may have become complete.

        Samples that cannot complete a block wait for those that can: placing few at a time costs
        as much as placing many.
        """
        stamps = self._clock.apply(chunk)
        self.timeline.counts.n_samples += len(stamps)
        self._waiting.append((stamps, chunk.data, chunk.t_received))
        if not self._can_wait(stamps):
            yield from self._place()

    def _can_wait(self, stamps_s: Floats) -> bool:
        """Return whether a block's end is out of reach, however far off the stamps may be."""
        timeline = self.timeline
        if timeline.period_s == 0.0 or math.isinf(timeline.t_last) or len(stamps_s) == 0:
            return False
        last = float(stamps_s[-1])
        block_end = math.floor((timeline.t_last + timeline.period_s) * BLOCKS_PER_S + 1)
        reach_s = timeline.period_s + timeline.uncertainty_s
        return timeline.t_last < last < block_end / BLOCKS_PER_S - reach_s

    def _place(self) -> Iterator[None]:
        """Place everything that waits; yield whenever windows may have become complete.

        Blocks are put off until a window needs them. Where they come one by one, the last of those
        that complete one is left alone, so that no window waits for the others' work.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        stamps = np.concatenate([part for part, _, _ in waiting])
        raw = np.concatenate([part for _, part, _ in waiting], axis=1)
        data = raw[self._used].astype(np.float64) * self._factors
        arrivals = np.repeat([t for _, _, t in waiting], [len(part) for part, _, _ in waiting])
        spans = self.timeline.push(stamps, data, t_received=arrivals)
        period_s = self.timeline.period_s
        blocks = [block for span in spans for block in self._cutter.push(span, period_s=period_s)]
        for block in blocks:
            if block.begins is not None:
                self._catch_up()
            self._put_off.append(block)
            self.t_newest = float(block.stamps_s[-1])
            n_hops, n_over = divmod(block.index + 1 - self._n_delay_blocks, self._n_hop_blocks)
            if n_hops > self._n_hops:
                self._n_hops = n_hops
                self._catch_up()
                yield
            elif n_over == self._n_hop_blocks - 1 and len(blocks) == 1:
                self._catch_up()

    def _catch_up(self) -> None:
        """Condition the blocks that were put off: together, which costs little more than one."""
        blocks, self._put_off = self._put_off, []
        if blocks:
            self._condition(blocks)

    def window(self, t_start: float, t_end: float, *, silent: bool) -> ModalityWindow:
        """Return the modality's part of ``[t_start, t_end)`` as it is known; see `GridTrack`."""
        self._catch_up()
        return super().window(t_start, t_end, silent=silent)

    def _condition(self, run: list[Block]) -> None:
        """Take blocks of one segment all the way to the ring."""
        period_s = self.timeline.period_s
        first, last = run[0], run[-1]
        if first.begins is not None:
            if first.begins is Break.CLOCK:
                self.note_clock_break(float(first.stamps_s[0]))
            for causal in (self._filter, *self._bank.values()):
                causal.reset()
            if self._quality is None:
                self._quality = QualityMonitor(
                    self.spec.quality, n_channels=len(self.spec.ch_names), sfreq=1.0 / period_s
                )
            self._quality.reset()
            self._bad_blocks = []
            self._t_settled = float(first.stamps_s[0]) + self.spec.settle_s
        assert self._quality is not None
        if self.interpolated:
            run = [replace(block, data=self.plan.rebuild(block.data)) for block in run]
        bad = self._quality.process([block.data for block in run])
        shares = np.count_nonzero(bad, axis=1) / bad.shape[1]
        is_bad = (shares > self.spec.quality.max_bad_channels).tolist()
        self._bad_blocks += [block.index for block, wrong in zip(run, is_bad, strict=True) if wrong]
        m_start, data, bridged = self._resampler.push(run, period_s=period_s)
        n = data.shape[1]
        if n:
            data = rereference(self._filter.process(data), self.spec.reference)
            states = self._states_of(m_start, bridged)
            # One electrode that jumps is in every channel once the average is subtracted.
            large = np.abs(data) > self.spec.quality.amplitude_uv
            if large.any():
                share = np.count_nonzero(large, axis=0) / len(large)
                states[share > self.spec.quality.max_bad_channels] |= ARTIFACT
            if self._bank:
                data = np.concatenate([band.process(data) for band in self._bank.values()])
            self.write(m_start, data, states)
        n_done = last.index + 1 - self._n_delay_blocks
        self._bad_blocks = [index for index in self._bad_blocks if index >= n_done]
        self.reach(n_done * self._resampler.n_per_block)

    def _states_of(self, m_start: int, bridged: npt.NDArray[np.bool_]) -> States:
        """Return the states of the grid samples from ``m_start`` on."""
        states = np.full(len(bridged), PRESENT, dtype=np.uint8)
        if bridged.any():
            states[bridged] |= BRIDGED
        m = m_start + np.arange(len(bridged))
        if m_start / self.sfreq < self._t_settled:
            states[m / self.sfreq < self._t_settled] |= UNSETTLED
        if self._bad_blocks:
            states[np.isin(m // self._resampler.n_per_block, self._bad_blocks)] |= ARTIFACT
        return states

    def usable(self, coverage: float, states: States) -> bool:  # noqa: ARG002
        """No sample of the window is absent: a model never sees two sides of a gap as one.

        Nor does it see a signal whose measured rate, whatever it declares, is too low for it.
        """
        fast_enough = MIN_RATE * self.sfreq * self.timeline.period_s <= 1.0
        return fast_enough and bool((states != 0).all())
