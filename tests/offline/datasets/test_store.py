"""Our own store: the same events, digests that are looked at, and nothing half-written."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from event_content import content
from fakes import bids, eav, icbhi, own, simulated, studyforrest, studyforrest_volumes

from offline.datasets import store
from offline.datasets.store import write_store
from offline.datasets.stored import StoredSettings
from offline.datasets.windows import read_windows
from offline.errors import DataError
from offline.scan_windows import RoiWindowSettings
from rtaffect.core.spec import SignalSpec, WindowSpec


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    write_store(own.write_fake(tmp_path / "raw").open(), tmp_path / "store")
    return tmp_path / "store"


def subjects(folder: Path) -> tuple[str, ...]:
    return StoredSettings(path=folder).open().subjects


@pytest.mark.parametrize("fake", [own, bids, eav, simulated], ids=lambda fake: fake.__name__)
def test_a_converted_data_set_says_the_very_same(tmp_path: Path, fake: object) -> None:
    (tmp_path / "raw").mkdir()
    original = fake.write_fake(tmp_path / "raw").open()
    write_store(original, tmp_path / "store")
    again = StoredSettings(path=tmp_path / "store").open()
    assert again.subjects == original.subjects
    assert again.labels == original.labels
    assert again.ch_names == original.ch_names
    assert again.about.simulated == original.about.simulated
    assert list(again.check()) == []
    for subject in original.subjects:
        pairs = zip(original.recordings(subject), again.recordings(subject), strict=True)
        for one, other in pairs:
            assert (one.session, one.trials) == (other.session, other.trials)
            with one.open() as first, other.open() as second:
                assert dict(first.infos) == dict(second.infos)
                for event, twin in zip(first.events(), second.events(), strict=True):
                    assert content(event) == content(twin)


def test_windows_of_the_store_are_bit_identical(tmp_path: Path) -> None:
    original = own.write_fake(tmp_path).open()
    write_store(original, tmp_path / "store")
    again = StoredSettings(path=tmp_path / "store").open()
    spec = WindowSpec(modalities={"eeg": SignalSpec(ch_names=own.CH_NAMES)}, window_s=2.0)
    for subject in original.subjects:
        (one,), (other,) = original.recordings(subject), again.recordings(subject)
        a, b = (read_windows(recording, spec, hop_s=0.5) for recording in (one, other))
        np.testing.assert_array_equal(a.index, b.index)
        assert a.inputs["eeg"].tobytes() == b.inputs["eeg"].tobytes()


def test_a_course_is_kept(tmp_path: Path) -> None:
    settings = simulated.write_fake(tmp_path)
    original = settings.model_copy(update={"design": "free"}).open()
    write_store(original, tmp_path / "store")
    again = StoredSettings(path=tmp_path / "store").open()
    (one,), (other,) = (d.recordings(original.subjects[0]) for d in (original, again))
    assert one.course is not None
    assert other.course is not None
    times = np.linspace(one.trials[0].t_start, one.trials[-1].t_end, 997)
    kept, true = other.course(times), one.course(times)
    for target in original.labels:
        np.testing.assert_allclose(kept[target], true[target], atol=2e-3)


def test_files_hold_nothing_but_arrays(stored: Path) -> None:
    files = [path for path in stored.rglob("*") if path.is_file() and path.name != "index.json"]
    assert files
    for path in files:
        np.load(path, allow_pickle=False)


def test_a_changed_array_is_found_by_its_digest(stored: Path) -> None:
    path = stored / "s0000" / "r0000-0-samples.npy"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert subjects(stored) == ("A", "B")  # of the right size, it opens
    (finding,) = StoredSettings(path=stored).open().check()
    assert finding.is_error
    assert "s0000/r0000-0-samples.npy was changed" in finding.what


def test_a_file_that_was_cut_off_or_removed_is_found_at_once(stored: Path) -> None:
    path = stored / "s0001" / "r0000-order.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"must have \d+ bytes, it has \d+"):
        subjects(stored)
    path.unlink()
    (finding,) = StoredSettings(path=stored).open().check()
    assert "cannot be read" in finding.what


def test_arrays_that_do_not_fit_each_other_are_refused(stored: Path) -> None:
    path = stored / "s0000" / "r0000-0-stamps.npy"
    stamps = np.load(path)
    size = path.stat().st_size
    np.save(path, stamps[:-8].reshape(2, -1))
    with path.open("ab") as file:
        file.write(bytes(size - path.stat().st_size))
    (recording,) = StoredSettings(path=stored).open().recordings("A")
    with pytest.raises(DataError, match="do not fit each other"):
        recording.open()


@pytest.mark.parametrize(
    ("key", "value"),
    [("format", 99), ("subjects", []), ("colour", "red"), ("labels", {"valence": 3})],
)
def test_an_index_that_is_none_is_refused(stored: Path, key: str, value: object) -> None:
    path = stored / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(DataError, match=rf"damaged, or a later version wrote it: {key}"):
        subjects(stored)


def test_an_index_may_name_no_file_elsewhere(stored: Path) -> None:
    path = stored / "index.json"
    path.write_text(path.read_text().replace("s0000/r0000-order.npy", "../../etc/passwd"))
    with pytest.raises(DataError, match="damaged"):
        subjects(stored)


def test_a_folder_without_an_index_is_no_data_set(stored: Path) -> None:
    (stored / "index.json").unlink()
    with pytest.raises(DataError, match="without an index it did not finish"):
        subjects(stored)


def test_a_full_disk_leaves_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = own.write_fake(tmp_path).open()
    n_left = 100

    def fsync(number: int) -> None:
        nonlocal n_left
        n_left -= 20
        if n_left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", fsync)
    with pytest.raises(DataError, match=r"No space left on device\. Nothing of it was kept"):
        write_store(dataset, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "store.part").exists()


def test_a_conversion_that_was_killed_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = own.write_fake(tmp_path).open()
    monkeypatch.setattr(store.shutil, "rmtree", lambda *_, **__: None)  # nobody tidied up

    def killed(n_done: int, _: int) -> None:
        if n_done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(dataset, tmp_path / "store", report=killed)
    assert list((tmp_path / "store.part" / "s0000").iterdir())
    assert not (tmp_path / "store").exists()
    monkeypatch.undo()
    write_store(dataset, tmp_path / "store")
    assert list(StoredSettings(path=tmp_path / "store").open().check()) == []


def test_what_is_in_the_way_is_not_removed(tmp_path: Path) -> None:
    dataset = own.write_fake(tmp_path).open()
    for name in ("store", "other.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="must be a new or an empty folder"):
        write_store(dataset, tmp_path / "store")
    with pytest.raises(DataError, match="is in the way"):
        write_store(dataset, tmp_path / "other")
    assert (tmp_path / "store" / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "other.part" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("kind", ["studyforrest", "icbhi"])
def test_frames_with_strict_weak_and_missing_labels_are_kept(tmp_path: Path, kind: str) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    if kind == "studyforrest":
        before = studyforrest.write_fake(raw, train_labels="merged").open()
        wanted = RoiWindowSettings(window_s=8, n_settle=2)
    else:
        before = icbhi.write_fake(raw).open()
        wanted = RoiWindowSettings(window_s=25, tr_s=1, lag_s=0, n_settle=2)
    write_store(before, tmp_path / "store")
    after = StoredSettings(path=tmp_path / "store").open()
    assert after.ch_names == before.ch_names
    assert list(after.check()) == []
    for subject in before.subjects:
        for one, other in zip(before.recordings(subject), after.recordings(subject), strict=True):
            spec = wanted.spec(before.ch_names)
            first, second = (
                read_windows(recording, spec, hop_s=wanted.tr_s) for recording in (one, other)
            )
            np.testing.assert_array_equal(first.inputs["roi"], second.inputs["roi"])
            for what in ("values", "train_values"):
                had, kept = getattr(first, what), getattr(second, what)
                assert had.keys() == kept.keys()
                for name, values in had.items():
                    np.testing.assert_allclose(kept[name], values, atol=1e-6)


def test_volumes_are_not_converted(tmp_path: Path) -> None:
    settings = studyforrest_volumes.write_fake(tmp_path)
    with pytest.raises(DataError, match="volumes, which are kept in their own files"):
        write_store(settings.open(), tmp_path / "store")
    assert not (tmp_path / "store").exists()
