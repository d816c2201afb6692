"""CURVE keys: who may listen, and how a listener knows whom it hears.

A publisher has a pair of keys. Whoever knows the public one can subscribe, and can be sure that
what arrives comes from the owner of the secret one, unread and unchanged on the way. With a folder
of subscribers' public keys only those are admitted.
"""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from rtaffect.client import read_key_file
from rtaffect.core.errors import PublishError, WireError


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """A publisher's pair of keys, and whom it admits.

    Parameters
    ----------
    public, secret : bytes
        The pair, 40 characters each (Z85).
    admitted : frozenset of bytes or None
        Public keys of the subscribers that may connect; None admits all that know `public`.
    """

    public: bytes
    secret: bytes = field(repr=False)
    admitted: frozenset[bytes] | None = None


def make_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a new pair of keys; nothing that exists is overwritten.

    Parameters
    ----------
    folder : Path
        Where to; made when it does not exist.
    name : str
        Name of the files.

    Returns
    -------
    public_file, secret_file : Path
        ``<name>.key``, to be given away, and ``<name>.key_secret``, readable by the owner alone.

    Raises
    ------
    PublishError
        The files exist or cannot be written.
    """
    public, secret = (key.decode() for key in zmq.curve_keypair())
    public_file, secret_file = folder / f"{name}.key", folder / f"{name}.key_secret"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in (public_file, secret_file):
            if file.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file))
        _write(
            secret_file,
            f"# Secret: whoever has this file can pass for {name}. Give away {public_file.name}.\n"
            f'curve\n    public-key = "{public}"\n    secret-key = "{secret}"\n',
            mode=0o600,
        )
        _write(
            public_file,
            f'# Public key of {name}: give this file away.\ncurve\n    public-key = "{public}"\n',
            mode=0o644,
        )
    except FileExistsError as error:
        msg = (
            f"Keys are never overwritten, and {error.filename} exists. Use it, choose another "
            "name, or move it away: whoever has the old public key must then get the new one."
        )
        raise PublishError(msg) from error
    except OSError as error:
        msg = f"The keys must be written to {folder}, which failed: {error}."
        raise PublishError(msg) from error
    return public_file, secret_file


def _write(path: Path, text: str, *, mode: int) -> None:
    """Write a new file that has its mode from the first moment on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def read_server_keys(secret_file: Path, admitted: Path | None = None) -> ServerKeys:
    """Read a publisher's keys.

    Parameters
    ----------
    secret_file : Path
        The publisher's ``.key_secret`` file.
    admitted : Path, optional
        A folder with the ``.key`` files of those that may subscribe; all that know the publisher's
        public key by default.

    Raises
    ------
    PublishError
        A file cannot be read, holds no such key, or is readable by others.
    """
    try:
        public, secret = read_key_file(secret_file)
        files = None if admitted is None else sorted(admitted.glob("*.key"))
        keys = None if files is None else frozenset(read_key_file(file)[0] for file in files)
    except WireError as error:
        raise PublishError(str(error)) from error
    if secret is None:
        msg = f"{secret_file} must hold a secret key; it is the file that ends in .key_secret."
        raise PublishError(msg)
    if os.name == "posix" and secret_file.stat().st_mode & 0o077:
        msg = (
            f"{secret_file} must be readable by its owner alone, others can read it: "
            f"`chmod 600 {secret_file}`, or make new keys if somebody may have."
        )
        raise PublishError(msg)
    if keys is not None and not keys:
        msg = f"{admitted} must be a folder of subscribers' .key files, none was found."
        raise PublishError(msg)
    return ServerKeys(public, secret, keys)
