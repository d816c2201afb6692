"""What a recipe says of windows of fMRI, which end at frames of ROI means or at volumes."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from offline.datasets.scaling import Scaling
from offline.datasets.settings import Settings
from offline.regions import REGION_SETS
from rtaffect.core.errors import ConfigError
from rtaffect.core.spec import CleaningSpec, ModalitySpec, RoiSpec, VolumeSpec, WindowSpec


class CleaningSettings(Settings):
    """See `rtaffect.core.spec.CleaningSpec`."""

    detrend: Literal["glm", "none"] = "glm"
    window_s: float = Field(default=120.0, gt=0)
    despike: bool = True

    def spec(self) -> CleaningSpec:
        """Return it as the manifest will hold it."""
        return CleaningSpec(**self.model_dump())


class _AcquiredSettings(Settings):
    """What windows of ROI frames and of volumes have in common; every frame closes one.

    Parameters
    ----------
    window_s : float
        Length of a window in seconds: 24 is 12 frames of 2 s.
    tr_s : float
        Distance at which frames are expected, in seconds.
    sfreq : float or None
        Rate of the samples that the model sees, in Hz; None is one a frame.
    every : int
        Of how many windows one is trained and tested on.
    lag_s, max_gap_s, new_run_s, n_settle, variance_floor, clip, min_coverage
        See `rtaffect.core.spec.ScanSpec`.
    normalise : {"running", "none", "whole_run_z", "whole_trial_minmax"}
        ``"running"`` is causal, as the runtime does it. ``"whole_run_z"`` and
        ``"whole_trial_minmax"`` are what papers do, with frames that come after the window: runs
        are stamped leaky, and nothing is exported.
    max_wait_s : float
        How long after its time a frame is given up, in seconds.
    stale_s : float
        A stream that sent nothing for so long is stale, in seconds.
    """

    window_s: float = Field(default=24.0, gt=0)
    tr_s: float = Field(default=2.0, gt=0)
    sfreq: float | None = Field(default=None, gt=0)
    every: int = Field(default=1, ge=1)
    lag_s: float = Field(default=6.0, ge=0)
    normalise: Literal["running", "none", "whole_run_z", "whole_trial_minmax"] = "running"
    max_gap_s: float = Field(default=5.0, gt=0)
    new_run_s: float = Field(default=30.0, gt=0)
    n_settle: int = Field(default=8, ge=0)
    variance_floor: float = Field(default=0.01, gt=0)
    clip: float = Field(default=4.0, gt=0)
    min_coverage: float = Field(default=0.5, ge=0, le=1)
    max_wait_s: float = Field(default=3.0, ge=0)
    stale_s: float = Field(default=10.0, gt=0)

    @property
    def by_frame(self) -> bool:
        """Every frame closes one."""
        return True

    @property
    def face(self) -> bool:
        """There is none in a scanner's head coil."""
        return False

    @property
    def optional(self) -> frozenset[str]:
        """Modalities that the model can do without: none."""
        return frozenset()

    @property
    def bands_hz(self) -> Mapping[str, tuple[float, float]]:
        """There is no filter bank."""
        return {}

    @property
    def hop_s(self) -> float:
        """Distance at which frames are expected, in seconds."""
        return self.tr_s

    @property
    def train_hop_s(self) -> float:
        """Distance of the windows that are trained and tested on, in seconds."""
        return self.every * self.tr_s

    @property
    def scaling(self) -> Scaling:
        """What is done to frames before the windows, that the runtime could not do."""
        match self.normalise:
            case "whole_run_z" | "whole_trial_minmax":
                return self.normalise
            case _:
                return "none"

    def _common(self) -> dict[str, Any]:
        """Return what both specs take alike."""
        is_running = self.normalise == "running"
        return {
            "sfreq": self.sfreq or 1.0 / self.tr_s,
            "take": "frames" if self.sfreq is None else "seconds",
            "max_gap_s": self.max_gap_s,
            "new_run_s": self.new_run_s,
            "lag_s": self.lag_s,
            "normalise": "running" if is_running else "none",
            "n_settle": self.n_settle if is_running else 0,
            "variance_floor": self.variance_floor,
            "clip": self.clip,
            "min_coverage": self.min_coverage,
        }

    def _windows(self, modality: str, wanted: ModalitySpec) -> WindowSpec:
        return WindowSpec(
            window_s=self.window_s,
            hop_s=self.tr_s,
            max_wait_s=self.max_wait_s,
            stale_s=self.stale_s,
            closes=modality,
            modalities={modality: wanted},
        )


