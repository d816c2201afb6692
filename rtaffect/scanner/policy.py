"""In which order what arrives is used, what is dropped, and where a run begins and ends.

Nothing here looks at a clock. What becomes of an arrival depends on indices, runs and times of
arrival alone; time that passes (`tick`) only says earlier what the next arrival would have brought
about.
"""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from rtaffect.scanner.acquired import Acquired, Refused, RoiMeans, RunEnd, Volume
from rtaffect.scanner.decisions import (
    Arrival,
    Decision,
    Dropped,
    Frame,
    RunEnded,
    RunStarted,
    Why,
)

MAX_INDEX = 1_000_000
AFFINE_TOLERANCE_MM = 1e-3
UNKNOWN_TR_S = 2.0
"""Taken for the repetition time where nobody says it, to tell a live run from a silent one."""

ALIVE_TR = 3.0
"""A run that sent nothing for so many repetition times gives way to another."""

MAX_REMEMBERED = 1000
"""Of a gap so many volumes are remembered, to tell late ones from doubled ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """What the policy waits for, and for how long.

    Parameters
    ----------
    hold_s : float
        How long one volume that came too early waits for the one before it. It waits no longer than
        until the next but one arrives, either.
    silence_s : float
        A run that sends nothing for so long is over.
    n_alongside : int
        A series whose indices differ by no more than this from those of a run that is alive is its
        double (with and without motion correction, say), and is dropped.
    """

    hold_s: float = 1.0
    silence_s: float = 30.0
    n_alongside: int = 5


class Policy:
    """Puts in order what one scanner input gives.

    Parameters
    ----------
    spec : PolicySpec
        What to wait for.
    """

    def __init__(self, spec: PolicySpec | None = None) -> None:
        self._spec = spec or PolicySpec()
        self._n_runs = 0
        self._run: _Run | None = None
        self._before: _Run | None = None

    def push(self, item: Acquired) -> Iterator[Decision]:
        """Yield what follows from an arrival, in order.

        Parameters
        ----------
        item : Volume, RoiMeans, RunEnd or Refused
            What arrived; `t_arrival` never decreases from one to the next.
        """
        yield from self.tick(item.t_arrival)
        if isinstance(item, Refused):
            yield Dropped(why=Why.REFUSED, index=-1, text=item.reason, t=item.t_arrival)
        elif isinstance(item, RunEnd):
            if self._run is not None and self._run.name == item.run:
                yield from self.end(item.t_arrival)
        else:
            yield from self._take(item)

    def tick(self, t: float) -> Iterator[Decision]:
        """Yield what follows from the time being `t`: a held volume is let go, a run is over."""
        run = self._run
        if run is None:
            return
        if run.held is not None and t >= run.held.t_arrival + self._spec.hold_s:
            yield run.release()
        if t >= run.t_newest + self._spec.silence_s:
            yield from self.end(run.t_newest + self._spec.silence_s)

    def end(self, t: float) -> Iterator[Decision]:
        """Yield what follows from everything being over at `t`."""
        run, self._run = self._run, None
        if run is None:
            return
        self._before = run
        if run.held is not None:
            yield run.release()
        yield RunEnded(
            run=run.number,
            t=t,
            n_frames=run.n_frames,
            n_missing=run.n_missing,
            n_refused=run.n_refused,
        )

    def disown(self, frame: Frame) -> None:
        """Take back a frame that could not be used: the run's others may be right."""
        for run in (self._run, self._before):
            if run is not None and run.number == frame.run:
                run.disown(frame)

    def _take(self, item: Arrival) -> Iterator[Decision]:
        wrong = _fault(item)
        run = self._run
        if wrong:
            yield _dropped(Why.REFUSED, item, wrong)
            if run is not None and run.name == item.run:
                yield from run.refuse(item)
            return
        if run is None and self._is_left_over(item):
            text = f"Volume {item.index} came after its run was over; it is dropped."
            yield _dropped(Why.LATE, item, text)
            return
        if run is None:
            run = yield from self._begin(item)
        elif item.run != run.name:
            if self._is_double(item, run):
                text = (
                    f"Volume {item.index} is of a second series that runs beside the first one; "
                    "only the first is used. Let the scanner send one of them alone."
                )
                run.doubles.add(item.run)
                yield _dropped(Why.SECOND_SERIES, item, text)
                return
            run = yield from self._begin(item)
        elif self._starts_anew(item, run):
            run = yield from self._begin(item)
        changed = run.changed(item)
        if changed:
            yield _dropped(Why.CHANGED, item, changed)
            yield from run.refuse(item)
            return
        yield from run.take(item)

    def _begin(self, item: Arrival) -> "Generator[Decision, None, _Run]":
        """End what was, and begin a run with its first arrival."""
        yield from self.end(item.t_arrival)
        self._n_runs += 1
        self._run = run = _Run(self._n_runs, item)
        yield RunStarted(run=run.number, t=item.t_arrival, tr_s=item.tr_s)
        return run

    def _is_left_over(self, item: Arrival) -> bool:
        """Return whether an arrival is the rest of a run that is over, or of its double."""
        run = self._before
        return (
            run is not None
            and item.index > 0
            and (item.run == run.name or item.run in run.doubles)
            and run.is_alive(item.t_arrival)
        )

    def _is_double(self, item: Arrival, run: "_Run") -> bool:
        """Return whether an arrival of another series brings what the run has or will have."""
        known = item.run in run.doubles
        if not run.is_alive(item.t_arrival):
            return known and item.index <= run.newest
        return known or abs(item.index - run.newest) <= self._spec.n_alongside

    def _starts_anew(self, item: Arrival, run: "_Run") -> bool:
        """Return whether a sender that does not name its runs has begun to count again."""
        if item.index >= run.newest:
            return False
        back_at_first = item.index == 0 and run.newest > self._spec.n_alongside
        return back_at_first or not run.is_alive(item.t_arrival)


