"""A data set that was converted from somebody's own recordings."""

from pathlib import Path

from edf_file import SECRETS
from fakes import own

from offline.datasets.store import write_store
from offline.datasets.stored import StoredSettings

__all__ = ["SECRETS", "write_fake"]


def write_fake(folder: Path) -> StoredSettings:
    """Convert; return the settings that read the store."""
    raw = folder / "raw"
    raw.mkdir()
    write_store(own.write_fake(raw).open(), folder / "store")
    return StoredSettings(path=folder / "store")