class RoiWindowSettings(_AcquiredSettings):
    """Windows of ROI frames.

    Parameters
    ----------
    kind : "roi"
        Tells windows apart.
    regions : str or tuple of str
        ``"dataset"`` takes all that every subject has, in their order; a name of
        `offline.regions.REGION_SETS`; or names.
    cleaning : CleaningSettings or None
        What the runtime takes out of a stream whose sender did not.
    max_missing : float
        See `rtaffect.core.spec.RoiSpec`.
    window_s, tr_s, sfreq, every, lag_s, normalise, max_gap_s, new_run_s, n_settle
        As are the others, see `_AcquiredSettings`.
    """

    kind: Literal["roi"] = "roi"
    regions: str | tuple[str, ...] = "dataset"
    cleaning: CleaningSettings | None = None
    max_missing: float = Field(default=0.1, ge=0, le=1)

    @field_validator("regions")
    @classmethod
    def _are_known(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(value, str) and value not in {"dataset", *REGION_SETS}:
            msg = f"must be dataset, {', '.join(REGION_SETS)} or a list of names, got {value!r}"
            raise ValueError(msg)
        if not value or (len(set(value)) < len(value) and not isinstance(value, str)):
            msg = f"must hold names that differ, at least one, got {list(value)}"
            raise ValueError(msg)
        return value

    @property
    def takes_all(self) -> bool:
        """Whether `spec` needs the regions that all recordings have."""
        return self.regions == "dataset"

    def spec(self, ch_names: Sequence[str] = ()) -> WindowSpec:
        """Return the windows as the bundle's manifest will hold them.

        Parameters
        ----------
        ch_names : sequence of str
            The data set's regions.

        Raises
        ------
        ConfigError
            The regions are to be the data set's, which has none.
        """
        if self.takes_all:
            names = tuple(ch_names)
        else:
            names = REGION_SETS[self.regions] if isinstance(self.regions, str) else self.regions
        if not names:
            msg = (
                "windows.regions is `dataset`, so the data set must have regions that every "
                "subject has, got none. Name regions, or take a data set of ROI frames."
            )
            raise ConfigError(msg)
        wanted = RoiSpec(
            ch_names=names,
            cleaning=None if self.cleaning is None else self.cleaning.spec(),
            max_missing=self.max_missing,
            **self._common(),
        )
        return self._windows("roi", wanted)


class VolumeWindowSettings(_AcquiredSettings):
    """Windows of volumes.

    Parameters
    ----------
    kind : "volume"
        Tells windows apart.
    shape : tuple of int
        Voxels along x, y and z of the grid on which the model sees a volume.
    affine : tuple of tuple of float or None
        See `rtaffect.core.spec.VolumeSpec`.
    window_s, tr_s, sfreq, every, lag_s, normalise, max_gap_s, new_run_s, n_settle
        As are the others, see `_AcquiredSettings`.
    """

    kind: Literal["volume"] = "volume"
    window_s: float = Field(default=2.0, gt=0)
    shape: tuple[int, int, int]
    affine: tuple[tuple[float, float, float, float], ...] | None = Field(
        default=None, min_length=4, max_length=4
    )

    @field_validator("shape")
    @classmethod
    def _has_voxels(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        if min(value) < 1:
            msg = f"must hold three numbers of voxels of at least 1, got {list(value)}"
            raise ValueError(msg)
        return value

    @property
    def takes_all(self) -> bool:
        """Voxels have no names."""
        return False

    def spec(self, ch_names: Sequence[str] = ()) -> WindowSpec:
        """Return the windows as the bundle's manifest will hold them."""
        del ch_names
        wanted = VolumeSpec(shape=self.shape, affine=self.affine, **self._common())
        return self._windows("volume", wanted)
