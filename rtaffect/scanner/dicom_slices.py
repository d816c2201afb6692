"""Slices that come in a file each become volumes."""

import math
from dataclasses import dataclass, field

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.scanner.dicom_geometry import affine_of, directions, order_of
from rtaffect.scanner.dicom_image import Slice, Stack, to_middle

MAX_OPEN = 4  # volumes that may wait for slices at the same time
MAX_WAITING = 2048  # slices that may wait until it is known how many make a volume

Place = tuple[float, ...]


@dataclass(slots=True)
class _Volume:
    number: int
    slices: dict[Place, Slice] = field(default_factory=dict)


class SliceGatherer:
    """Puts the slices of one series together.

    To which volume a slice belongs is said by its temporal position, else by its number: volumes
    follow each other, so that slice n of N is of volume (n - 1) // N. N is what the file or the
    settings say, else what lies between two slices at the same place.
    """

    def __init__(self) -> None:
        self._n_slices = 0
        self._waiting: list[tuple[int, Slice]] = []
        self._first_at: dict[Place, int] = {}
        self._open: dict[int, _Volume] = {}
        self._done: set[int] = set()

    def add(self, number: int, piece: Slice, tr_s: float) -> tuple[list[Stack], list[str]]:
        """Take a slice.

        Parameters
        ----------
        number : int
            Its InstanceNumber.
        piece : Slice
            The slice.
        tr_s : float
            Repetition time, or NaN.

        Returns
        -------
        stacks : list of Stack
            Volumes that are complete now.
        problems : list of str
            What was wrong with those that never will be.
        """
        self._n_slices = self._n_slices or piece.n_slices
        if not self._n_slices:
            self._learn(number, piece)
            self._waiting.append((number, piece))
            if not self._n_slices:
                if len(self._waiting) <= MAX_WAITING:
                    return [], []
                self._waiting.clear()
                self._first_at.clear()
                return [], [
                    f"Slices must repeat their places with each volume; {MAX_WAITING} did not. "
                    "Give n_slices."
                ]
            pieces, self._waiting = self._waiting, []
        else:
            pieces = [(number, piece)]
        stacks: list[Stack] = []
        problems: list[str] = []
        for number_, piece_ in pieces:
            self._place(number_, piece_, tr_s, stacks, problems)
        return stacks, problems

    def _learn(self, number: int, piece: Slice) -> None:
        """Find how many slices make a volume when a place comes for the second time."""
        place = _place_of(piece)
        first = self._first_at.setdefault(place, number)
        if number != first:
            apart, n_places = abs(number - first), len(self._first_at)
            whole = n_places > 1 and apart % n_places == 0  # more: volumes between are lost
            self._n_slices = n_places if whole or piece.time_number else apart

    def _place(
        self, number: int, piece: Slice, tr_s: float, stacks: list[Stack], problems: list[str]
    ) -> None:
        index = piece.time_number - 1 if piece.time_number else (number - 1) // self._n_slices
        if index < 0:
            problems.append("A slice must have a number from 1 on (0020,0013); this one has none.")
            return
        if index in self._done:  # a slice that came twice
            return
        volume = self._open.setdefault(index, _Volume(index))
        volume.slices[_place_of(piece)] = piece
        if len(volume.slices) == self._n_slices:
            del self._open[index]
            self._done.add(index)
            try:
                stacks.append(_stacked(volume, tr_s))
            except ScannerError as error:
                problems.append(f"Volume {index}: {error}")
        if len(self._open) > MAX_OPEN:
            oldest = self._open.pop(min(self._open))
            self._done.add(oldest.number)
            problems.append(
                f"Volume {oldest.number} must have {self._n_slices} slices, and only "
                f"{len(oldest.slices)} came; it is left out. Were files lost, or is n_slices wrong?"
            )


def _place_of(piece: Slice) -> Place:
    return tuple(round(mm, 2) for mm in piece.position)


def _stacked(volume: _Volume, tr_s: float) -> Stack:
    pieces = list(volume.slices.values())
    first = pieces[0]
    if any(
        piece.data.shape != first.data.shape
        or piece.data.dtype != first.data.dtype
        or not np.allclose(piece.orientation, first.orientation, atol=1e-4)
        for piece in pieces
    ):
        msg = "The slices of a volume must have one size, one kind of voxels and one orientation."
        raise ScannerError(msg)
    positions = np.array([piece.position for piece in pieces])
    order, step = order_of(positions, first.orientation)
    if len(pieces) == 1:
        step = np.cross(*directions(first.orientation)) * first.thickness
    times = [piece.t_start_s for piece in pieces if not math.isnan(piece.t_start_s)]
    start_s = min(times, default=math.nan)
    return Stack(
        data=np.stack([pieces[i].data for i in order], axis=-1),
        affine=affine_of(first.orientation, first.spacing, pieces[order[0]].position, step),
        number=volume.number,
        t_start_s=start_s,
        to_middle_s=to_middle([time - start_s for time in times], tr_s),
    )
