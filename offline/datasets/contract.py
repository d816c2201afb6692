"""What every data set offers: recordings, their trials, and what was felt in them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from offline.items import NO_CLASS
from rtaffect.core.streams import Source

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Course = Callable[[Floats], Mapping[str, Floats]]
"""Times in seconds on the recording's clock -> each target's value at them, on its own scale, NaN
where there is no label. What it says of a moment is the mean over one of its own samples about it:
of fMRI, over one distance of frames, before anything is made a category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One question that the labels of a data set answer, and its classes.

    Parameters
    ----------
    classes : tuple of str
        Names, from the lowest up.
    edges : tuple of float
        ``len(classes) + 1`` rising numbers on the data set's own scale, the first and last being
        the scale's ends. Class i is ``(edges[i], edges[i + 1]]``, so that with a threshold of 5 a
        rating of 5 is "low". Empty for categories: a value is then the number of its class.
    """

    classes: tuple[str, ...]
    edges: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if any("|" in name for name in self.classes):  # it separates them where they are written
            msg = f"Names of classes must not hold '|', got {self.classes}."
            raise ValueError(msg)

    def class_of(self, values: Floats) -> Ints:
        """Return the number of each value's class, `NO_CLASS` where there is no label (NaN).

        Parameters
        ----------
        values : ndarray, shape (n,)
            On the data set's scale.

        Raises
        ------
        ValueError
            A value lies outside the scale, or is no whole number where it is to be a class.
        """
        values = np.asarray(values, dtype=np.float64)
        low, high = (self.edges[0], self.edges[-1]) if self.edges else (0, len(self.classes) - 1)
        known = ~np.isnan(values)
        outside = known & ~((values >= low) & (values <= high))
        if not self.edges:
            outside |= known & (values != np.round(values))
        if outside.any():
            msg = f"Labels must lie in [{low:g}, {high:g}], got {values[outside][:5].tolist()}."
            raise ValueError(msg)
        classes = np.full(values.shape, NO_CLASS, dtype=np.int64)
        if self.edges:
            classes[known] = np.searchsorted(self.edges[1:-1], values[known], side="left")
        else:
            classes[known] = values[known]
        return classes

    def unit_edges(self) -> tuple[float, ...]:
        """Return the edges on the scale of estimates, [-1, 1]; empty for categories."""
        if not self.edges:
            return ()
        low, high = self.edges[0], self.edges[-1]
        return tuple(2.0 * (edge - low) / (high - low) - 1.0 for edge in self.edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One presentation, with what the person said of it.

    Parameters
    ----------
    name : str
        Unique within the recording's subject and session.
    stimulus : str
        What was shown, the same name for everybody who saw it; "" where nobody else could have.
    t_start, t_end : float
        Half-open interval in seconds on the recording's clock; windows wholly inside belong to it
        (of fMRI: what they speak of, see `offline.datasets.windows.read_windows`).
    values : mapping of str to float
        By target, on the data set's scale (`Label`); NaN for none.
    rest : (float, float) or None
        Interval before the trial in which nothing was shown, for baselines.
    """

    name: str
    stimulus: str
    t_start: float
    t_end: float
    values: Mapping[str, float]
    rest: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What was recorded of one subject in one go.

    Parameters
    ----------
    subject, session : str
        Who, and which of the subject's sessions. A pseudonym, never a person's name.
    open : callable
        Returns a new open source of the recording; whoever calls it closes it.
    trials : tuple of Trial
        In order of time.
    course : callable or None
        Where what was felt is known at every moment: a window's value is then the course's mean
        over it (of fMRI: the course where it speaks of). Else it is its trial's.
    train_course : callable or None
        Weaker labels of some targets, for training alone: what is validated and tested has those of
        `course`.
    file : str
        Name of its file, for people; "" where there is none of its own.
    """

    subject: str
    session: str
    open: Callable[[], Source]
    trials: tuple[Trial, ...]
    course: Course | None = None
    train_course: Course | None = None
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What people should know of a data set before they use it.

    Parameters
    ----------
    kind : str
        Name in recipes and on the command line.
    title, reference, licence, how_to_get : str
        The reference is a DOI where there is one.
    modalities : tuple of str
        ``"eeg"``, ``"face"``, ``"roi"``, ``"volume"``.
    tried_on : str
        On which real files this reader was run, and what could not be tried.
    simulated : bool
        Nobody was measured.
    """

    kind: str
    title: str
    reference: str
    licence: str
    how_to_get: str
    modalities: tuple[str, ...] = ("eeg",)
    tried_on: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found in a copy on disk.

    Parameters
    ----------
    is_error : bool
        The data set cannot be used like this; else it is a remark.
    where : str
        File or subject.
    what : str
        What must hold, what was found, what to do.
    """

    is_error: bool
    where: str
    what: str = field(default="")


class Dataset(Protocol):
    """A data set on disk, or a simulated one.

    Subjects come in a fixed order. `recordings` holds at most one recording's samples in memory at
    a time: whoever iterates decides how long.
    """

    @property
    def about(self) -> About:
        """What to know of it."""

    @property
    def labels(self) -> Mapping[str, Label]:
        """What its labels answer, by target."""

    @property
    def ch_names(self) -> tuple[str, ...]:
        """EEG channels (MNE's spelling) or regions that every subject has; none for volumes."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody who can be used."""

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's recordings.

        Raises
        ------
        DataError
            Something is wrong with the files.
        """

    def fingerprint(self, subject: str) -> str:
        """Return a digest (hexadecimal SHA-256) of all that the subject's numbers depend on."""

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the copy on disk, subject by subject; nothing if all is well."""
