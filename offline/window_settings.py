"""What a recipe says of windows: EEG or a face on a grid of time, or fMRI frame by frame."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from offline.datasets.scaling import Scaling
from offline.datasets.settings import Settings
from offline.scan_windows import RoiWindowSettings, VolumeWindowSettings
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.core.spec import FrameSpec, ModalitySpec, SignalSpec, WindowSpec

_MONTAGES = {"EEG_32": EEG_32, "EEG_15": EEG_15}


class _GridSettings(Settings):
    """What windows on a grid of time have in common.

    Parameters
    ----------
    face_extractor : str
        What made the features of faces, ``"openface"`` or ``"rtaffect"``; the runtime then refuses
        another one's. "" does not look.
    face_normalise : {"none", "running"}
        ``"running"`` shows each person's changes alone, whatever made the features.
    window_s : float
        Length of a window in seconds.
    hop_s : float
        Distance of the windows that the runtime will make, in seconds.
    train_hop_s : float
        Distance of the windows that are trained and tested on, in seconds.
    """

    face_extractor: Literal["", "openface", "rtaffect"] = ""
    face_normalise: Literal["none", "running"] = "none"
    window_s: float = Field(default=3.0, gt=0)
    hop_s: float = Field(default=0.25, gt=0)
    train_hop_s: float = Field(default=3.0, gt=0)

    @property
    def by_frame(self) -> bool:
        """Windows end on the grid, whatever comes when."""
        return False

    @property
    def takes_all(self) -> bool:
        """Whether `spec` needs the channels that all recordings have."""
        return False

    @property
    def scaling(self) -> Scaling:
        """Nothing is scaled before the windows."""
        return "none"

    def _face(self, *, optional: bool) -> FrameSpec:
        return FrameSpec(
            ch_names=FACE_FEATURES,
            extractor=self.face_extractor,
            normalise=self.face_normalise,
            optional=optional,
        )

    def _windows(self, modalities: Mapping[str, ModalitySpec]) -> WindowSpec:
        return WindowSpec(modalities=modalities, window_s=self.window_s, hop_s=self.hop_s)


class WindowSettings(_GridSettings):
    """Windows of EEG, and of a face where there is one.

    Parameters
    ----------
    kind : "eeg"
        May be left out.
    montage : {"EEG_32", "EEG_15"} or tuple of str
        EEG channels.
    face : bool
        The model also takes the 29 facial features, as an optional modality.
    highpass_hz : float
        See `rtaffect.core.spec.SignalSpec`.
    reference : {"average", "none"}
        See `rtaffect.core.spec.SignalSpec`.
    bands_hz : mapping of str to (float, float)
        Filter bank after everything else; the model then sees each channel once a band.
    window_s, hop_s, train_hop_s, face_extractor, face_normalise
        See `_GridSettings`.
    """

    # Not written: recipes, and the names of their runs, are those of before there were other kinds.
    kind: Literal["eeg"] = Field(default="eeg", exclude=True)
    montage: Literal["EEG_32", "EEG_15"] | tuple[str, ...] = "EEG_32"
    face: bool = False
    highpass_hz: float = Field(default=1.0, ge=0)
    reference: Literal["average", "none"] = "average"
    bands_hz: Mapping[str, tuple[float, float]] = Field(default_factory=dict)

    @field_validator("montage", mode="before")
    @classmethod
    def _is_a_montage(cls, value: Any) -> Any:
        """Say in one sentence what a name or a list may be."""
        names = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        if not names and (not isinstance(value, str) or value not in _MONTAGES):
            msg = f"must be {', '.join(_MONTAGES)} or a list of electrodes, got {value!r}"
            raise ValueError(msg)
        return value

    @property
    def optional(self) -> frozenset[str]:
        """Modalities that the model can do without."""
        return frozenset({"face"} if self.face else ())

    def spec(self, ch_names: Sequence[str] = ()) -> WindowSpec:
        """Return the windows as the bundle's manifest will hold them."""
        del ch_names
        montage = self.montage if isinstance(self.montage, tuple) else _MONTAGES[self.montage]
        eeg = SignalSpec(
            ch_names=montage,
            highpass_hz=self.highpass_hz,
            reference=self.reference,
            bands_hz=self.bands_hz,
        )
        return self._windows({"eeg": eeg} | {m: self._face(optional=True) for m in self.optional})


class FaceWindowSettings(_GridSettings):
    """Windows of a face alone.

    Parameters
    ----------
    kind : "face"
        Tells windows apart.
    window_s, hop_s, train_hop_s, face_extractor, face_normalise
        See `_GridSettings`.
    """

    kind: Literal["face"] = "face"

    @property
    def face(self) -> bool:
        """There is nothing else."""
        return True

    @property
    def optional(self) -> frozenset[str]:
        """Modalities that the model can do without: none."""
        return frozenset()

    @property
    def bands_hz(self) -> Mapping[str, tuple[float, float]]:
        """There is no filter bank."""
        return {}

    def spec(self, ch_names: Sequence[str] = ()) -> WindowSpec:
        """Return the windows as the bundle's manifest will hold them."""
        del ch_names
        return self._windows({"face": self._face(optional=False)})


def _kind(value: Any) -> str:
    """Return which windows are meant; those of EEG need not say so."""
    kind = value.get("kind", "eeg") if isinstance(value, Mapping) else getattr(value, "kind", "eeg")
    return str(kind)


AnyWindowSettings = Annotated[
    Annotated[WindowSettings, Tag("eeg")]
    | Annotated[FaceWindowSettings, Tag("face")]
    | Annotated[RoiWindowSettings, Tag("roi")]
    | Annotated[VolumeWindowSettings, Tag("volume")],
    Discriminator(_kind),
]
"""What a recipe holds under ``windows``."""
