"""`bin/panel-pictures`: the pictures of the panel in the README, taken of an instrument that plays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from playwright.sync_api import Browser

from tests.browser import Panel, Player, launched

DESKTOP = {"viewport": {"width": 1440, "height": 860}, "device_scale_factor": 1.5}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
# Keys struck together, and for how long (ms): E minor, C, G and D, the fifth with a tune above.
PHRASE = (
    ("zb", 500),
    ("q", 250),
    ("w", 250),
    ("cbq", 500),
    ("e", 250),
    ("r", 250),
    ("xvn", 500),
    ("w", 250),
    ("q", 750),
)


def idle(browser: Browser, url: str) -> Panel:
    """Nobody has played yet."""
    panel = Panel(browser, color_scheme="light", **DESKTOP).open(url)
    panel.page.get_by_role("slider", name="density", exact=True).wait_for()
    return panel


def answering(browser: Browser, url: str, notes: int, **look: object) -> Panel:
    """A phrase was played, and is being answered with so many notes so far."""
    panel = Panel(browser, color_scheme="dark", **look).open(url)
    panel.sound()
    for keys, held_ms in PHRASE:
        for key in keys:
            panel.page.keyboard.down(key)
        panel.page.wait_for_timeout(held_ms)
        for key in keys:
            panel.page.keyboard.up(key)
    panel.until(lambda: len(panel.onsets("machine")) >= notes, 30, "it answers at length")
    panel.holds("liveperf.planned > 0", "it has a plan")
    return panel


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("docs"))
def main(folder: Path) -> None:
    """Take the pictures of the panel into FOLDER [default docs]: idle, answering, and on a phone."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="liveperf-") as places, launched() as browser:
        env = {"XDG_STATE_HOME": places, "XDG_RUNTIME_DIR": places}
        options = ("--port", "0", "--backend", "none", "--idle-start-s", "0", "--answer-shortest-s", "12")
        player = Player(Path(places), "liveperf", *options, env=os.environ | env)
        try:
            player.ready()
            shots: dict[str, Callable[[], Panel]] = {
                "idle": lambda: idle(browser, player.url),
                "answering": lambda: answering(browser, player.url, 24, **DESKTOP),
                "phone": lambda: answering(browser, player.url, 12, **PHONE),
            }
            for name, pose in shots.items():
                panel, file = pose(), folder / f"panel-{name}.png"
                panel.page.screenshot(path=file)
                panel.close()
                click.echo(f"{file}: {file.stat().st_size / 1024:.0f} KB")
        finally:
            player.end()


if __name__ == "__main__":
    main()
