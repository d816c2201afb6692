"""What windows a bundle was trained on: all the settings of the chain from chunks to windows.

A spec comes from a bundle's manifest, never from a session file, so that a model meets the very
windows that it was trained on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySpec:
    """Limits beyond which EEG samples count as artifact (microvolts at the amplifier's input).

    Parameters
    ----------
    amplitude_uv : float
        Peak-to-peak of a channel within one block (1/16 s), slow drift excluded, above which it is
        an artifact; so is a conditioned sample (filtered, re-referenced) of this absolute value.
    flat_uv : float
        Peak-to-peak below which a channel counts as flat when it lasts `flat_s`.
    flat_s : float
        How long it must last, in seconds.
    rail_uv : float
        Absolute value at which an amplifier is taken to sit on its rail.
    line_ratio : float
        Power at 50 or 60 Hz over the power from 1 to 40 Hz of the last second, above which a
        channel counts as hum.
    max_bad_channels : float
        Fraction of channels that may be bad at a sample before the sample counts as artifact.
    """

    amplitude_uv: float = 150.0
    flat_uv: float = 0.1
    flat_s: float = 0.5
    rail_uv: float = 180_000.0
    line_ratio: float = 10.0
    max_bad_channels: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSpec:
    """A regularly sampled signal (EEG) as the model wants it.

    Parameters
    ----------
    ch_names : tuple of str
        Channels in the model's order, in MNE's spelling.
    unit : str
        Unit of the samples that the model sees.
    sfreq : float
        Rate of the absolute grid ``m / sfreq`` on which samples lie, in Hz.
    highpass_hz : float
        Edge of the causal high-pass filter; 0 means none.
    highpass_order : int
        Order of that Butterworth filter.
    notch_hz : tuple of float
        Line frequencies removed by causal notch filters.
    reference : {"average", "none"}
        Re-reference after picking the channels.
    bands_hz : mapping of str to (float, float)
        Filter bank after everything else: lower and upper -3 dB edge of each band in Hz, in rising
        order. The model then sees every channel once a band; empty means no bank.
    bands_order : int
        Order of the Butterworth low-pass that each band-pass filter is made from.
    resample_half_s : float
        Half-length of the resampler's windowed-sinc kernel, which is its delay, in seconds.
    settle_s : float
        Time after the start of a segment until the filters have forgotten it (to 1e-6).
    bridge_s : float
        Dropouts up to this long are bridged linearly (and flagged); longer ones end the segment.
    max_interpolated : int
        How many missing channels may be interpolated when the session asks for it.
    quality : QualitySpec
        Artifact limits.
    optional : bool
        The model answers without this modality.
    """

    kind: Literal["signal"] = "signal"
    ch_names: tuple[str, ...]
    unit: str = "uV"
    sfreq: float = 128.0
    highpass_hz: float = 1.0
    highpass_order: int = 2
    notch_hz: tuple[float, ...] = ()
    reference: Literal["average", "none"] = "average"
    bands_hz: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    bands_order: int = 3
    resample_half_s: float = 0.0625
    settle_s: float = 4.0
    bridge_s: float = 0.02
    max_interpolated: int = 0
    quality: QualitySpec = field(default_factory=QualitySpec)
    optional: bool = False

    @property
    def row_names(self) -> tuple[str, ...]:
        """Names of the rows that the model sees: all channels of the first band come first."""
        if not self.bands_hz:
            return self.ch_names
        return tuple(f"{band}:{name}" for band in self.bands_hz for name in self.ch_names)

    @property
    def n_rows(self) -> int:
        """Number of rows that the model sees."""
        return len(self.ch_names) * max(1, len(self.bands_hz))


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSpec:
    """A stream of frames (facial features) held on a grid.

    At each grid time ``m / sfreq`` stands the newest valid frame that is not older than `hold_s`;
    where there is none stands NaN, and the sample counts as uncovered. A camera's own rate
    therefore does not matter.

    Parameters
    ----------
    ch_names : tuple of str
        Feature names in the model's order.
    unit : str
        "" as features are of mixed units; each name has its own, see docs/face.md.
    sfreq : float
        Rate of the grid in Hz.
    hold_s : float
        How long a frame speaks for the time after it.
    min_coverage : float
        Fraction of the window that must be covered, else the modality is missing.
    extractor : str
        What made the features that the model was trained on, as a stream's description says under
        ``processing.extractor``; "" where nobody said. Another one's numbers differ in level, so
        its stream is refused unless `normalise` makes level irrelevant.
    normalise : {"none", "running"}
        ``"running"``: each feature less its mean over the person's valid frames so far, over
        their standard deviation.
    settle_s : float
        How long a person's first valid frames count as warm-up, in seconds of them (running).
    variance_floor, clip : float
        Least variance that is divided by; largest absolute value (running).
    optional : bool
        The model answers without this modality.
    """

    kind: Literal["frames"] = "frames"
    ch_names: tuple[str, ...]
    unit: str = ""
    sfreq: float = 32.0
    hold_s: float = 0.125
    min_coverage: float = 0.5
    extractor: str = ""
    normalise: Literal["none", "running"] = "none"
    settle_s: float = 10.0
    variance_floor: float = 1e-6
    clip: float = 5.0
    optional: bool = True

    @property
    def row_names(self) -> tuple[str, ...]:
        """Names of the rows that the model sees."""
        return self.ch_names

    @property
    def n_rows(self) -> int:
        """Number of rows that the model sees."""
        return len(self.ch_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningSpec:
    """What is taken out of a series of ROI frames, frame by frame and from the past alone.

    Parameters
    ----------
    detrend : {"glm", "none"}
        ``"glm"``: residual of a general linear model over the last `window_s` (constant, linear
        trend, motion where it is known); regressors join as the number of frames allows.
    window_s : float
        Length of that model's window in seconds.
    despike : bool
        Hold back single samples that a scalar Kalman filter finds impossible.
    despike_process : float
        Variance of a step of that filter's random walk, as a share of the region's variance.
    despike_limit_sd : float
        Largest step that the filter believes at once, in standard deviations of the region.
    """

    detrend: Literal["glm", "none"] = "glm"
    window_s: float = 120.0
    despike: bool = True
    despike_process: float = 0.25
    despike_limit_sd: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSpec:
    """What frames of a scanner have in common, be they means of regions or volumes.

    A window ends at a frame. Its samples lie ``1 / sfreq`` apart, the last one at that frame.

    Parameters
    ----------
    unit : str
        "" as what is left after normalising has none.
    sfreq : float
        Rate of the samples that the model sees, in Hz.
    take : {"seconds", "frames"}
        ``"seconds"`` interpolates linearly between a frame and the one before it; ``"frames"``
        takes the frames themselves and refuses a stream whose TR is not ``1 / sfreq``.
    max_gap_s : float
        Frames further apart than this have a gap between them that nothing bridges.
    new_run_s : float
        A longer silence (in stamps) begins a new run: cleaning and normalising start anew.
    lag_s : float
        How long the BOLD signal follows what people feel: an answer speaks of so much earlier.
    normalise : {"running", "none"}
        ``"running"``: mean and variance of the run's frames up to and including this one.
    n_settle : int
        Frames at the start of a run that count as warm-up and are shown to the model as 0.
    variance_floor, clip : float
        Least variance that is divided by; largest absolute value after normalising.
    min_coverage : float
        Share of the window's values that must be there and settled, else the modality is missing.
    optional : bool
        The model answers without this modality.
    """

    unit: str = ""
    sfreq: float = 0.5
    take: Literal["seconds", "frames"] = "seconds"
    max_gap_s: float = 5.0
    new_run_s: float = 30.0
    lag_s: float = 6.0
    normalise: Literal["running", "none"] = "running"
    n_settle: int = 8
    variance_floor: float = 0.01
    clip: float = 4.0
    min_coverage: float = 0.5
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiSpec(ScanSpec):
    """Frames of fMRI, one mean a region of interest, as the model wants them.

    Parameters
    ----------
    ch_names : tuple of str
        Regions in the model's order.
    cleaning : CleaningSpec or None
        Done by the runtime unless the stream's description says that its sender did it.
    max_missing : float
        Share of the regions that may be missing from a frame, else the frame is.
    """

    kind: Literal["roi"] = "roi"
    ch_names: tuple[str, ...]
    cleaning: CleaningSpec | None = None
    max_missing: float = 0.1

    @property
    def row_names(self) -> tuple[str, ...]:
        """Names of the rows that the model sees."""
        return self.ch_names

    @property
    def n_rows(self) -> int:
        """Number of rows that the model sees."""
        return len(self.ch_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpec(ScanSpec):
    """Whole volumes of fMRI, as the model wants them: voxels are rows, in C order of `shape`.

    Parameters
    ----------
    shape : tuple of int
        Voxels along x, y and z (RAS+) of the grid on which the model sees a volume.
    affine : tuple of tuple of float or None
        Voxel to world (mm, 4 x 4) of that grid. None fits the grid to each stream's own field of
        view, which needs no registration and knows no anatomy.
    """

    kind: Literal["volume"] = "volume"
    shape: tuple[int, int, int]
    affine: tuple[tuple[float, float, float, float], ...] | None = None
    ch_names: tuple[str, ...] = ()
    take: Literal["seconds", "frames"] = "frames"

    @property
    def row_names(self) -> tuple[str, ...]:
        """Voxels have no names."""
        return ()

    @property
    def n_rows(self) -> int:
        """Number of voxels that the model sees."""
        return math.prod(self.shape)


AcquiredSpec = RoiSpec | VolumeSpec
"""What a scanner acquires frame by frame; a frame closes a window."""

ModalitySpec = SignalSpec | FrameSpec | RoiSpec | VolumeSpec

GRID = "grid"
"""Windows close on the absolute grid (`WindowSpec.closes`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """The windows of one decoder.

    Parameters
    ----------
    window_s : float
        Length in seconds; a whole number of hops, of grid samples and of blocks.
    hop_s : float
        Distance of window ends on the absolute grid ``t_end = k * hop_s``, in seconds.
    max_wait_s : float
        How long past ``t_end`` a window waits for a stream that is alive before it closes without
        it.
    stale_s : float
        A stream that sent nothing for so long is stale: no window waits for it any more.
    closes : str
        ``"grid"``, or the modality (of an `AcquiredSpec`) whose every frame closes a window that
        ends at the frame's stamp. `hop_s` is then the distance at which frames are expected, and
        `max_wait_s` how long after its time a frame is given up.
    modalities : mapping of str to ModalitySpec
        What each modality looks like.
    """

    window_s: float = 3.0
    hop_s: float = 0.25
    max_wait_s: float = 0.5
    stale_s: float = 1.0
    closes: str = GRID
    modalities: Mapping[str, ModalitySpec]

    @property
    def lag_s(self) -> float:
        """How much earlier than its window an answer speaks of, in seconds."""
        return max(
            (s.lag_s for s in self.modalities.values() if isinstance(s, ScanSpec)),
            default=0.0,
        )
