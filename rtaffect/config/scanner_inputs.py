"""How volumes or means of regions come in from the scanner's side: one group of keys a way."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from rtaffect.config.settings import Settings

MAX_SIDE = 1024


class PynealSettings(Settings):
    """Volumes by the protocol of Pyneal's scanner side: a ZeroMQ PAIR, one reply a volume."""

    kind: Literal["pyneal"] = Field(
        default="pyneal", description="volumes as Pyneal's scanner side sends them"
    )
    address: str = Field(
        default="tcp://127.0.0.1:5555",
        pattern=r"^(tcp|ipc)://\S+$",
        description="ZeroMQ address to bind, as tcp://127.0.0.1:5555; the scanner side connects",
    )


class AfniSettings(Settings):
    """Motion and means of regions by the protocol of AFNI's realtime_receiver."""

    kind: Literal["afni"] = Field(
        default="afni", description="what AFNI's realtime plugin sends a receiver"
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="address of this machine to listen on; AFNI connects, once a run",
    )
    port: int = Field(
        default=53214,
        ge=0,
        le=65535,
        description="TCP port to listen on, as in AFNI_REALTIME_MP_HOST_PORT; 0 takes a free one",
    )
    byte_order: Literal["native", "little", "big"] = Field(
        default="native",
        description="byte order of AFNI's machine, which the protocol does not tell: native (as "
        "here), little or big",
    )
    shape: tuple[int, int, int] | None = Field(
        default=None,
        description="voxels of AFNI's dataset along its axes, as [64, 64, 36]; makes volumes of "
        "All_Data. Without it each voxel sent is a value of its own",
    )

    @field_validator("shape")
    @classmethod
    def _is_possible(cls, value: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        if value is not None and not all(0 < n <= MAX_SIDE for n in value):
            msg = f"sides must be from 1 to {MAX_SIDE} voxels, got {list(value)}"
            raise ValueError(msg)
        return value


class FolderSettings(Settings):
    """A folder into which files are written one after the other."""

    folder: str = Field(min_length=1, description="folder to watch; it has to be there")
    files: str = Field(
        default="*", min_length=1, description="names of the files to read, as a pattern with * ?"
    )
    subfolders: bool = Field(
        default=False,
        description="true also watches the folders inside, as where each series has its own",
    )
    existing: Literal["skip", "read"] = Field(
        default="skip",
        description="what to do with files that are there at the start: skip or read",
    )
    settle_s: float = Field(
        default=0.005,
        ge=0.0,
        le=10.0,
        description="seconds for which size and time of a file must rest before it is read; more "
        "where a share makes files full-size before they are filled",
    )
    give_up_s: float = Field(
        default=5.0,
        gt=0.0,
        le=600.0,
        description="seconds after which a file that rests and still is no image is given up",
    )


class DicomSettings(FolderSettings):
    """A folder of DICOM files: mosaics, single slices, or enhanced multi-frame images."""

    kind: Literal["dicom"] = Field(default="dicom", description="a folder of DICOM files")
    series: Literal["original", "moco", "all"] = Field(
        default="original",
        description="which series of one that the scanner sends twice, before and after its own "
        "motion correction: original, moco, or all",
    )
    echo: int | None = Field(
        default=None,
        ge=1,
        description="which echo of a multi-echo series to take, from 1; the others are left out",
    )
    n_slices: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SIDE,
        description="slices of a volume where each has a file of its own and none says how many; "
        "learned from the first two volumes unless stated",
    )


class NiftiSettings(FolderSettings):
    """A folder of NIfTI files: a volume each, or a run each that may still grow."""

    kind: Literal["nifti"] = Field(
        default="nifti", description="a folder of NIfTI files (.nii, .nii.gz)"
    )
    files: str = Field(
        default="*.nii*",
        min_length=1,
        description="names of the files to read, as a pattern with * ?",
    )
    first_number: int | None = Field(
        default=1,
        ge=0,
        description="number in the name of a run's first volume, where each has a file of its own; "
        "null counts files as they come",
    )


class LslRoiSettings(Settings):
    """Means of regions that another tool streams over LSL."""

    kind: Literal["lsl"] = Field(default="lsl", description="another tool's LSL stream of regions")
    type: str | None = Field(
        default="fMRI", min_length=1, description="LSL content type; null asks for none"
    )
    name: str | None = Field(
        default=None, min_length=1, description="name of the stream as the sender set it"
    )
    source_id: str | None = Field(
        default=None, min_length=1, description="the sender's own identity"
    )
    ch_names: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="names of the regions in order, where the sender declares none",
    )
    stamps: Literal["described", "mid", "start", "sent"] = Field(
        default="described",
        description="what the sender's stamps mean: mid or start of the acquisition, sent (when "
        "the sample was ready), or described (as the stream says; sent where it says nothing)",
    )
    tr_s: float | None = Field(
        default=None,
        gt=0.0,
        le=60.0,
        description="repetition time in seconds where the stream does not say",
    )
    wait_s: float = Field(
        default=30.0,
        gt=0.0,
        le=86_400.0,
        description="seconds to wait for the stream at the start",
    )


ScannerInputSettings = Annotated[
    PynealSettings | AfniSettings | DicomSettings | NiftiSettings | LslRoiSettings,
    Field(discriminator="kind"),
]
"""The ways in; the key `kind` says which."""
