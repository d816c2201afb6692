"""Two simulated participants in a scanner."""

from pathlib import Path

from offline.datasets.simulated_scan import SimulatedScanSettings


def write_fake(folder: Path) -> SimulatedScanSettings:
    """Return the settings that compute them."""
    return SimulatedScanSettings(n_subjects=2, first_seed=900, run_s=80.0)