class _Run:
    """One run while it lasts.

    Parameters
    ----------
    number : int
        From 1, in this process.
    first : Volume or RoiMeans
        Its first arrival, which the others must be like.
    """

    def __init__(self, number: int, first: Arrival) -> None:
        self.number = number
        self.name = first.run
        self.first: Arrival | None = first
        self.held: Arrival | None = None
        self.doubles: set[str] = set()
        self.n_frames = 0
        self.n_missing = 0
        self.n_refused = 0
        self.t_newest = first.t_arrival
        self._alive_s = ALIVE_TR * (first.tr_s if math.isfinite(first.tr_s) else UNKNOWN_TR_S)
        self._next = 0
        self._given_up: set[int] = set()
        self._refused: set[int] = set()  # from the next one on
        self._n_disowned = 0  # since the last frame that was used

    @property
    def newest(self) -> int:
        """The highest index that arrived; -1 before the first."""
        return self.held.index if self.held is not None else self._next - 1

    def is_alive(self, t: float) -> bool:
        """Return whether the run sent something a short while before `t`."""
        return t <= self.t_newest + self._alive_s

    def changed(self, item: Arrival) -> str:
        """Return how an arrival differs from the run's first; "" when it does not."""
        first = self.first = self.first or item
        if isinstance(item, RoiMeans) or isinstance(first, RoiMeans):
            had, got = _n_regions(first), _n_regions(item)
            if had != got:
                return f"All frames of a run must have {had} regions, this one has {got}."
            return ""
        if item.data.shape != first.data.shape:
            return (
                f"All volumes of a run must have the shape {first.data.shape}, this one has "
                f"{item.data.shape}."
            )
        if not np.allclose(item.affine, first.affine, rtol=0.0, atol=AFFINE_TOLERANCE_MM):
            return (
                "All volumes of a run must lie at the same place, this one has another affine: "
                f"{item.affine[:3].round(3).tolist()} instead of "
                f"{first.affine[:3].round(3).tolist()}."
            )
        return ""

    def take(self, item: Arrival) -> Iterator[Decision]:
        """Use an arrival, hold it, or drop it."""
        if self.held is not None and item.index > self.held.index:
            yield self.release()
        if item.index < self._next or (self.held is not None and item.index == self.held.index):
            yield self._drop(item)
            return
        self.t_newest = item.t_arrival
        if self._is_next(item):
            yield self._frame(item, reordered=False)
            if self.held is not None and self._is_next(self.held):
                yield self.release()
        elif self.held is None:
            self.held = item
        else:  # both are early, and only one may wait
            later, self.held = self.held, None
            yield self._frame(item, reordered=False)
            if self._is_next(later):
                yield self._frame(later, reordered=True)
            else:
                self.held = later

    def refuse(self, item: Arrival) -> Iterator[Decision]:
        """Count an arrival that is of no use; nobody waits for it any longer."""
        self.n_refused += 1
        if self._next <= item.index <= MAX_INDEX:
            self._refused.add(item.index)
        if self.held is not None and self._is_next(self.held):
            yield self.release()

    def disown(self, frame: Frame) -> None:
        """Count a frame that turned out to be of no use."""
        self.n_frames -= 1
        self.n_refused += 1
        self._n_disowned += 1 + frame.n_refused
        if self.first is frame.acquired:
            self.first = None

    def _is_next(self, item: Arrival) -> bool:
        """Return whether nothing is to come before an arrival."""
        return item.index >= self._next and all(
            index in self._refused for index in range(self._next, item.index)
        )

    def release(self) -> Frame:
        """Let go of the volume that is held."""
        held, self.held = self.held, None
        assert held is not None
        return self._frame(held, reordered=self._is_next(held))

    def _frame(self, item: Arrival, *, reordered: bool) -> Frame:
        passed = {index for index in self._refused if index < item.index}
        n_missing = item.index - self._next - len(passed)
        remembered = range(max(self._next, item.index - MAX_REMEMBERED), item.index)
        self._given_up.update(set(remembered) - passed)
        self._refused = {index for index in self._refused if index > item.index}
        self._next = item.index + 1
        self.n_frames += 1
        self.n_missing += n_missing
        n_refused, self._n_disowned = len(passed) + self._n_disowned, 0
        return Frame(
            acquired=item,
            run=self.number,
            n_missing=n_missing,
            reordered=reordered,
            n_refused=n_refused,
        )

    def _drop(self, item: Arrival) -> Dropped:
        if item.index in self._given_up:
            self._given_up.discard(item.index)
            text = f"Volume {item.index} came after later ones had been used; it is dropped."
            return _dropped(Why.LATE, item, text)
        text = f"Volume {item.index} came again; only the first is used."
        return _dropped(Why.DUPLICATE, item, text)


def _n_regions(item: Arrival) -> int | None:
    return len(item.values) if isinstance(item, RoiMeans) else None


def _fault(item: Arrival) -> str:
    """Return what is impossible about an arrival by itself; "" when nothing is."""
    if not 0 <= item.index <= MAX_INDEX:
        return f"The index of a volume must be from 0 to {MAX_INDEX}, got {item.index}."
    if isinstance(item, Volume) and not _is_affine(item.affine):
        return (
            "The affine of a volume must be 4 x 4, finite and not singular, got "
            f"{np.asarray(item.affine).tolist()}."
        )
    return ""


def _is_affine(affine: object) -> bool:
    matrix = np.asarray(affine, dtype=np.float64)
    return (
        matrix.shape == (4, 4)
        and bool(np.isfinite(matrix).all())
        and abs(float(np.linalg.det(matrix[:3, :3]))) > 1e-9
    )


def _dropped(why: Why, item: Arrival, text: str) -> Dropped:
    return Dropped(why=why, index=item.index, text=text, t=item.t_arrival)
