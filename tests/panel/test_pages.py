"""The panel's files: which are served, as what, and that a wheel holds them all."""

from __future__ import annotations

import configparser
from pathlib import Path

from liveperf.panel import pages

ROOT = Path(__file__).parents[2]


def test_files_are_served_by_their_kind_and_the_start_page_twice(tmp_path: Path) -> None:
    (tmp_path / "signs").mkdir()
    for name in ("index.html", "main.js", "signs/a.svg", ".hidden.js", "notes.xyz"):
        (tmp_path / name).write_text(name)
    assert pages.read(tmp_path) == {
        "/": ("text/html; charset=utf-8", b"index.html"),
        "/panel/index.html": ("text/html; charset=utf-8", b"index.html"),
        "/panel/main.js": ("text/javascript; charset=utf-8", b"main.js"),
        "/panel/signs/a.svg": ("image/svg+xml", b"signs/a.svg"),
    }


def test_no_folder_is_no_page(tmp_path: Path) -> None:
    assert pages.read(tmp_path / "panel") == {}


def test_every_file_of_the_panel_is_served_and_is_in_the_wheel() -> None:
    served = pages.read()
    files = [path for path in pages.FOLDER.rglob("*") if path.is_file()]
    assert "/" in served and {f"/panel/{path.name}" for path in files} == served.keys() - {"/"}
    assert all(path.parent == pages.FOLDER for path in files)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert "page/*" in setup["options.package_data"]["liveperf.panel"].split()
