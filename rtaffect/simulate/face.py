"""Facial features of a simulated participant, frame by frame, as OpenFace would report them."""

import numpy as np

from rtaffect.core.face_features import FACE_FEATURES, FRAME_QUALITY
from rtaffect.simulate.eeg import blink_waves
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.processes import FloatArray, Occurrences, Stream, generator, smooth_noise

FACE_CHANNELS: tuple[str, ...] = (*FACE_FEATURES, *FRAME_QUALITY)
"""What a live face stream carries."""

_ACTION_UNITS = tuple(name for name in FACE_FEATURES if name.startswith("AU"))
_SMILE = {"AU06_r": 1.5, "AU07_r": 0.3, "AU10_r": 0.3, "AU12_r": 2.2, "AU14_r": 0.4, "AU25_r": 0.6}
_FROWN = {"AU04_r": 1.6, "AU07_r": 0.5, "AU09_r": 0.3, "AU15_r": 1.1, "AU17_r": 1.0, "AU23_r": 0.4}
_OPENING = {
    "AU01_r": 0.9,
    "AU02_r": 0.7,
    "AU05_r": 0.7,
    "AU20_r": 0.3,
    "AU25_r": 0.8,
    "AU26_r": 0.9,
}
_BLINK_INTENSITY = 2.5
_WANDER = 0.2
_TRACKER_NOISE = 0.12
_DROPOUT_S = 1.0


def _weights(pattern: dict[str, float]) -> FloatArray:
    return np.array([pattern.get(name, 0.0) for name in _ACTION_UNITS])


class SimulatedFace:
    """The face of one participant before a camera.

    Parameters
    ----------
    participant : Participant
        Whose.
    """

    def __init__(self, participant: Participant) -> None:
        self.participant = participant
        traits, settings = participant.traits, participant.settings
        self.n_block = round(settings.camera_hz)
        self._patterns = np.stack([_weights(_SMILE), _weights(_FROWN), _weights(_OPENING)], axis=1)
        self._patterns *= traits.action_unit_gain[:, None]
        self._dropouts = Occurrences(participant.key(Stream.DROPOUT), settings.dropout_interval_s)
        self._is_blink = np.array([name == "AU45_r" for name in _ACTION_UNITS])

    def block(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Return the frames of second number `index`.

        Returns
        -------
        times : ndarray, shape (n_frames,)
            When the camera took them, in seconds since the start: jittering, but in order.
        frames : ndarray, shape (31, n_frames)
            `FACE_CHANNELS`. A frame without a face has success 0, a low confidence and zeros, which
            are no measurement.
        """
        participant = self.participant
        camera = generator(participant.key(Stream.CAMERA), index)
        jitter = np.clip(camera.normal(scale=0.05, size=self.n_block), -0.3, 0.3)
        t = index + (np.arange(self.n_block) + 0.5 + jitter) / self.n_block
        frames = np.vstack([self._gaze_and_pose(t), self._action_units(t, index)])
        confidence = camera.uniform(0.92, 0.98, size=self.n_block)
        seen = np.ones(self.n_block)
        for onset, number in self._dropouts.near(t[0], t[-1], lasting_s=_DROPOUT_S):
            length = generator(self._dropouts.key, number).uniform(0.3, 1.0) * _DROPOUT_S
            seen[(t >= onset) & (t < onset + length)] = 0.0
        frames *= seen
        confidence = np.where(seen > 0, confidence, 0.05)
        return t, np.vstack([frames, confidence, seen])

    def _gaze_and_pose(self, t: FloatArray) -> FloatArray:
        """Return gaze (6), position in mm (3) and rotation in radians (3), wandering slowly."""
        key = self.participant.key(Stream.HEAD_POSE)
        slow = smooth_noise((*key, 0), 8, t, interval_s=5.0)
        quick = smooth_noise((*key, 1), 8, t, interval_s=0.7)
        walk = slow + 0.3 * quick
        aim_x, aim_y = 0.12 * walk[0], 0.15 + 0.06 * walk[1]
        eyes = []
        for vergence in (0.04, -0.04):
            direction = np.stack([aim_x + vergence, aim_y, -np.ones_like(t)])
            eyes.append(direction / np.linalg.norm(direction, axis=0))
        position = (
            np.array([[0.0], [20.0], [550.0]]) + np.array([[12.0], [8.0], [20.0]]) * walk[2:5]
        )
        rotation = np.array([[0.12], [0.0], [0.0]]) + np.array([[0.06], [0.08], [0.04]]) * walk[5:8]
        return np.vstack([*eyes, position, rotation])

    def _action_units(self, t: FloatArray, index: int) -> FloatArray:
        """Return the 17 intensities, 0 to 5."""
        participant = self.participant
        key = participant.key(Stream.TRACKER)
        n_units = len(_ACTION_UNITS)
        intensity = participant.traits.action_unit_neutral[:, None] + self._patterns @ np.stack(
            participant.expression(t)
        )
        intensity += _WANDER * smooth_noise((*key, 0), n_units, t, interval_s=2.0)
        intensity += _TRACKER_NOISE * generator((*key, 1), index).standard_normal((n_units, len(t)))
        intensity += _BLINK_INTENSITY * self._is_blink[:, None] * blink_waves(participant, t)
        clipped: FloatArray = np.clip(intensity, 0.0, 5.0)
        return clipped
