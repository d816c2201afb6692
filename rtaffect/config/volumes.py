"""Where whole volumes of fMRI come from: the scanner process on this machine."""

from pydantic import Field, field_validator

from rtaffect.config.settings import Settings
from rtaffect.core.local_address import is_local


class VolumeStreamSettings(Settings):
    """Volumes from the scanner process; LSL is not made for them."""

    address: str = Field(
        default="tcp://127.0.0.1:5578",
        pattern=r"^(tcp|ipc)://\S+$",
        description="ZeroMQ address where `rtaffect scanner` publishes volumes, on this machine",
    )
    required: bool = Field(
        default=True, description="false lets the session start before the scanner process is there"
    )

    @field_validator("address")
    @classmethod
    def _is_here(cls, value: str) -> str:
        if not is_local(value):
            msg = (
                "volumes come from a process on this machine, so that the address must be loopback "
                f"or ipc, as tcp://127.0.0.1:5578; got {value!r}"
            )
            raise ValueError(msg)
        return value
