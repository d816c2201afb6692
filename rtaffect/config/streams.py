"""Which stream carries a modality: an entry of the key ``streams`` of a session file."""

from typing import Annotated

from pydantic import Field, field_validator

from rtaffect.config.settings import Settings
from rtaffect.core.arrivals import OWN_PREFIX

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
