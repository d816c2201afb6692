"""What papers do to frames with later ones is possible, stamped, and never exported."""

from pathlib import Path

import numpy as np
import pytest
from finished_run import finished_run

from offline.datasets.simulated_scan import SimulatedScanSettings
from offline.datasets.windows import read_windows
from offline.errors import RunError
from offline.make import export_run
from offline.report.gather import gather
from offline.scan_windows import RoiWindowSettings
from offline.unit import read_facts

SCAN = {"kind": "simulated_scan", "n_subjects": 4, "run_s": 80, "n_regions": 6}
WINDOWS = {"kind": "roi", "window_s": 8, "lag_s": 4, "n_settle": 2}


def scaled(normalise: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows of one frame each, and the frames as the scanner has them, both by frame."""
    dataset = SimulatedScanSettings.model_validate(SCAN).open()
    wanted = RoiWindowSettings(window_s=2.0, lag_s=0.0, normalise=normalise)
    (recording,) = dataset.recordings(dataset.subjects[0])
    with recording.open() as source:
        frames = np.concatenate([e.data for e in source.events() if hasattr(e, "data")], axis=1)
    spec = wanted.spec(dataset.ch_names)
    windows = read_windows(recording, spec, hop_s=2.0, scaling=wanted.scaling)
    return windows.inputs["roi"][:, :, -1], frames.T


def test_a_run_is_standardised_as_a_whole() -> None:
    got, frames = scaled("whole_run_z")
    assert len(got) == len(frames) == 40
    expected = (frames - frames.mean(axis=0)) / frames.std(axis=0)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_a_trial_is_scaled_between_its_least_and_its_largest_value() -> None:
    got, frames = scaled("whole_trial_minmax")
    expected = (frames - frames.min()) / (frames.max() - frames.min())
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("normalise", ["whole_run_z", "whole_trial_minmax"])
def test_what_saw_the_future_is_stamped_and_not_exported(tmp_path: Path, normalise: str) -> None:
    folder, run = finished_run(
        tmp_path,
        dataset=SCAN,
        windows=WINDOWS | {"normalise": normalise},
        model={"kind": "roi_linear", "mean_s": 4},
    )
    assert not run.split.leaky
    (facts,) = (read_facts(path.parent) for path in tmp_path.rglob("weights.json"))
    assert facts.leaky
    (study,) = gather([folder], cache=None)
    assert any("LEAKY" in stamp for stamp in study.stamps)
    assert any(
        f"scaled with frames that came later (windows.normalise: {normalise})" in stamp
        for stamp in study.stamps
    )
    with pytest.raises(RunError, match=r"must be able to run live.*windows\.normalise=running"):
        export_run(folder, tmp_path / "bundles")
    assert not (tmp_path / "bundles").exists()


def test_what_is_causal_is_neither_stamped_nor_refused(tmp_path: Path) -> None:
    folder, _ = finished_run(
        tmp_path, dataset=SCAN, windows=WINDOWS, model={"kind": "roi_linear", "mean_s": 4}
    )
    (study,) = gather([folder], cache=None)
    assert [stamp for stamp in study.stamps if "SIMULATED" not in stamp] == []
    manifest = export_run(folder, tmp_path / "bundles").manifest
    assert manifest.windows.closes == "roi"
    assert manifest.windows.lag_s == 4.0
