"""The files of the panel, as they are served: read once, kept in memory."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "page"
START = "index.html"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def read(folder: Path = FOLDER) -> dict[str, tuple[str, bytes]]:
    """Path of the address -> (kind, all of the file): /panel/NAME for each, and / for the start page.

    Hidden files and those of no known kind are left out; none for a folder that is not there.
    """
    found: dict[str, tuple[str, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        kind = _KINDS.get(path.suffix.lower())
        if kind is None or not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        found[f"/panel/{name.as_posix()}"] = (kind, path.read_bytes())
    start = found.get(f"/panel/{START}")
    return {**found, "/": start} if start else found
