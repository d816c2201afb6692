"""Data sets: recordings, their trials and what was felt in them, by the ``kind`` in a recipe.

A new data set is one file here, with its ``ABOUT`` and its settings, and one name in
`DatasetSettings`.
"""

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, get_args

from pydantic import Field

from offline.datasets.contract import About
from offline.datasets.own import OwnSettings
from offline.datasets.simulated import SimulatedSettings
from offline.datasets.stored import StoredSettings

DatasetSettings = Annotated[
    OwnSettings | SimulatedSettings | StoredSettings, Field(discriminator="kind")
]
"""Settings of any data set, told apart by ``kind``; ``open()`` gives the data set."""

DATASETS: Mapping[str, type[Any]] = MappingProxyType(
    {
        settings.model_fields["kind"].default: settings
        for settings in get_args(get_args(DatasetSettings)[0])
    }
)
"""Every data set's settings by kind."""

ABOUT: Mapping[str, About] = MappingProxyType(
    {kind: sys.modules[settings.__module__].ABOUT for kind, settings in DATASETS.items()}
)
"""What to know of every data set, by kind; no file is opened for it."""
