"""What is asked of Forrest Gump's emotions, and a run's trial with them, of frames and volumes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from offline.datasets.contract import Floats, Label, Recording, Trial
from offline.datasets.settings import Settings
from offline.datasets.studyforrest_labels import (
    COLUMN,
    EMOTIONS,
    MERGED,
    RATINGS,
    RUN_STARTS_S,
    Annotation,
    EmotionRule,
    TrainLabels,
    course_of,
    emotion_course,
)
from offline.errors import DataError
from rtaffect.core.streams import Source

TR_S = 2.0
_THIRD = 1 / 3


class PortrayedSettings(Settings):
    """What is asked of the film.

    Parameters
    ----------
    path : Path
        Folder of the data set.
    runs : tuple of int
        Of the film; all that are there where it is empty.
    n_emotions : {3, 4, 5}
        Fear, sadness and happiness; love; anger.
    threshold : float
        Share of the observers that a tested frame's emotion needs.
    train_labels : TrainLabels
        What a frame of the training set needs instead.
    train_threshold : float
        Share that it needs there, unless the labels are strict: .05 is any of nine observers in any
        of two seconds.
    edges : tuple of float
        Where classes of arousal and valence end, from -1 to 1.
    edge_s : float
        How much of each run is left out at its beginning and end: 16 s are also in its neighbour.
    """

    path: Path
    runs: tuple[int, ...] = ()
    n_emotions: Literal[3, 4, 5] = 3
    threshold: float = Field(default=0.5, gt=0, le=1)
    train_labels: TrainLabels = "strict"
    train_threshold: float = Field(default=0.05, gt=0, le=1)
    edges: tuple[float, ...] = Field(default=(-1.0, -_THIRD, _THIRD, 1.0), min_length=3)
    edge_s: float = Field(default=16.0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if unknown := [run for run in self.runs if run not in RUN_STARTS_S]:
            msg = f"runs must be from 1 to {len(RUN_STARTS_S)}, got {unknown}"
            raise ValueError(msg)
        ends = (self.edges[0], self.edges[-1])
        if list(self.edges) != sorted(set(self.edges)) or ends != (-1.0, 1.0):
            msg = f"edges must rise from -1 to 1, got {list(self.edges)}"
            raise ValueError(msg)
        return self

    def labels(self) -> Mapping[str, Label]:
        """Return what is answered: emotion, arousal and valence."""
        n_classes = len(self.edges) - 1
        names = tuple(f"level {number}" for number in range(1, n_classes + 1))
        if n_classes <= 3:
            names = ("low", "medium", "high") if n_classes == 3 else ("low", "high")
        rating = Label(classes=names, edges=self.edges)
        emotion = Label(classes=EMOTIONS[: self.n_emotions])
        return {"emotion": emotion} | dict.fromkeys(RATINGS, rating)

    def rule(self) -> EmotionRule:
        """Return when a frame has an emotion that is tested."""
        columns = [(COLUMN[name],) for name in EMOTIONS[: self.n_emotions]]
        return EmotionRule(columns=columns, threshold=self.threshold)

    def train_rule(self) -> EmotionRule | None:
        """Return when a frame has an emotion to train on; None where it is the same."""
        if self.train_labels == "strict":
            return None
        merged = self.train_labels == "merged"
        columns = [
            MERGED[name] if merged else (COLUMN[name],) for name in EMOTIONS[: self.n_emotions]
        ]
        return EmotionRule(columns=columns, threshold=self.train_threshold)


def portrayed(
    settings: PortrayedSettings,
    annotations: Mapping[int, Annotation],
    *,
    subject: str,
    run: int,
    n_frames: int,
    open_source: Callable[[], Source],
    file: str,
) -> Recording:
    """Return a run as a recording on the film's clock, with one trial: its part of the film.

    Parameters
    ----------
    settings : PortrayedSettings
        What is asked.
    annotations : mapping of int to Annotation
        By run.
    subject : str
        Who watched or listened.
    run : int
        Which part.
    n_frames : int
        How many frames the run has.
    open_source : callable
        Returns a new source of the frames.
    file : str
        Name of the file.

    Raises
    ------
    DataError
        The run's annotation is not there, or of another length.
    """
    annotation = annotations.get(run)
    if annotation is None or annotation.n_seconds != round(n_frames * TR_S):
        n_seconds = 0 if annotation is None else annotation.n_seconds
        msg = (
            f"{file} must have a frame for every {TR_S:g} s of run {run}'s {n_seconds} seconds of "
            f"labels, got {n_frames}."
        )
        raise DataError(msg)
    start, edge_s = RUN_STARTS_S[run], settings.edge_s
    t_start, t_end = start + edge_s, start + n_frames * TR_S - edge_s
    if t_end <= t_start:
        msg = f"{file} must be longer than both edges of {edge_s:g} s."
        raise DataError(msg)
    course = course_of(annotation, settings.rule(), tr_s=TR_S)
    rule = settings.train_rule()
    values = course(np.arange(t_start + TR_S / 2, t_end, TR_S))
    trial = Trial(
        name=f"run-{run}",
        stimulus=f"forrest-gump-run-{run}",
        t_start=t_start,
        t_end=t_end,
        values={name: _whole(name, found) for name, found in values.items()},
    )
    return Recording(
        subject=subject,
        session="movie",
        open=open_source,
        trials=(trial,),
        course=course,
        train_course=None if rule is None else emotion_course(annotation, rule, tr_s=TR_S),
        file=file,
    )


def _whole(name: str, values: Floats) -> float:
    """Return a run's own value: its mean, or the emotion that it has most often."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan")
    if name in RATINGS:
        return float(known.mean())
    return float(np.bincount(known.astype(np.int64)).argmax())
