"""The key ``fusion:`` of a session file: how decoders' estimates become one."""

from pydantic import Field

from rtaffect.config.settings import Settings


class FusionSettings(Settings):
    """Whether estimates are fused, and the numbers of the rule (docs/fusion.md)."""

    enabled: bool | None = Field(
        default=None,
        description="true or false; unless stated, true where two decoders share a target and each "
        "has a modality that the other lacks",
    )
    tau_s: float = Field(
        default=3.0,
        gt=0,
        le=600,
        description="what was said of a time so many seconds earlier has 1/e of its weight",
    )
    hold_s: float = Field(
        default=15.0,
        ge=10,
        le=600,
        description="how long estimates are kept for fMRI that comes late, in seconds, from 10 on",
    )
    lag_s: float | None = Field(
        default=None,
        gt=0,
        le=20,
        description="how long BOLD follows what people feel, in seconds; each model's own unless "
        "stated (5 is usual)",
    )
