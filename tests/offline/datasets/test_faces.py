"""A data set's clips become files of features: all of them, once, and a bad one stops nobody."""

import csv
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from offline.cli.main import app
from offline.datasets.deap_faces import read_face
from offline.datasets.faces import Clip, extract_all, find_clips
from offline.errors import DataError
from rtaffect.core.face_features import MARK
from rtaffect.face.backends import open_landmarker
from rtaffect.face.clip import write_features
from rtaffect.face.extractor import Extractor

run = CliRunner().invoke


@pytest.fixture
def folder(shared_data: Path, tmp_path: Path, face_models: None) -> Path:
    """Two subjects with a clip each, and a file that is none."""
    home = tmp_path / "face_video"
    for subject, clip in (("s01", "pyfeat_single_face.mp4"), ("s02", "pyfeat_face_noface.mov")):
        (home / subject).mkdir(parents=True)
        shutil.copy(shared_data / "face" / clip, home / subject / f"{subject}_trial01.mp4")
    (home / "readme.txt").write_text("no clip")
    return home


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.recordings
def test_every_clip_becomes_the_file_that_the_live_extractor_makes(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "features"
    result = run(app, ["data", "faces", str(folder), "--out", str(out), "--processes", "2"])
    assert result.exit_code == 0, result.output
    assert "2 videos, 0 done before; faces by litert." in result.output
    assert "2 files made, 0 failed." in result.output
    assert "s02_trial01.mp4: a face in 72 of 169 pictures only" in result.output
    made = ["s01/s01_trial01.csv", "s02/s02_trial01.csv"]
    assert names(out) == [str(Path(name)) for name in made]
    alone = tmp_path / "alone.csv"
    write_features(folder / "s01" / "s01_trial01.mp4", alone, Extractor(open_landmarker("litert")))
    assert (out / made[0]).read_bytes() == alone.read_bytes()
    times, features = read_face(out / made[0])
    assert features.shape == (31, len(times))


@pytest.mark.recordings
def test_what_is_done_is_left_alone_and_what_was_begun_is_made_anew(folder: Path) -> None:
    done = folder / "s01" / "s01_trial01.csv"
    done.write_text(f"frame, {MARK}\n1, 1\n")
    begun = folder / "s02" / ".s02_trial01.csv.part"
    begun.write_text("frame, face_id\n1, 0\n")
    result = run(app, ["data", "faces", str(folder), "--processes", "1"])
    assert result.exit_code == 0, result.output
    assert "2 videos, 1 done before" in result.output
    assert "1 files made, 0 failed." in result.output
    assert done.read_text() == f"frame, {MARK}\n1, 1\n"
    assert not begun.exists()
    with (folder / "s02" / "s02_trial01.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 170
    again = run(app, ["data", "faces", str(folder)])
    assert again.exit_code == 0
    assert "2 videos, 2 done before" in again.output
    assert "0 files made, 0 failed." in again.output


@pytest.mark.recordings
def test_a_broken_clip_is_named_and_stops_no_other(folder: Path) -> None:
    broken = folder / "s01" / "s01_trial02.avi"
    broken.write_bytes(os.urandom(4096))
    (folder / "s02" / "s02_trial01.mp4").unlink()
    result = run(app, ["data", "faces", str(folder), "--processes", "1"])
    assert result.exit_code == 1
    assert f"{broken}: {broken} must be a video that OpenCV reads" in result.output
    assert "1 files made, 1 failed." in result.output
    assert names(folder / "s01") == [
        "s01_trial01.csv",
        "s01_trial01.mp4",
        "s01_trial02.avi",
    ]


@pytest.mark.recordings
def test_each_clip_is_told_of_as_it_is_done(folder: Path) -> None:
    clips = find_clips(folder)
    told = {done.clip: (done.n_frames, done.n_faces) for done in extract_all(clips, n_processes=1)}
    assert told == {clips[0]: (72, 72), clips[1]: (169, 72)}
    assert list(extract_all(clips, n_processes=1)) == []


def test_clips_are_found_in_order_and_keep_their_place(tmp_path: Path) -> None:
    for name in ("b/2.mov", "b/1.AVI", "a.mp4", "b/notes.csv", "._a.mp4", "c.mp4/notes.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    home, out = tmp_path / "in", tmp_path / "out"
    assert find_clips(home, out) == [
        Clip(home / "a.mp4", out / "a.csv"),
        Clip(home / "b/1.AVI", out / "b/1.csv"),
        Clip(home / "b/2.mov", out / "b/2.csv"),
    ]
    assert find_clips(home)[0].out == home / "a.csv"


def test_another_programs_file_is_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "a.csv").write_text(f"frame, AU45_r, {MARK}\n")
    assert [clip.is_done for clip in find_clips(tmp_path)] == [True, False]
    (tmp_path / "b.csv").write_text("frame, AU45_r\n1, 0.2\n")
    with pytest.raises(DataError, match=r"1 files lie where .*b\.csv is the first.*--out"):
        find_clips(tmp_path)
    assert not any(clip.is_done for clip in find_clips(tmp_path, tmp_path / "out"))


def test_what_cannot_be_done_is_said_before_anything_is_begun(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a folder with face videos"):
        find_clips(tmp_path / "none")
    with pytest.raises(DataError, match=r"must hold videos .*\.mp4.* got none"):
        find_clips(tmp_path)
    for name in ("one.mp4", "one.avi"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"would both become .*rename one"):
        find_clips(tmp_path)
