"""Your own recordings: what the table may say, and what is said of a table that is wrong."""

from pathlib import Path

import numpy as np
import pytest
from fakes import own
from kept import Kept
from pydantic import ValidationError
from tiny_bundle import write_tiny_bundle

from offline.datasets.own import OwnSettings
from offline.datasets.windows import read_windows
from offline.errors import DataError
from rtaffect.config.reading import read_settings
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.recorder import Recorder
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

ROOT = Path(__file__).parents[3]
XDF_T_FIRST = own.XDF_START_S + own.XDF_OFFSET_S


def complaints(settings: OwnSettings) -> str:
    return "\n".join(finding.what for finding in settings.open().check() if finding.is_error)


def with_row(folder: Path, row: str, *, header: str = own.HEADER) -> OwnSettings:
    settings = own.write_fake(folder)
    own.write_ratings(folder / "ratings.tsv", [row], header=header)
    return settings


def test_onsets_count_from_the_first_eeg_sample_on_any_clock(tmp_path: Path) -> None:
    dataset = own.write_fake(tmp_path).open()
    (edf,) = dataset.recordings("A")
    (xdf,) = dataset.recordings("B")
    assert [trial.t_start for trial in edf.trials] == [6.0, 14.0, 22.0]
    assert [trial.t_start - XDF_T_FIRST for trial in xdf.trials] == pytest.approx([6.0, 14.0, 22.0])
    assert edf.trials[0].rest == (4.0, 6.0)
    assert edf.trials[1].values == {"valence": 5.0, "mood": 1.0}
    assert (edf.session, xdf.session) == ("1", "1")


def test_a_trial_may_begin_at_a_marker(tmp_path: Path) -> None:
    settings = own.write_fake(tmp_path)
    header = "recording\tsubject\ttrial\tstimulus\tmarker\tmarker_number\tduration\tvalence\tmood"
    rows = [f"two.xdf\tB\t{n}\t\tgo\t{n}\t5\t3\tcalm" for n in (1, 2, 3)]
    own.write_ratings(tmp_path / "ratings.tsv", rows, header=header)
    (recording,) = settings.open().recordings("B")
    starts = [trial.t_start - XDF_T_FIRST for trial in recording.trials]
    assert starts == pytest.approx([6.0, 14.0, 22.0])
    own.write_ratings(tmp_path / "ratings.tsv", [rows[0].replace("go\t1", "go\t4")], header=header)
    assert "'go' number 4, but two.xdf has 3 of it" in complaints(settings)


def test_sites_are_what_all_recordings_share_in_mnes_spelling(tmp_path: Path) -> None:
    assert own.write_fake(tmp_path).open().ch_names == own.CH_NAMES  # no "ECG ECG"


