"""Data sets: each gives participants whose windows come from the runtime's own chain."""

from offline.datasets.simulated import SimulatedSettings

DatasetSettings = SimulatedSettings
"""Settings of any data set; a union told apart by ``kind`` once there is a second."""
