"""Digests of files."""

import hashlib
from pathlib import Path

from offline.errors import DataError


def file_digest(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file.

    Raises
    ------
    DataError
        It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}."
        raise DataError(msg) from error
