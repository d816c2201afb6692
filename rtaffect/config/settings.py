"""What every group of settings is like."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen, strict (no text for a number, no number for text), and nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
