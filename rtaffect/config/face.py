"""What `rtaffect face` is set up with: the key ``face`` of a session file."""

from typing import Literal

from pydantic import ConfigDict, Field

from rtaffect.config.settings import Settings


class LensSettings(Settings):
    """How a camera projects, in pixels of the mode that it is used in."""

    fx: float = Field(gt=0, description="focal length, horizontally")
    fy: float = Field(gt=0, description="focal length, vertically")
    cx: float = Field(gt=0, description="where the optical axis meets the picture, from the left")
    cy: float = Field(gt=0, description="the same, from the top")


class CameraSettings(Settings):
    """The camera, and the mode that it is asked for."""

    number: int = Field(default=0, ge=0, le=63, description="number of the camera, from 0")
    width: int = Field(default=640, ge=160, le=4096, description="pixels across")
    height: int = Field(default=480, ge=120, le=4096, description="pixels down")
    sfreq: float = Field(default=30.0, gt=0, le=240, description="pictures a second")
    delay_ms: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="by how much a picture is older than the moment in which it arrives",
    )
    lens: LensSettings | None = Field(
        default=None,
        description="what a calibration of the camera found, as {fx: 520, fy: 520, cx: 320, cy: "
        "240}; without it OpenFace's rule of thumb is used",
    )


class FaceSettings(Settings):
    """The face tracker: a process of its own that sends 29 features over LSL."""

    start: bool = Field(
        default=False,
        description="true lets `rtaffect live` start and watch the process; false where it is "
        "started by itself, here or on another machine",
    )
    camera: CameraSettings = Field(default_factory=CameraSettings, description="the camera")
    backend: str = Field(
        default="auto",
        pattern=r"^(auto|litert|mediapipe|opencv|.+\.task)$",
        description="what finds the face: auto, litert, mediapipe, opencv, or a .task file",
    )
    neutral: Literal["running", "calibrated"] = Field(
        default="running",
        description="the face at rest that action units are measured from: a running median, or "
        "calibrated over the first seconds",
    )
    calibrate_s: float = Field(
        default=20.0, ge=5, le=120, description="how long the person holds still (calibrated)"
    )
    running_s: float = Field(
        default=60.0, ge=5, le=600, description="what a running median looks back on, in seconds"
    )
    name: str = Field(default="rtaffect-face", min_length=1, description="name of the LSL stream")
    source_id: str = Field(
        default="rtaffect-face", min_length=1, description="identity of the LSL stream"
    )


class FaceFile(Settings):
    """What `rtaffect face` wants of a session file: one key; the others are not its own."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    face: FaceSettings = Field(
        default_factory=FaceSettings,
        description="{camera: {number: 0}, neutral: calibrated}, say; see docs/session-files.md",
    )