def test_a_face_is_read_with_its_recording(tmp_path: Path) -> None:
    settings = own.write_fake(tmp_path)
    spec = WindowSpec(
        modalities={
            "eeg": SignalSpec(ch_names=own.CH_NAMES[:4]),
            "face": FrameSpec(ch_names=FACE_FEATURES),
        },
        window_s=2.0,
    )
    (recording,) = settings.open().recordings("A")
    windows = read_windows(recording, spec, hop_s=2.0)
    assert windows.inputs["face_mask"].all()
    np.testing.assert_allclose(windows.inputs["face"], 0.5)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("none.edf\tA\t\t1\t\t6\t6\t\t3\tcalm", "recording must be a file in"),
        ("one.edf\tA\t\t1\t\t6\t6\tno.csv\t3\tcalm", "face must be a file in"),
        (
            "one.edf\tA\t\t1\t\t6\t6\t\tn/a\tcalm",
            "valence must be a number from 1 to 9, got nothing",
        ),
        (
            "one.edf\tA\t\t1\t\t6\t6\t\tnan\tcalm",
            "valence must be a number from 1 to 9, got nothing",
        ),
        ("one.edf\tA\t\t1\t\t6\t6\t\t9.5\tcalm", "valence must be a number from 1 to 9, got '9.5'"),
        ("one.edf\tA\t\t1\t\t6\t6\t\t3\tglad", "mood must be one of calm, tense, got 'glad'"),
        ("one.edf\tA\t\t1\t\tsoon\t6\t\t3\tcalm", "onset must be a number, got 'soon'"),
        ("one.edf\tA\t\t1\t\t-3\t6\t\t3\tcalm", "lasts from -3.000 s to 3.000 s"),
        ("one.edf\tA\t\t1\t\t28\t6\t\t3\tcalm", "and one.edf from 0 s to 31.996 s"),
        ("one.edf\tA\t\t1\t\t6000\t6000\t\t3\tcalm", "milliseconds"),
        ("one.edf\tA\t\t1\t\t6\t0\t\t3\tcalm", "duration must be above 0 s"),
        ("one.edf\tA\t\t1\t\t1\t6\t\t3\tcalm", "rest before trial 1 begin before the recording"),
        ("one.edf\t\t\t1\t\t6\t6\t\t3\tcalm", "subject must be a name"),
        ("one.edf\tA\t\t1\t\t6\t6\t\t3", "10 values are needed, 9 are there"),
    ],
)
def test_a_wrong_line_is_named_with_what_must_hold(tmp_path: Path, row: str, said: str) -> None:
    settings = with_row(tmp_path, row)
    assert said in complaints(settings)
    with pytest.raises(DataError, match="line 2"):
        [list(settings.open().recordings(subject)) for subject in ("A", "")]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("one.edf\tA\t\t2\t\t10\t6\t\t3\tcalm", "begins 2.000 s before trial 1 "),
        ("one.edf\tA\t\t2\t\t13\t6\t\t3\tcalm", "2 s of rest before trial 2 reach into trial 1"),
        ("one.edf\tA\t\t1\t\t16\t6\t\t3\tcalm", "names must differ within a session"),
        ("one.edf\tB\t\t2\t\t16\t6\t\t3\tcalm", "must have the same subject, got A, B"),
    ],
)
def test_lines_that_contradict_each_other_are_named(tmp_path: Path, second: str, said: str) -> None:
    settings = own.write_fake(tmp_path)
    first = "one.edf\tA\t\t1\t\t6\t6\t\t3\tcalm"
    own.write_ratings(tmp_path / "ratings.tsv", [first, second])
    assert said in complaints(settings)


def test_a_missing_column_is_named_and_commas_are_recognised(tmp_path: Path) -> None:
    settings = with_row(tmp_path, "", header=own.HEADER.replace("\tmood", ""))
    assert "must have the column mood" in complaints(settings)
    own.write_ratings(tmp_path / "ratings.tsv", [], header=own.HEADER.replace("\t", ","))
    assert "separated by tabs, not by commas" in complaints(settings)
    own.write_ratings(tmp_path / "ratings.tsv", header=own.HEADER.replace("onset", "begin"))
    assert "must have the column onset, or the columns marker and" in complaints(settings)
    (tmp_path / "ratings.tsv").unlink()
    assert "cannot be read: No such file" in complaints(settings)


def test_a_damaged_recording_is_found_and_the_others_still_checked(tmp_path: Path) -> None:
    settings = own.write_fake(tmp_path)
    (tmp_path / "one.edf").write_bytes(b"0       nothing")
    wrong = [finding for finding in settings.open().check() if finding.is_error]
    assert [finding.where for finding in wrong] == ["one.edf"]
    with pytest.raises(DataError, match=r"MNE cannot read .*one\.edf"):
        list(settings.open().recordings("A"))
    assert len(list(settings.open().recordings("B"))) == 1


def test_all_complaints_are_told_at_once(tmp_path: Path) -> None:
    settings = own.write_fake(tmp_path)
    rows = [row.replace("calm", "glad") for row in own.ROWS]
    own.write_ratings(tmp_path / "ratings.tsv", rows)
    assert complaints(settings).count("glad") == 3


