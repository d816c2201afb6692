"""The scanner process: what it reads, which regions it takes, how it stamps and what it sends."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from rtaffect.config.scanner_inputs import (
    AfniSettings,
    DicomSettings,
    LslRoiSettings,
    ScannerInputSettings,
)
from rtaffect.config.settings import Settings
from rtaffect.core.atlas import BRAINNETOME
from rtaffect.core.spec import CleaningSpec
from rtaffect.core.streams import StreamChoice

TRIGGERS = "triggers"


class LabelSettings(Settings):
    """The regions."""

    image: str | None = Field(
        default=None,
        min_length=1,
        description="label image (NIfTI), one whole number a region, 0 for none; not needed where "
        "the scanner's software takes the means itself",
    )
    names: str | None = Field(
        default=None,
        min_length=1,
        description=f"{BRAINNETOME}, or a TSV, CSV or JSON file with the regions' values and "
        "names; without it regions are called after their value",
    )
    resample: bool = Field(
        default=False,
        description="true brings the labels to the grid of the volumes (nearest neighbour) where "
        "both are in the same space",
    )
    space: str | None = Field(
        default=None,
        min_length=1,
        description="space of image and volumes for the stream's description, as MNI152 or native",
    )


class CleaningSettings(Settings):
    """What is taken out of the means, from the past alone."""

    detrend: Literal["glm", "none"] = Field(
        default="glm", description="glm (constant, drift and motion over a window) or none"
    )
    window_s: float = Field(
        default=120.0, ge=10.0, le=600.0, description="length of that window in seconds"
    )
    despike: bool = Field(default=True, description="false lets single spikes through")
    n_settle: int = Field(
        default=8,
        ge=0,
        le=1000,
        description="frames at the start of a run that are marked as not yet valid",
    )

    def spec(self) -> CleaningSpec:
        """Return what the cleaner is told."""
        return CleaningSpec(detrend=self.detrend, window_s=self.window_s, despike=self.despike)


class _TimeSettings(Settings):
    delay_s: float = Field(
        default=1.5,
        ge=0.0,
        le=60.0,
        description="seconds from the middle of an acquisition to the arrival of its volume, at "
        "the least",
    )


class TriggerTime(_TimeSettings):
    """The scanner's pulses, one a volume, on an LSL marker stream; the best there is."""

    kind: Literal["triggers"] = "triggers"
    type: str = Field(
        default="Markers", min_length=1, description="LSL content type of the markers"
    )
    name: str | None = Field(default=None, min_length=1, description="name of the marker stream")
    source_id: str | None = Field(
        default=None, min_length=1, description="identity of the marker stream's sender"
    )
    text: str = Field(
        default="R128", min_length=1, description="text of the marker that begins each volume"
    )
    n_dummy: int = Field(
        default=0, ge=0, le=1000, description="pulses at a run's start of which no volume is sent"
    )

    def choice(self) -> StreamChoice:
        """Return which stream carries the pulses."""
        return StreamChoice(
            modality=TRIGGERS, name=self.name, stype=self.type, source_id=self.source_id
        )


class ScannerTime(_TimeSettings):
    """The scanner computer's clock, which the volumes carry (DICOM)."""

    kind: Literal["scanner"] = "scanner"


class StampTime(_TimeSettings):
    """The input's own stamps, which are on LSL's clock already."""

    kind: Literal["stamps"] = "stamps"


class ArrivalTime(_TimeSettings):
    """The arrival of a volume minus a delay; where nothing better is known."""

    kind: Literal["arrival"] = "arrival"


TimeSettings = Annotated[
    TriggerTime | ScannerTime | StampTime | ArrivalTime, Field(discriminator="kind")
]


class ScannerSettings(Settings):
    """Everything that `rtaffect scanner` is set up with."""

    input: ScannerInputSettings = Field(
        description="how volumes or means come in, by kind: pyneal, afni, dicom, nifti or lsl"
    )
    labels: LabelSettings | None = Field(
        default=None,
        description="the regions, as {image: labels.nii.gz, names: brainnetome}; null sends no "
        "means, only volumes",
    )
    cleaning: CleaningSettings | None = Field(
        default_factory=CleaningSettings,
        description="what is taken out of the means; null sends them as they are",
    )
    time: TimeSettings | None = Field(
        default=None,
        description="what a frame's stamp rests on, by kind: triggers, scanner (its clock), stamps "
        "or arrival; the best that the input has unless stated",
    )
    tr_s: float | None = Field(
        default=None,
        ge=0.1,
        le=10.0,
        description="repetition time in seconds, 0.1 to 10; with it the stream is there before "
        "the first volume",
    )
    volumes: str | None = Field(
        default=None,
        pattern=r"^(tcp|ipc|inproc)://\S+$",
        description="ZeroMQ address on which whole volumes are published, as tcp://127.0.0.1:5578; "
        "null for none",
    )
    start: bool = Field(
        default=False,
        description="true lets `rtaffect live` start and watch the process; false where it is "
        "started by itself, here or on another machine",
    )
    simulated: bool = Field(
        default=False, description="true marks what is sent as of nobody: a phantom or a replay"
    )
    name: str = Field(default="rtaffect-roi", min_length=1, description="name of the LSL stream")
    source_id: str = Field(
        default="rtaffect-roi",
        min_length=1,
        description="the stream's own identity; another on each scanner of a network",
    )

    @model_validator(mode="after")
    def _has_regions(self) -> "ScannerSettings":
        means = isinstance(self.input, AfniSettings | LslRoiSettings)
        if not self.sends_frames and self.volumes is None:
            msg = (
                "labels is missing: give {image: FILE, names: FILE} for means of regions, or "
                "volumes: an address where only whole volumes are wanted"
            )
            raise ValueError(msg)
        if self.labels is not None and self.labels.image is None:
            if not means:
                msg = f"labels.image is missing: input of kind {self.input.kind} brings volumes"
                raise ValueError(msg)
            if self.labels.names is None:
                msg = "labels needs image, names, or both"
                raise ValueError(msg)
        if isinstance(self.time, StampTime) and not isinstance(self.input, LslRoiSettings):
            msg = "time: {kind: stamps} is for input of kind lsl, whose samples have stamps"
            raise ValueError(msg)
        if isinstance(self.time, ScannerTime) and not isinstance(self.input, DicomSettings):
            msg = "time: {kind: scanner} is for input of kind dicom, whose files tell the time"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _can_be_waited_for(self) -> "ScannerSettings":
        if self.start and self.tr_s is None:
            msg = (
                "start: true needs tr_s, the repetition time in seconds: without it the streams "
                "are not there before the first volume, and `rtaffect live` looks for them"
            )
            raise ValueError(msg)
        return self

    @property
    def sends_frames(self) -> bool:
        """Whether there are means of regions to send."""
        return self.labels is not None or isinstance(self.input, LslRoiSettings)

    def time_in_force(self) -> TriggerTime | ScannerTime | StampTime | ArrivalTime:
        """Return what stamps rest on: as set, else the best that the input has."""
        if self.time is not None:
            return self.time
        if isinstance(self.input, LslRoiSettings):
            return StampTime()
        return ScannerTime() if isinstance(self.input, DicomSettings) else ArrivalTime()


class ScannerFile(Settings):
    """What `rtaffect scanner` wants of a session file: one key; the others are not its own."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    scanner: ScannerSettings = Field(
        description="{input: {kind: dicom, folder: FOLDER}, labels: {image: FILE, names: "
        "brainnetome}}, say; see docs/session-files.md"
    )
