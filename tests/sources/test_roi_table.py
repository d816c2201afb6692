"""Tables of ROI frames: by label, in event time, and in words where something is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frame_cases import FRAMES, ROI_SPEC
from openface_file import write_openface
from window_cases import same_windows

from rtaffect.core.errors import RecordingError
from rtaffect.core.spec import WindowSpec
from rtaffect.core.streams import Chunk, ClockOffset, Event
from rtaffect.publish.xdf_writer import XdfWriter
from rtaffect.sources.recording import RecordingSource, open_recording
from rtaffect.sources.roi_table import read_roi_table
from rtaffect.windows import open_windows

ROWS = np.arange(24.0).reshape(8, 3) / 7


def write(path: Path, header: str = "c,a,b", rows: np.ndarray = ROWS, **sidecar: object) -> Path:
    lines = [header, *(",".join(map(repr, row)) for row in rows.tolist())]
    path.write_text("\n".join(lines) + "\n")
    if sidecar:
        path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def played(source: RecordingSource) -> list[Chunk]:
    return [event for event in source.events() if isinstance(event, Chunk)]


def replayed(path: Path) -> list[Event]:
    with open_recording([path]) as source:
        return list(source.events())


def test_frames_lie_a_tr_apart_in_the_middle_of_their_acquisition(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", RepetitionTime=1.5, StartTime=10.0)
    with open_recording([path]) as source:
        info = source.infos["roi"]
        chunks = played(source)
    assert (info.ch_names, info.stype, info.sfreq, info.is_text) == (
        ("c", "a", "b"),
        "fMRI",
        0,
        False,
    )
    assert info.about == {"acquisition.tr_s": "1.5"}
    stamps = np.concatenate([chunk.stamps_s for chunk in chunks])
    np.testing.assert_allclose(stamps, 10.0 + 1.5 * (np.arange(8) + 0.5))
    np.testing.assert_array_equal(np.concatenate([c.data for c in chunks], axis=1), ROWS.T)
    assert [chunk.data.shape for chunk in chunks] == [(3, 1)] * 8


def test_the_tr_may_be_given_and_goes_before_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", RepetitionTime=1.5)
    np.testing.assert_allclose(read_roi_table(path, tr_s=2.0).stamps_s[:2], [1.0, 3.0])
    bare = write(tmp_path / "bare.csv")
    with open_recording([bare], tr_s=2.0) as source:
        assert source.duration_s == 14.0


def test_times_may_stand_in_the_table(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,t_s,b", np.array([[1.0, 0.5, 2.0], [3.0, 2.75, np.nan]]))
    table = read_roi_table(path)
    assert table.ch_names == ("a", "b")
    np.testing.assert_array_equal(table.stamps_s, [0.5, 2.75])
    np.testing.assert_array_equal(table.data, [[1.0, 3.0], [2.0, np.nan]])


def test_frames_that_are_counted_are_moved_to_the_middle_once(tmp_path: Path) -> None:
    start = {"time_reference": "start"}
    counted = write(tmp_path / "counted.csv", "a,b", np.ones((4, 2)), RepetitionTime=2.0)
    told = write(
        tmp_path / "told.csv", "a,b", np.ones((4, 2)), RepetitionTime=2.0, acquisition=start
    )
    timed = write(
        tmp_path / "timed.csv",
        "t_s,a,b",
        np.column_stack([2.0 * np.arange(4), np.ones((4, 2))]),
        RepetitionTime=2.0,
        acquisition=start,
    )
    spec = replace(FRAMES, window_s=2.0, modalities={"roi": replace(ROI_SPEC, ch_names=("a", "b"))})

    def middles(path: Path) -> list[float]:
        with open_recording([path]) as source:
            windows = [w.modalities["roi"].t_newest for w in open_windows(source, spec)]
            (offset,) = {e.offset_s for e in replayed(path) if isinstance(e, ClockOffset)}
        return sorted({round(t - offset, 6) for t in windows if np.isfinite(t)})

    assert middles(counted) == middles(told) == middles(timed) == [1.0, 3.0, 5.0, 7.0]


def test_tabs_gaps_and_names_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("1\t2\n0.5\tn/a\n\n\t-3e2\n")
    (tmp_path / "t.json").write_text(
        json.dumps(
            {
                "RepetitionTime": 2,
                "Regions": {"1": "A8m_L"},
                "atlas": {"name": "Brainnetome"},
                "processing": {"detrend": "glm"},
                "subject": {"name": "nobody's business"},
            }
        )
    )
    table = read_roi_table(tmp_path / "t.tsv")
    assert table.ch_names == ("A8m_L", "2")
    np.testing.assert_array_equal(table.data, [[0.5, np.nan], [np.nan, -300.0]])
    assert table.about == {
        "acquisition.tr_s": "2",
        "atlas.name": "Brainnetome",
        "processing.detrend": "glm",
    }
    with open_recording([tmp_path / "t.tsv"]) as source:
        assert source.notes == ("t.tsv: 2 values are missing and stay so.",)


@pytest.mark.parametrize(
    ("text", "sidecar", "words"),
    [
        ("a,b\n1,2\n", None, "repetition time by `--tr`"),
        ("a,a\n1,2\n", {"RepetitionTime": 2}, "name each region once"),
        ("a,\n1,2\n", {"RepetitionTime": 2}, "name each region once"),
        ("a,b\n1\n", {"RepetitionTime": 2}, "line 2: 2 values are needed.*got 1"),
        ("a,b\n1,x\n", {"RepetitionTime": 2}, "line 2: a number, or n/a"),
        ("a,b\n", {"RepetitionTime": 2}, "at least one frame"),
        ("a,b\n1,2\n", {"RepetitionTime": 2000}, "in milliseconds"),
        ("a,b\n1,2\n", {"RepetitionTime": "soon"}, "must be JSON like"),
        ("a,b\n1,2\n", {"RepetitionTime": 2, "StartTime": float("nan")}, "rising times"),
        ("a,b\n1,2\n", {"RepetitionTime": 2, "Regions": {"z": "y"}}, "'z' is none"),
        ("a,b\n1,2\n", [2.0], "must be JSON like"),
        ("a,t_s\n1,2\n1,2\n", None, "rising times"),
        ("valence,t_s\n.5,2\n.4,2\n", None, "not look like a table of ROI means.*'valence, t_s'"),
        ("index,name\n1,A8m_L\n", {"RepetitionTime": 2}, "got 'A8m_L'. Wanted is a row a volume"),
        (",".join(map(str, range(5000))) + "\n", {"RepetitionTime": 2}, "at most 4096 regions"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, sidecar: object, words: str) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(text.replace(",", "\t"))
    if sidecar is not None:
        (tmp_path / "t.json").write_text(json.dumps(sidecar))
    with pytest.raises(RecordingError, match=words):
        open_recording([path])


def test_any_other_csv_says_what_may_be_missing(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="ROI frames, say its repetition time"):
        open_recording([write(tmp_path / "t.csv")])


def test_beside_eeg_and_face_a_table_lies_at_the_start_of_the_eeg(tmp_path: Path) -> None:
    import mne

    raw = mne.io.RawArray(
        np.zeros((2, 512)), mne.create_info(["Cz", "Pz"], 128.0, "eeg", verbose="error"),
        verbose="error",
    )  # fmt: skip
    raw.save(tmp_path / "eeg_raw.fif", verbose="error")
    write_openface(tmp_path / "face.csv", seconds=4.0)
    path = write(tmp_path / "roi.csv", RepetitionTime=2.0)
    files = [tmp_path / "eeg_raw.fif", tmp_path / "face.csv", path]
    with open_recording(files, roi_offset_s=0.75) as source:
        assert set(source.infos) == {"eeg", "face", "roi"}
        t_eeg, t_roi = source.span("eeg")[0], source.span("roi")[0]
        events = list(source.events())
    assert t_roi == pytest.approx(t_eeg + 0.75 + 1.0)
    arrivals = [event.t_received for event in events]
    assert arrivals == sorted(arrivals)
    offsets = {e.modality: e.offset_s for e in events if isinstance(e, ClockOffset)}
    assert offsets["roi"] == pytest.approx(t_eeg + 0.75)


def test_frames_that_labrecorder_kept_are_found_without_eeg(tmp_path: Path) -> None:
    path = tmp_path / "scan.xdf"
    with path.open("wb") as file:
        xdf = XdfWriter(file)
        xdf.add_stream(
            1,
            name="rtaffect-roi",
            stype="fMRI",
            dtype="f4",
            ch_names=("a", "b"),
            source_id="s",
            about={"acquisition.tr_s": "2.0", "atlas.name": "mine"},
        )
        xdf.add_stream(2, name="m", stype="rtaffect-roi-meta", dtype=object, ch_names=("json",))
        xdf.clock_offset(1, t_collected=50.0, offset_s=3.0)
        xdf.samples(1, np.arange(50.0, 60.0, 2.0), np.arange(10.0, dtype="f4").reshape(2, 5))
        xdf.footers()
    with open_recording([path]) as source:
        assert source.infos["roi"].about == {"acquisition.tr_s": "2.0", "atlas.name": "mine"}
        assert list(source.infos) == ["roi"]
        assert source.t_first == 53.0


STUDYFORREST = replace(
    FRAMES,
    window_s=24.0,
    modalities={"roi": replace(ROI_SPEC, ch_names=("shen-010", "shen-200", "shen-003"))},
)


def windows_of(path: Path, spec: WindowSpec = STUDYFORREST) -> list:
    with open_recording([path]) as source:
        return list(open_windows(source, spec))


@pytest.mark.recordings
def test_studyforrest_in_any_order_of_columns_gives_the_same_windows(
    shared_data: Path, tmp_path: Path
) -> None:
    given = shared_data / "fmri" / "studyforrest" / "sub-02_task-avmovie_run-1_bold.csv"
    cells = [line.split(",") for line in given.read_text().splitlines()]
    order = np.random.default_rng(0).permutation(len(cells[0])).tolist()
    mixed = tmp_path / given.name
    mixed.write_text("\n".join(",".join(row[i] for i in order) for row in cells) + "\n")
    plain = windows_of(given)
    assert len(plain) == 451
    assert plain[-1].modalities["roi"].usable
    assert plain[0].t_end == 1.0
    same_windows(windows_of(mixed), plain)


@pytest.mark.recordings
def test_every_file_of_studyforrest_opens(shared_data: Path) -> None:
    lengths = {1: 451, 2: 441, 3: 438, 4: 488, 5: 462}
    files = sorted((shared_data / "fmri" / "studyforrest").glob("*_bold.csv"))
    assert len(files) == 40
    for path in files[::4]:
        table = read_roi_table(path)
        run = int(path.name.split("run-")[1][0])
        assert table.data.shape == (len(table.ch_names), lengths[run])
        assert {"shen-001", "shen-278"} & set(table.ch_names)
        np.testing.assert_allclose(table.stamps_s[:2], [1.0, 3.0])
        assert table.about["processing.causal"] == "0"
