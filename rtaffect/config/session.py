"""What a session is set up with: every key of a session file, its default and what it takes.

The words of each field's description are the only ones there are: error messages quote them, and
the file that ``rtaffect init`` writes carries them as comments.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from rtaffect.config.face import FaceSettings
from rtaffect.config.fusion import FusionSettings
from rtaffect.config.mr import MrSettings, check_mr
from rtaffect.config.scanner import ScannerSettings
from rtaffect.config.settings import Settings
from rtaffect.config.streams import Streams
from rtaffect.core.fused import FUSED_NAMES
from rtaffect.core.streams import StreamChoice
from rtaffect.core.volume_message import VOLUME_MODALITY


class DecoderSettings(Settings):
    """A model bundle that decodes the streams."""

    bundle: str = Field(
        min_length=1,
        description="a shipped bundle (`rtaffect bundle show` lists them) or the path of a folder",
    )
    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="name of the estimates (letters, digits, - _ .); the bundle's unless stated",
    )
    interpolate: bool = Field(
        default=False,
        description="true rebuilds missing EEG channels, up to the bundle's limit",
    )
    baseline: str | None = Field(
        default=None,
        min_length=1,
        description="file that `rtaffect baseline` made of this person, for a model that takes one",
    )

    @property
    def label(self) -> str:
        """The name under which estimates are published."""
        return self.name or Path(self.bundle).name


class CurveSettings(Settings):
    """CURVE keys: who may subscribe from another machine."""

    secret: str = Field(
        min_length=1, description="the publisher's .key_secret file, made by `rtaffect keys`"
    )
    admit: str | None = Field(
        default=None,
        min_length=1,
        description="folder with the .key files of those who may subscribe; without it, all who "
        "have the publisher's .key",
    )


class PublishSettings(Settings):
    """Where estimates go."""

    address: str = Field(
        default="tcp://127.0.0.1:5577",
        pattern=r"^(tcp|ipc|inproc)://\S+$",
        description="ZeroMQ address to bind, as tcp://127.0.0.1:5577; loopback needs no keys",
    )
    lsl: bool = Field(
        default=True,
        description="also send estimates as an LSL stream, so that LabRecorder keeps them",
    )
    curve: CurveSettings | None = Field(
        default=None, description="keys for an address that other machines reach"
    )
    insecure: bool = Field(
        default=False, description="true allows another address than loopback without keys"
    )


class RecordSettings(Settings):
    """The recording of the session."""

    path: str = Field(
        description="file to write, as runs/{time}.xdf; {time} becomes the start's date and time",
    )

    @field_validator("path")
    @classmethod
    def _is_xdf(cls, value: str) -> str:
        if Path(value).suffix != ".xdf":
            msg = (
                f"the file must end in .xdf, got {value!r}; write runs/{{time}}.xdf, say, where "
                "{time} becomes the start's date and time"
            )
            raise ValueError(msg)
        return value

    def path_at(self, start: datetime) -> Path:
        """Return the file of a session that starts at a local time."""
        return Path(self.path.replace("{time}", start.strftime("%Y-%m-%d_%H-%M-%S")))


class SourceSettings(Settings):
    """How samples reach this machine."""

    kind: Literal["lsl", "fieldtrip"] = Field(default="lsl", description="lsl or fieldtrip")
    host: str | None = Field(
        default=None, min_length=1, description="machine of the FieldTrip buffer (kind: fieldtrip)"
    )
    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="port of the FieldTrip buffer (kind: fieldtrip), 1 to 65535",
    )

    @model_validator(mode="after")
    def _address_fits_kind(self) -> Self:
        if self.kind == "lsl" and (self.host is not None or self.port is not None):
            msg = "host and port belong to kind: fieldtrip; LSL finds its streams by itself"
            raise ValueError(msg)
        return self


class Session(Settings):
    """Everything that a live session is set up with."""

    streams: Streams = Field(
        description="which streams to listen to, by modality: eeg, face, roi, markers, volume"
    )
    decoders: tuple[DecoderSettings, ...] = Field(
        min_length=1, description="a list of model bundles; each answers for itself"
    )
    publish: PublishSettings = Field(
        default_factory=PublishSettings, description="where estimates go"
    )
    record: RecordSettings | None = Field(
        default=None,
        description='write the session to a file, as {path: "runs/{time}.xdf"}; null for none',
    )
    provider: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where models run: auto (a GPU if there is one), cpu or cuda"
    )
    source: SourceSettings = Field(
        default_factory=SourceSettings, description="how samples reach this machine"
    )
    fusion: FusionSettings = Field(
        default_factory=FusionSettings,
        description="how the estimates of several decoders become one",
    )
    mr: MrSettings | None = Field(
        default=None,
        description="EEG inside a running scanner, as causal_aas or {eeg: causal_aas, ecg: ECG}; "
        "corrected where it comes without artifacts, none where there is no scanner",
    )
    face: FaceSettings | None = Field(
        default=None,
        description="how `rtaffect face` tracks a face, as {start: true, camera: {number: 0}}; "
        "null where nobody does, or where it is started with its defaults",
    )
    scanner: ScannerSettings | None = Field(
        default=None,
        description="what `rtaffect scanner` reads and sends, as {input: {kind: dicom, folder: "
        "FOLDER}, labels: {image: FILE, names: brainnetome}}; null without a scanner",
    )

    @field_validator("decoders")
    @classmethod
    def _names_differ(cls, value: tuple[DecoderSettings, ...]) -> tuple[DecoderSettings, ...]:
        labels = [decoder.label for decoder in value]
        for label in labels:
            if labels.count(label) > 1:
                msg = f"two decoders are called {label!r}; give each its own name"
                raise ValueError(msg)
            if label in FUSED_NAMES:
                msg = f"{label} is what fusion calls its own estimates; give it another name"
                raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _mr_fits_streams(self) -> Self:
        check_mr(self.mr, [choice.modality for choice in self.recorded_choices()])
        return self

    def about(self) -> dict[str, object]:
        """Return what a recording may say of the settings: no path, key or address of this lab."""
        kept = self.model_dump(
            mode="json",
            include={
                "streams": True,
                "provider": True,
                "source": {"kind"},
                "fusion": True,
                "mr": True,
            },
            exclude={"streams": {"volume": {"address"}}},
        )
        decoders = [
            {"bundle": Path(one.bundle).name, "name": one.label, "interpolate": one.interpolate}
            for one in self.decoders
        ]
        return {**kept, "decoders": decoders}

    def choices(self) -> tuple[StreamChoice, ...]:
        """Return which stream to open for each modality that the file names."""
        return self.streams.choices()

    def recorded_choices(self) -> tuple[StreamChoice, ...]:
        """Return which stream of a recording is each modality: `choices`, and volumes."""
        volumes = self.streams.volume
        if volumes is None:
            return self.choices()
        choice = StreamChoice(modality=VOLUME_MODALITY, required=volumes.required)
        return (*self.choices(), choice)
