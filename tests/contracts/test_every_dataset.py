"""What every data set promises, held to each of them on its fake."""

import hashlib
import importlib
import itertools
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from event_content import content

from offline.datasets import ABOUT, DATASETS
from offline.datasets.contract import Dataset, Recording
from offline.datasets.windows import read_windows
from offline.items import NO_CLASS
from offline.scan_windows import RoiWindowSettings, VolumeWindowSettings
from rtaffect.core.spec import SignalSpec, WindowSpec
from rtaffect.core.streams import Chunk, ClockOffset, StreamInfo
from rtaffect.windows import open_windows

HOME = Path(__file__).parents[2] / "offline" / "datasets"
HELPERS = {
    "__init__": "the registry",
    "contract": "what is promised",
    "array_source": "arrays as a source",
    "windows": "from recordings to windows",
    "choosing": "which data set is meant",
    "settings": "what settings share",
    "channels": "which electrodes recordings have",
    "tables": "of own and bids",
    "rated": "of own and bids",
    "recorded": "of own and bids",
    "bids_events": "of bids",
    "bids_settings": "of bids",
    "eav_files": "of eav",
    "matlab": "of eav",
    "store": "writes what stored reads",
    "store_index": "of stored",
    "digests": "of files",
    "safe_pickle": "of deap and faced",
    "clips": "of deap and faced",
    "deap_bdf": "of deap",
    "deap_check": "of deap",
    "deap_faces": "of deap",
    "deap_files": "of deap",
    "deap_preprocessed": "of deap",
    "deap_ratings": "of deap",
    "deap_recording": "of deap",
    "faced_files": "of faced",
    "faces": "makes what deap and own read of faces",
    "film_runs": "of studyforrest and studyforrest_volumes",
    "frames": "of fMRI",
    "nifti_files": "of nifti_events and studyforrest_volumes",
    "npz": "of icbhi",
    "portrayed": "of studyforrest and studyforrest_volumes",
    "roi_files": "of roi_table and studyforrest",
    "scaling": "what papers do to frames",
    "scans": "of roi_table and nifti_events",
    "simulated_people": "of simulated and simulated_scan",
    "studyforrest_labels": "of studyforrest and studyforrest_volumes",
}
N_TRIALS = 4  # of a recording, where looking at all of them takes long
EEG_UV = (0.5, 200.0)  # standard deviation of what a model sees


