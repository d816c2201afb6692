from pathlib import Path

import nibabel
import numpy as np
import pytest
from fakes import nifti_events, roi_table
from nilearn.maskers import NiftiLabelsMasker

from offline.datasets.contract import Dataset
from offline.datasets.nifti_events import NiftiEventsSettings
from offline.datasets.roi_table import RoiTableSettings
from offline.errors import DataError
from rtaffect.core.streams import Chunk, VolumeChunk


def chunks_of(dataset: Dataset, subject: str) -> list[Chunk]:
    (recording,) = dataset.recordings(subject)
    with recording.open() as source:
        return [event for event in source.events() if isinstance(event, Chunk)]


def test_tables_are_read_by_name_whatever_the_order(tmp_path: Path) -> None:
    dataset = roi_table.write_fake(tmp_path).open()
    for subject in ("anna", "bo"):
        (recording,) = dataset.recordings(subject)
        with recording.open() as source:
            names = source.infos["roi"].ch_names
        frames = np.concatenate([chunk.data for chunk in chunks_of(dataset, subject)], axis=1)
        own = [names.index(name) for name in roi_table.REGIONS]
        np.testing.assert_allclose(frames[own].T, roi_table.frames_of(subject), atol=1e-7)
    stamps = np.concatenate([chunk.stamps_s for chunk in chunks_of(dataset, "bo")])
    np.testing.assert_allclose(stamps, (np.arange(roi_table.N_FRAMES) + 0.5) * roi_table.TR_S)


def test_a_region_that_is_missing_is_no_number(tmp_path: Path) -> None:
    settings = roi_table.write_fake(tmp_path)
    path = tmp_path / "anna.csv"
    lines = path.read_text().splitlines()
    cells = lines[5].split(",")
    lines[5] = ",".join([*cells[:2], "", *cells[3:]])
    path.write_text("\n".join(lines) + "\n")
    frames = np.concatenate([chunk.data for chunk in chunks_of(settings.open(), "anna")], axis=1)
    assert np.isnan(frames).sum() == 1
    assert np.isnan(frames[1, 4])


def test_columns_of_words_may_be_dropped_and_no_word_is_a_value(tmp_path: Path) -> None:
    settings = roi_table.write_fake(tmp_path)
    path = tmp_path / "anna.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},remark", *(f"{row},fine" for row in rows)]) + "\n")
    with pytest.raises(DataError, match=r"anna.csv, line 2: a number, or n/a, .* 'fine'"):
        chunks_of(settings.open(), "anna")
    without = settings.model_copy(update={"drop": ("time", "remark")})
    frames = np.concatenate([chunk.data for chunk in chunks_of(without.open(), "anna")], axis=1)
    np.testing.assert_allclose(frames.T, roi_table.frames_of("anna"), atol=1e-7)


def test_a_tables_own_times_count_from_its_first_acquisition(tmp_path: Path) -> None:
    settings = roi_table.write_fake(tmp_path)
    path = tmp_path / "anna.csv"
    header, *rows = path.read_text().splitlines()
    times = [100.0 + roi_table.TR_S * (n + 10 * (n > 40)) for n in range(len(rows))]  # a pause
    timed = [f"{row},{t_s}" for row, t_s in zip(rows, times, strict=True)]
    path.write_text("\n".join([f"{header},t_s", *timed]) + "\n")
    stamps = np.concatenate([chunk.stamps_s for chunk in chunks_of(settings.open(), "anna")])
    np.testing.assert_allclose(stamps, np.array(times) - 100.0 + roi_table.TR_S / 2)


def test_means_of_regions_are_nilearns(tmp_path: Path) -> None:
    settings = nifti_events.write_fake(tmp_path)
    dataset = settings.open()
    frames = np.concatenate([chunk.data for chunk in chunks_of(dataset, "anna")], axis=1)
    masker = NiftiLabelsMasker(labels_img=str(tmp_path / "atlas.nii.gz"), standardize=None)
    expected = masker.fit_transform(nibabel.load(tmp_path / "anna.nii.gz"))
    np.testing.assert_allclose(frames.T, expected, rtol=1e-5)
    assert dataset.ch_names == ("ROI 1", "ROI 2", "ROI 3")


def test_volumes_come_in_world_order(tmp_path: Path) -> None:
    dataset = nifti_events.write_fake(tmp_path, regions=False).open()
    first = chunks_of(dataset, "bo")[0]
    assert isinstance(first, VolumeChunk)
    upright = nibabel.as_closest_canonical(nibabel.load(tmp_path / "bo.nii.gz"))
    np.testing.assert_allclose(first.affine, upright.affine)
    np.testing.assert_allclose(
        first.data.reshape(first.shape), upright.get_fdata()[..., 0], rtol=1e-6
    )
    assert dataset.ch_names == ()


def test_a_trial_without_a_label_is_there_and_has_none(tmp_path: Path) -> None:
    (recording,) = nifti_events.write_fake(tmp_path).open().recordings("anna")
    values = [trial.values["emotion"] for trial in recording.trials]
    assert values[:2] == [0.0, 1.0]
    assert np.isnan(values[2])


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("anna.csv", "none.csv", "recording must be a file"),
        ("3.0\t60.0", "3.0\t-1", "duration must be above 0"),
        ("66.0\t60.0", "66.0\t600.0", "lasts from 66.000 s to 666.000 s"),
        ("66.0\t60.0", "20.0\t60.0", "before trial t1"),
        ("\t7.0", "\t11", "a number from 1 to 9"),
        ("t2", "t1", "names that differ"),
    ],
)
def test_what_is_wrong_with_the_table_of_trials_is_named(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    settings = roi_table.write_fake(tmp_path)
    path = tmp_path / "events.tsv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=complaint):
        list(settings.open().recordings("anna"))
    assert any(finding.is_error for finding in settings.open().check())


@pytest.mark.recordings
def test_a_header_that_takes_milliseconds_for_seconds_is_seen_through(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "fmri" / "volumes" / "nibabel"
    events = tmp_path / "events.tsv"
    lines = ["recording\tsubject\ttrial\tstimulus\tonset\tduration\temotion"]
    lines += [
        f"{name}\t{name[0]}\t1\t\t0\t4\tfear" for name in ("example4d.nii.gz", "functional.nii")
    ]
    events.write_text("\n".join(lines) + "\n")
    settings = NiftiEventsSettings(path=folder, events=events, labels=nifti_events.LABELS)
    dataset = settings.open()
    assert not [finding for finding in dataset.check() if finding.is_error]
    (recording,) = dataset.recordings("e")
    with recording.open() as source:
        assert source.infos["volume"].about["acquisition.tr_s"] == "2"
    stamps = [chunk.stamps_s[0] for chunk in chunks_of(dataset, "e")]
    assert stamps == [1.0, 3.0]


@pytest.mark.recordings
def test_a_real_table_of_another_parcellation_is_read(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "fmri" / "nitime"
    events = tmp_path / "events.tsv"
    header = "recording\tsubject\ttrial\tstimulus\tonset\tduration\tvalence"
    events.write_text(f"{header}\nevent_related_fmri.csv\ta\t1\t\t0\t60\t3\n")
    settings = RoiTableSettings(
        path=folder, events=events, tr_s=2.0, labels=roi_table.LABELS, drop=("events",)
    )
    dataset = settings.open()
    assert dataset.ch_names == ("bold",)
    assert not list(dataset.check())
    assert sum(chunk.data.shape[1] for chunk in chunks_of(dataset, "a")) == 3360
