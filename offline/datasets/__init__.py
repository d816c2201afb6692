"""Data sets: recordings, their trials and what was felt in them, by the ``kind`` in a recipe.

A file of a data set holds its ``ABOUT`` and its settings, which ``open()`` it.
"""

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, get_args

from pydantic import Field

from offline.datasets.bids import BidsSettings
from offline.datasets.contract import About
from offline.datasets.deap import DeapSettings
from offline.datasets.eav import EavSettings
from offline.datasets.faced import FacedSettings
from offline.datasets.icbhi import IcbhiSettings
from offline.datasets.nifti_events import NiftiEventsSettings
from offline.datasets.own import OwnSettings
from offline.datasets.roi_table import RoiTableSettings
from offline.datasets.simulated import SimulatedSettings
from offline.datasets.simulated_scan import SimulatedScanSettings
from offline.datasets.stored import StoredSettings
from offline.datasets.studyforrest import StudyForrestSettings
from offline.datasets.studyforrest_volumes import StudyForrestVolumesSettings

AnySettings = (
    DeapSettings
    | EavSettings
    | FacedSettings
    | BidsSettings
    | OwnSettings
    | StudyForrestSettings
    | StudyForrestVolumesSettings
    | IcbhiSettings
    | RoiTableSettings
    | NiftiEventsSettings
    | StoredSettings
    | SimulatedSettings
    | SimulatedScanSettings
)  # fmt: skip
"""A new data set is one file here and one line above."""

DatasetSettings = Annotated[AnySettings, Field(discriminator="kind")]
"""Settings of any data set, as a recipe holds them; ``open()`` gives the data set."""

DATASETS: Mapping[str, type[Any]] = MappingProxyType(
    {settings.model_fields["kind"].default: settings for settings in get_args(AnySettings)}
)
"""Every data set's settings by kind."""

ABOUT: Mapping[str, About] = MappingProxyType(
    {kind: sys.modules[settings.__module__].ABOUT for kind, settings in DATASETS.items()}
)
"""What to know of every data set, by kind; no file is opened for it."""
