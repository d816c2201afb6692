"""Two simulated participants who saw the same clips."""

from pathlib import Path

from offline.datasets.simulated import SimulatedSettings


def write_fake(folder: Path) -> SimulatedSettings:
    """Return the settings that compute them."""
    return SimulatedSettings(
        n_subjects=2, first_seed=900, n_trials=3, trial_s=6.0, rest_s=3.0, sfreq=256.0
    )