@pytest.fixture(scope="module", params=DATASETS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fake(kind: str) -> ModuleType:
    return importlib.import_module(f"fakes.{kind}")


@pytest.fixture(scope="module")
def settings(kind: str, fake: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fake.write_fake(tmp_path_factory.mktemp(kind))


@pytest.fixture
def dataset(settings: Any) -> Dataset:
    opened: Dataset = settings.open()
    return opened


def test_every_file_of_datasets_is_a_registered_data_set_or_a_helper() -> None:
    files = {path.stem for path in HOME.glob("*.py")}
    assert files == set(DATASETS) | set(HELPERS)
    assert not set(DATASETS) & set(HELPERS)


def test_what_is_known_of_it_can_be_told_without_files(kind: str) -> None:
    about = ABOUT[kind]
    assert about.kind == kind
    assert about.title
    assert about.licence
    assert about.how_to_get
    assert about.tried_on
    assert set(about.modalities) <= {"eeg", "face", "roi", "volume"}


def test_settings_survive_a_recipe(settings: Any) -> None:
    assert type(settings).model_validate(settings.model_dump(mode="json")) == settings
    assert type(settings).model_validate_json(settings.model_dump_json()) == settings


def test_nothing_is_wrong_with_the_fake(dataset: Dataset) -> None:
    assert [finding for finding in dataset.check() if finding.is_error] == []


def test_subjects_are_unique_and_always_in_the_same_order(dataset: Dataset, settings: Any) -> None:
    assert len(dataset.subjects) >= 2
    assert len(set(dataset.subjects)) == len(dataset.subjects)
    assert settings.open().subjects == dataset.subjects
    assert dataset.about.kind == settings.kind


def recordings(dataset: Dataset) -> Iterator[Recording]:
    for subject in dataset.subjects:
        found = list(dataset.recordings(subject))
        assert found
        assert {recording.subject for recording in found} == {subject}
        yield from found


def test_trials_have_names_of_their_own_and_follow_one_another(dataset: Dataset) -> None:
    names: set[tuple[str, str, str]] = set()
    for recording in recordings(dataset):
        assert recording.trials
        for trial in recording.trials:
            name = (recording.subject, recording.session, trial.name)
            assert name not in names
            names.add(name)
            assert trial.t_end > trial.t_start
            if trial.rest is not None:
                assert trial.rest[0] < trial.rest[1] <= trial.t_start + 1e-6
        for earlier, later in itertools.pairwise(recording.trials):
            begins = later.t_start if later.rest is None else later.rest[0]
            assert earlier.t_end <= begins + 1e-6


def test_every_value_is_on_the_scale_of_its_label(dataset: Dataset) -> None:
    assert dataset.labels
    for recording in recordings(dataset):
        for trial in recording.trials:
            assert set(trial.values) == set(dataset.labels)
            for target, value in trial.values.items():
                label = dataset.labels[target]
                (number,) = label.class_of(np.array([value]))
                assert 0 <= number < len(label.classes) or (np.isnan(value) and number == NO_CLASS)


def test_a_stimulus_has_the_same_name_for_everybody(dataset: Dataset) -> None:
    shown: dict[str, set[str]] = {subject: set() for subject in dataset.subjects}
    for recording in recordings(dataset):
        shown[recording.subject] |= {trial.stimulus for trial in recording.trials} - {""}
    named = [stimuli for stimuli in shown.values() if stimuli]
    assert all(one & other for one, other in itertools.combinations(named, 2))


def test_a_recording_says_the_same_whenever_it_is_opened(dataset: Dataset) -> None:
    recording = next(iter(dataset.recordings(dataset.subjects[0])))
    digests, infos = [], []
    for _ in range(2):
        digest = hashlib.sha256()
        with recording.open() as source:
            infos.append(dict(source.infos))
            for event in source.events():
                digest.update(content(event))
        digests.append(digest.digest())
    assert digests[0] == digests[1]
    assert infos[0] == infos[1]
    assert {"eeg", "roi", "volume"} & set(infos[0])


def main_of(infos: Mapping[str, StreamInfo]) -> str:
    """Return which stream windows are made of."""
    return next(name for name in ("eeg", "roi", "volume") if name in infos)


def test_trials_lie_within_finite_samples(dataset: Dataset) -> None:
    recording = next(iter(dataset.recordings(dataset.subjects[-1])))
    offset_s, times_s = 0.0, []
    with recording.open() as source:
        main = main_of(source.infos)
        for event in source.events():
            if isinstance(event, ClockOffset) and event.modality == main:
                offset_s = event.offset_s
            elif isinstance(event, Chunk) and event.modality == main:
                assert np.isfinite(event.data).all()
                times_s.append(event.stamps_s + offset_s)
    times = np.concatenate(times_s)
    half_s = 0.0 if main == "eeg" else float(np.diff(times).min()) / 2  # of an acquisition
    for trial in recording.trials:
        begins = trial.t_start if trial.rest is None else trial.rest[0]
        assert times.min() <= begins + half_s + 0.05
        assert trial.t_end <= times.max() + half_s + 0.05


def test_every_trial_gives_usable_windows_in_microvolts(dataset: Dataset) -> None:
    if "eeg" not in dataset.about.modalities:
        assert_frames_give_usable_windows(dataset)
        return
    eeg = SignalSpec(ch_names=dataset.ch_names[:6], reference="none")
    spec = WindowSpec(modalities={"eeg": eeg}, window_s=2.0, hop_s=1.0)
    recording = next(iter(dataset.recordings(dataset.subjects[0])))
    trials = recording.trials[:N_TRIALS]
    n_usable = dict.fromkeys((trial.name for trial in trials), 0)
    with recording.open() as source:
        for window in open_windows(source, spec):
            if window.t_end > trials[-1].t_end:
                break
            for trial in trials:
                inside = trial.t_start <= window.t_start and window.t_end <= trial.t_end
                if inside and window.modalities["eeg"].usable:
                    n_usable[trial.name] += 1
                    spread_uv = float(window.modalities["eeg"].data.std())
                    assert EEG_UV[0] < spread_uv < EEG_UV[1]
    assert all(n_usable.values()), n_usable


def assert_frames_give_usable_windows(dataset: Dataset) -> None:
    """Every trial must give windows of three frames without lag, normalised by the runtime."""
    recording = next(iter(dataset.recordings(dataset.subjects[0])))
    with recording.open() as source:
        tr_s = float(source.infos[main_of(source.infos)].about["acquisition.tr_s"])
    common = {"window_s": 3 * tr_s, "tr_s": tr_s, "lag_s": 0.0, "n_settle": 2}
    if dataset.ch_names:
        spec = RoiWindowSettings(**common).spec(dataset.ch_names)
    else:
        spec = VolumeWindowSettings(shape=(4, 4, 4), **common).spec()
    windows = read_windows(recording, spec, hop_s=tr_s)
    assert set(windows.trial.tolist()) == set(range(len(recording.trials)))
    spread = float(windows.inputs[spec.closes].std())
    assert 0.3 < spread < 3.0


def test_a_fingerprint_is_stable_and_each_subjects_own(dataset: Dataset, settings: Any) -> None:
    first = {subject: dataset.fingerprint(subject) for subject in dataset.subjects}
    again = settings.open()
    assert {subject: again.fingerprint(subject) for subject in again.subjects} == first
    assert len(set(first.values())) == len(first)
    assert all(len(digest) == 64 for digest in first.values())


def test_a_changed_file_changes_the_fingerprint_or_is_found(
    kind: str, fake: ModuleType, tmp_path: Path
) -> None:
    settings = fake.write_fake(tmp_path)
    before = settings.open()
    if kind in {"simulated", "simulated_scan"}:
        other = settings.model_copy(update={"coupling": 0.5}).open()
        assert other.fingerprint(other.subjects[0]) != before.fingerprint(before.subjects[0])
        return
    digests = {subject: before.fingerprint(subject) for subject in before.subjects}
    data = settings.path  # of stored, the store and not what it was converted from
    biggest = max(
        (path for path in data.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    with biggest.open("r+b") as file:
        file.seek(biggest.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0x01]))
    after = settings.open()
    changed = {subject: after.fingerprint(subject) for subject in after.subjects} != digests
    assert changed or any(finding.is_error for finding in after.check())


def test_nothing_that_is_shown_names_a_person(
    fake: ModuleType, dataset: Dataset, settings: Any
) -> None:
    secrets = getattr(fake, "SECRETS", ())
    shown = [repr(settings), repr(dataset), repr(dataset.about), *map(repr, dataset.check())]
    for recording in recordings(dataset):
        shown += [repr(recording), recording.session, recording.subject]
        if secrets:
            with recording.open() as source:
                shown.append(repr(dict(source.infos)))
    home = str(getattr(settings, "path", ""))
    assert not [secret for secret in secrets for text in shown if secret in text.replace(home, "")]


def test_samples_are_let_go_when_a_recording_was_read(dataset: Dataset) -> None:
    def read(recording: Recording) -> None:
        with recording.open() as source:
            for _ in itertools.islice(source.events(), 5):
                pass

    for subject in dataset.subjects:  # tables and headers may be remembered
        list(dataset.recordings(subject))
    tracemalloc.start()
    try:
        held, peaks = [], []
        for subject in dataset.subjects:
            tracemalloc.reset_peak()
            for recording in dataset.recordings(subject):
                read(recording)
            now, peak = tracemalloc.get_traced_memory()
            held.append(now)
            peaks.append(peak)
    finally:
        tracemalloc.stop()
    assert max(held) < 0.2 * max(peaks) + 500_000
