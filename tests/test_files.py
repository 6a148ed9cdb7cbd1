"""Files that take another's place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from liveperf.files import replacing


def test_what_is_written_takes_the_place_at_the_end_and_has_reached_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "some", list[bytes]()
    path.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", lambda number: synced.append(os.pread(number, 9, 0)))
    with replacing(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and synced == [b"new"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_one_and_nothing_else(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), replacing(path) as part:
        part.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="Windows has other links and permissions")
def test_a_link_is_followed_and_permissions_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "some", tmp_path / "link"
    path.touch(mode=0o640)
    path.chmod(0o640)
    link.symlink_to(path)
    with replacing(link) as part:
        part.write_bytes(b"new")
    assert link.is_symlink() and path.read_bytes() == b"new" and path.stat().st_mode & 0o777 == 0o640
