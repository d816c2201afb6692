"""Key files: safe from others, never overwritten, refused when they are not what they should be."""

import os
import stat
from pathlib import Path

import pytest

from rtaffect.client import CurveKeys, read_key_file
from rtaffect.core.errors import PublishError, WireError
from rtaffect.publish.keys import make_keys, read_server_keys


def test_new_keys_are_read_back(tmp_path: Path) -> None:
    public_file, secret_file = make_keys(tmp_path / "new", "lab")
    keys = read_server_keys(secret_file)
    assert read_key_file(public_file) == (keys.public, None)
    assert keys.admitted is None
    assert CurveKeys.read(public_file).server_public == keys.public


@pytest.mark.skipif(os.name != "posix", reason="file modes exist on POSIX only")
def test_the_secret_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    _, secret_file = make_keys(tmp_path, "lab")
    assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
    secret_file.chmod(0o644)
    with pytest.raises(PublishError, match="chmod 600"):
        read_server_keys(secret_file)


def test_the_public_file_holds_no_secret(tmp_path: Path) -> None:
    public_file, secret_file = make_keys(tmp_path, "lab")
    assert "secret-key" not in public_file.read_text()
    with pytest.raises(PublishError, match=r"ends in \.key_secret"):
        read_server_keys(public_file)
    with pytest.raises(WireError, match=r"ends in \.key_secret"):
        CurveKeys.read(public_file, public_file)
    assert CurveKeys.read(public_file, secret_file).public == read_key_file(public_file)[0]


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    public_file, secret_file = make_keys(tmp_path, "lab")
    keys = read_server_keys(secret_file)
    assert keys.secret.decode() not in repr(keys)
    own = CurveKeys.read(public_file)
    assert own.secret.decode() not in repr(own)


@pytest.mark.parametrize("which", [0, 1])
def test_keys_are_never_overwritten(tmp_path: Path, which: int) -> None:
    files = make_keys(tmp_path, "lab")
    before = files[which].read_bytes()
    files[1 - which].unlink()
    with pytest.raises(PublishError, match="never overwritten"):
        make_keys(tmp_path, "lab")
    assert files[which].read_bytes() == before
    assert not files[1 - which].exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match="must be written to"):
        make_keys(tmp_path / "file" / "keys", "lab")


def test_admitted_subscribers_are_those_with_a_file_in_the_folder(tmp_path: Path) -> None:
    _, secret_file = make_keys(tmp_path, "lab")
    one, _ = make_keys(tmp_path / "admitted", "one")
    two, _ = make_keys(tmp_path / "admitted", "two")
    keys = read_server_keys(secret_file, tmp_path / "admitted")
    assert keys.admitted == {read_key_file(one)[0], read_key_file(two)[0]}


def test_an_empty_folder_of_admitted_subscribers_is_an_error(tmp_path: Path) -> None:
    _, secret_file = make_keys(tmp_path, "lab")
    with pytest.raises(PublishError, match=r"\.key files, none was found"):
        read_server_keys(secret_file, tmp_path / "nobody")


@pytest.mark.parametrize("text", ["", "curve\n", 'curve\n    public-key = "short"\n', "\0\xff"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.key_secret"
    path.write_text(text)
    with pytest.raises(PublishError, match="rtaffect keys"):
        read_server_keys(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WireError, match="rtaffect keys"):
        CurveKeys.read(tmp_path / "absent.key")
