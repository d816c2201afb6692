"""``rtaffect-offline data faces``: the clips of a data set become files of facial features."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

FEW_FACES = 0.5
"""Share of pictures with a face below which a clip is worth a remark."""


def faces(
    folder: Annotated[Path, typer.Argument(help="Folder with videos in it or below.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the same tree of CSV files; beside the videos unless given."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Clips at a time; one a core unless given.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="auto, litert, mediapipe, opencv, or a .task file of MediaPipe.")
    ] = "auto",
) -> None:
    """Make facial features of every video, by the extractor that runs live.

    Example: rtaffect-offline data faces /data/deap/face_video --out /data/deap/openface

    What is there already is left alone: the same command goes on where it was interrupted.
    """
    from offline.datasets.faces import extract_all, find_clips
    from rtaffect.face.backends import open_landmarker

    console = Console(soft_wrap=True, highlight=False)
    clips = find_clips(folder, out)
    used = open_landmarker(backend).name  # says what is missing before anything is begun
    missing = [clip for clip in clips if not clip.is_done]
    console.print(
        f"{len(clips)} videos, {len(clips) - len(missing)} done before; faces by {used}.",
        markup=False,
    )
    failed = 0
    with Progress(
        TextColumn("clips"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=len(missing))
        for done in extract_all(missing, n_processes=processes, backend=backend):
            bar.advance(task)
            if done.problem:
                failed += 1
                console.print(f"{done.clip.video}: {done.problem}", markup=False)
            elif done.n_faces < FEW_FACES * done.n_frames:
                console.print(
                    f"{done.clip.video}: a face in {done.n_faces} of {done.n_frames} pictures only",
                    markup=False,
                )
    console.print(f"{len(missing) - failed} files made, {failed} failed.", markup=False)
    if failed:
        raise typer.Exit(1)
