"""Secrets on a developer's machine: variables and files."""

import json
import os
import time
from pathlib import Path

import pytest

from testbed.reader_surroundings import Clock, runtime
from token_refresh.reader import (
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretReader,
    SecretStoreUnavailable,
    TokenReader,
)


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is read at each TTL, and says what is wrong with it without its value."""
    monkeypatch.setenv("KEY", "value")
    assert "value" == SecretReader("env:KEY").text()
    monkeypatch.setenv("KEY", "")
    with pytest.raises(SecretEmpty, match="env:KEY is empty"):
        SecretReader("env:KEY").text()
    monkeypatch.delenv("KEY")
    with pytest.raises(SecretNotFound, match="env:KEY was not found: set the variable KEY"):
        SecretReader("env:KEY").text()


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"value\n", b"value"), (b"value\r\n", b"value"), (b"a\nb", b"a\nb"), (b"\xff\n", b"\xff\n")],
)
def test_file(tmp_path: Path, content: bytes, expected: bytes) -> None:
    """A file is a secret without the line end that an editor adds; what is not text stays as it is."""
    path = tmp_path / "key"
    path.write_bytes(content)
    assert expected == SecretReader(f"file:{path}").binary()


def test_changed_file(tmp_path: Path, clock: Clock) -> None:
    """A file that was written again is another version."""
    path = tmp_path / "key"
    path.write_text("old")
    reader = SecretReader(f"file:{path}", background=False, runtime=runtime(clock))
    old = reader.secret()
    path.write_text("new")
    os.utime(path, ns=(0, int(old.version_id) + 1))
    assert reader.reject(old)
    assert "new" == reader.text()


def test_token_in_a_file(tmp_path: Path) -> None:
    """A developer's token may be in a file; an expired one says where to put another."""
    path = tmp_path / "token.json"
    path.write_text(json.dumps({"access_token": "value", "expires_at": int(time.time()) + 3600}))
    assert "value" == TokenReader(f"file:{path}").get()
    path.write_text(json.dumps({"access_token": "value", "expires_at": 1_700_000_000}))
    with pytest.raises(Exception, match=f"there is no newer one: put one into file:{path}"):
        TokenReader(f"file:{path}").get()


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, a forbidden one and a folder are three errors."""
    with pytest.raises(SecretNotFound, match=r"nowhere was not found: write the secret to that file"):
        SecretReader(f"file:{tmp_path}/nowhere").text()
    with pytest.raises(SecretStoreUnavailable, match=r"can't be read \(IsADirectoryError\): check the path"):
        SecretReader(f"file:{tmp_path}").text()

    def forbid(_path: Path) -> bytes:
        raise PermissionError

    (tmp_path / "key").touch()
    monkeypatch.setattr(Path, "read_bytes", forbid)
    with pytest.raises(SecretAccessDenied, match="give this process permission to read the file"):
        SecretReader(f"file:{tmp_path}/key").text()
