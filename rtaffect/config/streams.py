"""The key ``streams`` of a session file: which stream carries a modality."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from rtaffect.config.settings import Settings
from rtaffect.config.volumes import VolumeStreamSettings
from rtaffect.core.arrivals import OWN_PREFIX
from rtaffect.core.scanner_report import REPORT_MODALITY, REPORT_STYPE
from rtaffect.core.streams import StreamChoice

STREAM_TYPES = {
    "eeg": "EEG",
    "face": "Face",
    "roi": "fMRI",
    REPORT_MODALITY: REPORT_STYPE,
    "markers": "Markers",
}
"""The LSL content type that each modality has unless the session file says otherwise."""

Factor = Annotated[float, Field(ge=-1e6, le=1e6)]


class StreamSettings(Settings):
    """Which stream carries a modality, and what its sender failed to say."""

    type: str | None = Field(
        default=None,
        min_length=1,
        description="LSL content type; EEG, Face, fMRI or Markers after the modality unless stated",
    )
    name: str | None = Field(
        default=None, min_length=1, description="name of the stream as the sender set it"
    )
    source_id: str | None = Field(
        default=None,
        min_length=1,
        description="the sender's own identity; finds the stream again after a restart",
    )
    unit: str | None = Field(
        default=None,
        min_length=1,
        description="unit of the samples where the sender declares none: V, mV, uV or nV",
    )
    ch_names: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="channel labels in order, where the sender declares none",
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        description="channel labels to correct, as {label of the sender: right label}",
    )
    factors: dict[str, Factor] = Field(
        default_factory=dict,
        description="what to multiply channels of a face stream by, as {pose_Rx: -1}: another unit "
        "than the sender declares, or the other sign",
    )
    sfreq: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="sampling rate in Hz where the sender's is wrong or missing",
    )

    required: bool = Field(
        default=True, description="false lets the session start before the stream is there"
    )

    @field_validator("type")
    @classmethod
    def _is_selectable(cls, value: str | None) -> str | None:
        if value is not None and value.startswith(OWN_PREFIX):
            msg = (
                f"types that begin with {OWN_PREFIX} are what rtaffect itself sends (estimates, "
                "the truth of a simulated participant), and a decoder may not see them"
            )
            raise ValueError(msg)
        return value


class Streams(Settings):
    """The streams that the session listens to."""

    eeg: StreamSettings | None = Field(default=None, description="the amplifier")
    face: StreamSettings | None = Field(
        default=None, description="29 facial features from a camera"
    )
    roi: StreamSettings | None = Field(
        default=None, description="frames of fMRI, one mean a region, as `rtaffect scanner` sends"
    )
    roi_meta: StreamSettings | None = Field(
        default=None,
        description="what `rtaffect scanner` says beside those frames; kept and passed on, and its "
        "latencies shown in the health",
    )
    markers: StreamSettings | None = Field(
        default=None, description="event markers; kept and passed on, never decoded"
    )

    volume: VolumeStreamSettings | None = Field(
        default=None, description="whole volumes of fMRI from the scanner process"
    )

    @field_validator("eeg", "face", "roi", "roi_meta", "markers", "volume", mode="before")
    @classmethod
    def _says_something(cls, value: object) -> object:
        if value is None:
            msg = "nothing stands after the colon; write {} for the stream of this type, or no key"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _factors_are_of_faces(self) -> Self:
        for modality in STREAM_TYPES:
            stream = getattr(self, modality)
            if modality != "face" and stream is not None and stream.factors:
                msg = (
                    f"factors are for facial features, not for {modality}; of a signal say its unit"
                )
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if all(stream is None for stream in (self.eeg, self.face, self.roi, self.volume)):
            msg = "at least one of eeg, face, roi and volume is needed"
            raise ValueError(msg)
        return self

    def choices(self) -> tuple[StreamChoice, ...]:
        """Return which stream to open for each modality that the file names."""
        chosen = {modality: getattr(self, modality) for modality in STREAM_TYPES}
        return tuple(
            StreamChoice(
                modality=modality,
                stype=stream.type or STREAM_TYPES[modality],
                name=stream.name,
                source_id=stream.source_id,
                unit=stream.unit,
                ch_names=stream.ch_names,
                rename=dict(stream.rename),
                factors=dict(stream.factors),
                sfreq=stream.sfreq,
                required=stream.required,
            )
            for modality, stream in chosen.items()
            if stream is not None
        )
