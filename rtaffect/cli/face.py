"""``rtaffect face``: a camera, or a video file, becomes 29 facial features over LSL."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtaffect.cli.ending import end_after, end_with_parent, stopped_by_signals

if TYPE_CHECKING:
    from rtaffect.cli.status import ProcessLine
    from rtaffect.config.face import FaceSettings
    from rtaffect.core.clock import Clock
    from rtaffect.face.extractor import Extractor
    from rtaffect.face.pictures import Grabber
    from rtaffect.face.process import FaceProcess, Progress

SETUP = "setup"


def face(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Number of a camera, a video file, a session file (its key `face`), or the word "
            "setup, which gets the networks; camera 0 unless stated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Read a video file at full speed into an OpenFace-compatible CSV file."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the cameras and end.")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show mesh, gaze and action units in a window.")
    ] = False,
    picture: Annotated[
        bool, typer.Option("--picture", help="Let the preview show the person, too.")
    ] = False,
    backend: Annotated[
        str | None,
        typer.Option(help="auto, litert, mediapipe, opencv, or a .task file of MediaPipe."),
    ] = None,
    calibrate: Annotated[
        float | None,
        typer.Option(min=5.0, max=120.0, help="Seconds in which the person holds still."),
    ] = None,
    camera_delay_ms: Annotated[
        float | None,
        typer.Option(min=0.0, max=1000.0, help="How much older a picture is than its arrival."),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=1.0, help="End after so many seconds; else by Ctrl-C.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No status line.")] = False,
    beside: Annotated[bool, typer.Option("--beside", hidden=True)] = False,
) -> None:
    """Turn a camera's pictures into OpenFace's 29 features over LSL; no picture is kept.

    Example: rtaffect face setup, then rtaffect face --preview

    It is a process of its own: should the camera die, EEG goes on, and it looks for the camera.
    """
    _require_libraries()
    if source == SETUP:
        _set_up()
        return
    if list_:
        _list()
        return
    settings, video = _what(source)
    settings = _changed(
        settings, backend=backend, calibrate_s=calibrate, camera_delay_ms=camera_delay_ms
    )
    if out is not None:
        _write(video, out, settings)
        return
    from rtaffect.cli.status import ProcessLine

    stop = threading.Event()
    with ExitStack() as open_things:
        process = _open(settings, video, open_things, preview=preview or picture, picture=picture)
        # Not before everything is open: until then Ctrl-C ends the wait at once.
        open_things.enter_context(stopped_by_signals(stop))
        end_after(duration, stop, open_things)
        if beside:
            end_with_parent(stop)
        with ProcessLine("the first picture", quiet=quiet) as line:
            process.run(stop, _Shown(line))
    _tell_summary(process)


class _Shown:
    """Shows where the process is; says once that somebody else is in the picture, too."""

    def __init__(self, line: "ProcessLine") -> None:
        self._line = line
        self._said = False

    def __call__(self, progress: "Progress") -> None:
        if progress.n_faces > 1 and not self._said:
            self._said = True
            self._line.tell(
                f"{progress.n_faces} faces are in the picture. The one that was largest when it "
                "was found is followed; the others are only counted."
            )
        self._line.show(progress)


def _set_up() -> None:
    """Get the networks, unless they are there."""
    from rtaffect.cli.running import tell
    from rtaffect.core.errors import FaceError
    from rtaffect.face.models import fetch_models, find_models, models_folder

    try:
        find_models()
    except FaceError:
        fetch_models()
    tell(f"The face networks are in {models_folder()}, checked.")


def _require_libraries() -> None:
    """Say how to get what only faces need."""
    from importlib.util import find_spec

    from rtaffect.core.errors import FaceError

    if missing := [name for name in ("cv2", "platformdirs") if find_spec(name) is None]:
        msg = (
            f"Faces need libraries that are not installed ({', '.join(missing)}): "
            "pip install 'rtaffect[face]'."
        )
        raise FaceError(msg)


def _list() -> None:
    from rtaffect.cli.running import tell
    from rtaffect.face.cameras import list_cameras

    cameras = list_cameras()
    for number, name, mode in cameras:
        tell(f"{number}: {name or 'camera'} ({mode})")
    if not cameras:
        tell("No camera opens here. Connect one; another program may hold it.")


def _what(source: str | None) -> "tuple[FaceSettings, Path | None]":
    """Return the settings, and the video file if one was named."""
    from rtaffect.config import read_settings
    from rtaffect.config.face import FaceFile, FaceSettings
    from rtaffect.config.reading import validated

    if source is None:
        return FaceSettings(), None
    if source.isdecimal():
        said = {"camera": {"number": int(source)}}
        return validated(said, FaceSettings, where="The command line"), None
    path = Path(source)
    if path.suffix in {".yaml", ".yml"}:
        return read_settings(path, FaceFile).face, None
    return FaceSettings(), path


def _changed(
    settings: "FaceSettings",
    *,
    backend: str | None,
    calibrate_s: float | None,
    camera_delay_ms: float | None,
) -> "FaceSettings":
    """Return the settings with what the command line says instead."""
    from rtaffect.config.face import FaceSettings
    from rtaffect.config.reading import validated

    said = settings.model_dump()
    if backend is not None:
        said["backend"] = backend
    if calibrate_s is not None:
        said |= {"neutral": "calibrated", "calibrate_s": calibrate_s}
    if camera_delay_ms is not None:
        said["camera"]["delay_ms"] = camera_delay_ms
    return validated(said, FaceSettings, where="The command line")


def _extractor(settings: "FaceSettings") -> "tuple[Extractor, str]":
    """Return what makes features, and the name of what finds the face."""
    from rtaffect.cli.running import tell
    from rtaffect.face.backends import open_landmarker
    from rtaffect.face.camera_geometry import Intrinsics
    from rtaffect.face.extractor import Extractor
    from rtaffect.face.neutral import NeutralSettings

    landmarker = open_landmarker(settings.backend)
    tell(f"Faces are found by {landmarker.name}.")
    is_calibrated = settings.neutral == "calibrated"
    neutral = NeutralSettings(
        calibrate_s=settings.calibrate_s if is_calibrated else 0.0, running_s=settings.running_s
    )
    lens = settings.camera.lens
    intrinsics = None if lens is None else Intrinsics(**lens.model_dump())
    return Extractor(landmarker, intrinsics=intrinsics, neutral=neutral), landmarker.name


def _open(
    settings: "FaceSettings",
    video: Path | None,
    open_things: ExitStack,
    *,
    preview: bool,
    picture: bool,
) -> "FaceProcess":
    from rtaffect.cli.running import tell
    from rtaffect.face.preview import PreviewWindow
    from rtaffect.face.process import FaceProcess, describe
    from rtaffect.sources.lsl_inlet import local_clock

    extractor, backend = _extractor(settings)
    grabber, sfreq = _open_grabber(settings, video, local_clock)
    open_things.enter_context(grabber)
    window = PreviewWindow(with_picture=picture) if preview else None
    if window is not None:
        open_things.callback(window.close)
    info = describe(name=settings.name, source_id=settings.source_id, sfreq=sfreq, backend=backend)
    process = FaceProcess(grabber, extractor, info, clock=local_clock, preview=window)
    open_things.callback(process.close)
    tell(f"Ready: features go out as {settings.name!r} over LSL. Ctrl-C ends.")
    if settings.neutral == "calibrated":
        tell(f"Look into the camera with a face at rest for {settings.calibrate_s:g} s.")
    return process


def _open_grabber(
    settings: "FaceSettings", video: Path | None, clock: "Clock"
) -> "tuple[Grabber, float]":
    """Return the camera, or the file as one, and its rate in Hz."""
    from rtaffect.cli.running import tell
    from rtaffect.face.cameras import DEFAULT_SFREQ, CameraMode, open_camera, open_video
    from rtaffect.face.pictures import Grabber, PacedFile

    if video is not None:
        capture, mode = open_video(video)
        sfreq = mode.sfreq or DEFAULT_SFREQ
        tell(f"{video.name}: {mode}.")
        return Grabber(lambda: PacedFile(capture, sfreq), clock=clock), sfreq
    camera = settings.camera
    wanted = CameraMode(width=camera.width, height=camera.height, sfreq=camera.sfreq)
    capture, mode = open_camera(camera.number, wanted)
    tell(f"Camera {camera.number}: {mode}" + (f" (asked for {wanted})." if mode != wanted else "."))
    first = [capture]
    return (
        Grabber(
            lambda: first.pop() if first else open_camera(camera.number, wanted)[0],
            clock=clock,
            delay_s=camera.delay_ms / 1000.0,
        ),
        mode.sfreq,
    )


def _write(video: Path | None, out: Path, settings: "FaceSettings") -> None:
    """Write the features of a video file."""
    from rtaffect.cli.running import tell
    from rtaffect.face.clip import write_features

    if video is None:
        msg = "--out reads a video file: rtaffect face video.mp4 --out features.csv"
        raise typer.BadParameter(msg)
    extractor, _ = _extractor(settings)
    done = write_features(video, out, extractor)
    unknown = (
        f", {done.n_without_units} of them before the face at rest was known: they have success 0"
        if done.n_without_units
        else ""
    )
    tell(f"{out}: {done.n_frames} frames, {done.n_faces} with a face{unknown}.")


def _tell_summary(process: "FaceProcess") -> None:
    from rtaffect.cli.running import tell

    progress = process.progress
    tell(
        f"{progress.n_frames} frames, {progress.n_dropped} dropped, the camera was lost "
        f"{progress.n_losses} times."
    )
    for name, meter in process.stages.items():
        if meter.n:
            told = meter.summary()
            tell(f"{name}: p50 {told.p50_ms:.1f} ms, p99 {told.p99_ms:.1f} ms")