def test_streams_are_chosen_as_in_a_session_file(tmp_path: Path) -> None:
    settings = own.write_fake(tmp_path, streams={"eeg": {"rename": {"Fp1": "AF3"}}})
    own.write_ratings(tmp_path / "ratings.tsv", [row for row in own.ROWS if "two.xdf" in row])
    (recording,) = settings.open().recordings("B")
    with recording.open() as source:
        assert list(source.infos) == ["eeg"]
        assert source.infos["eeg"].ch_names[0] == "AF3"
    told = {**settings.model_dump(mode="json"), "streams": {"eeg": {"ch_names": ["Cz", "Pz"]}}}
    named = OwnSettings.model_validate(told)  # lists, as in a recipe that was kept as JSON
    assert OwnSettings.model_validate(named.model_dump(mode="json")) == named
    assert OwnSettings.model_validate_json(named.model_dump_json()) == named


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"classes": ["low", "high"], "edges": [1, 9]}, "3 rising numbers for 2 classes"),
        ({"classes": ["low", "high"], "edges": [1, 9, 5]}, "rising"),
        ({"classes": ["low", "low"]}, "must differ"),
    ],
)
def test_a_scale_that_is_none_is_refused(tmp_path: Path, label: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OwnSettings.model_validate({"path": tmp_path, "labels": {"valence": label}})


def test_a_session_that_the_runtime_recorded_is_a_simulated_data_set(tmp_path: Path) -> None:
    source = SimulatedSource(Participant(92_000), 16.0, sfreq=128.0)
    bundle = write_tiny_bundle(tmp_path / "bundle")
    recorder = Recorder(tmp_path / "live.xdf", source.infos, session={})
    Engine(source, [Decoder(bundle, infos=source.infos)], [recorder, Kept()]).run()
    header = "recording\tsubject\ttrial\tstimulus\tonset\tduration\tvalence"
    own.write_ratings(tmp_path / "ratings.tsv", ["live.xdf\tS\t1\t\t6\t8\t3"], header=header)
    labels = {"valence": own.LABELS["valence"]}
    dataset = OwnSettings.model_validate({"path": tmp_path, "labels": labels}).open()
    assert dataset.about.simulated
    (recording,) = dataset.recordings("S")
    spec = WindowSpec(modalities={"eeg": SignalSpec(ch_names=EEG_15)})
    assert len(read_windows(recording, spec, hop_s=1.0).index) >= 5


@pytest.mark.recordings
def test_the_eegmat_recordings_give_windows_with_their_states(shared_data: Path) -> None:
    settings = read_settings(ROOT / "configs" / "data" / "eegmat.yaml", OwnSettings)
    paths = {"path": shared_data / "eeg" / "eegmat", "ratings": ROOT / "configs/data/eegmat.tsv"}
    dataset = settings.model_copy(update=paths).open()
    assert list(dataset.check()) == []
    assert len(dataset.ch_names) == 19
    assert not dataset.about.simulated
    recordings = [one for subject in dataset.subjects for one in dataset.recordings(subject)]
    states = [{trial.values["state"] for trial in one.trials} for one in recordings]
    assert states == [{0.0}, {1.0}, {1.0}]
    spec = WindowSpec(modalities={"eeg": SignalSpec(ch_names=EEG_15)})
    windows = read_windows(recordings[-1], spec, hop_s=3.0)
    assert set(windows.trial) == set(range(5))
    assert 1.0 < np.nanstd(windows.inputs["eeg"]) < 50.0


def test_a_folder_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    settings = own.write_fake(tmp_path).model_copy(
        update={"path": tmp_path / "gone", "ratings": tmp_path / "ratings.tsv"}
    )
    (finding,) = settings.open().check()
    assert finding.is_error
    assert f"there is no folder {tmp_path / 'gone'}" in finding.what


def test_a_wrong_duration_is_told_once_a_trial_and_a_long_list_is_cut(tmp_path: Path) -> None:
    settings = own.write_fake(tmp_path)
    rows = [f"one.edf\tA\t\t{n}\t\t{2 + n / 2}\t6000\t\t3\tcalm" for n in range(30)]
    own.write_ratings(tmp_path / "ratings.tsv", rows)
    wrong = [finding.what for finding in settings.open().check()]
    assert len(wrong) == 30
    assert all("lasts from" in what for what in wrong)
    with pytest.raises(DataError, match=r"\.\.\. and 20 more\.$"):
        list(settings.open().recordings("A"))
