"""`liveperf learn`: wait for a knob to be moved, and write down in the setup what it is for."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
from rich.console import Console
from rich.prompt import Prompt
from rich.table import Table

from liveperf.clock import SystemClock
from liveperf.files import replacing
from liveperf.mapping.knobs import ACTIONS, Entry, MapError, two_states
from liveperf.mapping.listener import Heard, Listener, wanted
from liveperf.midi import ports
from liveperf.params import nearest, row_named, table
from liveperf.setup.config import Config, ConfigError, load
from liveperf.setup.rewrite import line, rewritten

LOOK_S = 0.25  # how often the wait for a knob looks up, so that Ctrl-C is heard on every system


def ask() -> str:
    """Show what a knob can be for, and ask; ConfigError if nobody answers. Main thread; blocks."""
    console = Console()
    shown = Table("name", "values", "what it is", box=None, pad_edge=False)
    for row in table():
        shown.add_row(row.name, row.bounds, row.help)
    for name, words in ACTIONS.items():
        shown.add_row(name, "pressed", f"{words[0].upper()}{words[1:]}.")
    console.print(shown)
    names = [*(row.name for row in table()), *ACTIONS]
    try:
        return Prompt.ask("What is the knob for?", console=console, choices=names, show_choices=False)
    except EOFError:
        raise ConfigError("no parameter named; name one: liveperf learn PARAMETER --config FILE.yaml") from None


def learn(
    path: Path,
    name: str,
    say: Callable[[str], None],
    input: str | None = None,
    backend: str | None = None,
    notes: bool = False,
    encoder: str | None = None,
) -> None:
    """Wait for a knob to be moved, and write it into the setup `path` as the one for `name`.

    name: a parameter or an action. input, backend: as in the setup where None. notes: a key may be a switch.
    encoder: how an endless knob codes its ticks; None: it is none. On ConfigError, PortError and Ctrl-C the file
    stays as it was. Main thread; blocks.
    """
    config = load(path) if path.exists() else Config()
    known = [*(row.name for row in table()), *ACTIONS]
    if name not in known:
        raise ConfigError(f"unknown parameter or action {name!r}{nearest(name, known)}")
    try:
        listener = Listener(wanted(name, notes, encoder), encoder)
    except MapError as error:
        raise ConfigError(str(error)) from error
    inbox: queue.SimpleQueue[mido.Message] = queue.SimpleQueue()
    wanted_port = input or next(iter(config.input), None)
    port = ports.choose(backend or config.backend).open_input(wanted_port, inbox.put)
    try:
        say(f"listening to {port.name}: move the knob for {name} (Ctrl-C leaves {path} as it is)")
        heard = _wait(listener, inbox, say)
    finally:
        port.close()
    entry, replaced = decide(config, name, heard)
    say(f"heard {entry.name}" + ("" if entry.channel else f" (channel {heard.channel})"))
    for old in replaced:
        say(f"it replaces {old.name} for {old.to}")
    text = path.read_bytes().decode("utf-8") if path.exists() else ""
    write(path, rewritten(text, path, entry, replaced))
    say(f"{path}: {line(entry)}")


def _wait(listener: Listener, inbox: queue.SimpleQueue[mido.Message], say: Callable[[str], None]) -> Heard:
    clock, hint = SystemClock(), ""
    while True:
        message = clock.wait(inbox, clock.now() + LOOK_S)
        heard = None if message is None else listener.hear(message)
        if heard is not None:
            return heard
        if listener.hint != hint:
            hint = listener.hint
            say(f"  {hint}")


def decide(config: Config, name: str, heard: Heard) -> tuple[Entry, list[Entry]]:
    """The entry for what was heard, and those that it replaces: for the same thing, or on the same knob."""
    entries = config.map.entries
    number = None if name == "preset" else heard.number
    entry = Entry(heard.source, number, name, encoder=heard.encoder, **_button(name, heard))
    # a note is a key on every other channel, and what others tell apart by channel stays apart
    told_apart = any(old.channel not in (None, heard.channel) and _meets(old, entry) for old in entries)
    if heard.source == "note" or told_apart:
        entry = replace(entry, channel=heard.channel)
    replaced = [
        old
        for old in entries
        if _meets(old, entry) or (old.to == name and old.is_knob == entry.is_knob and old.button == entry.button)
    ]
    for old in replaced:
        if old.to == name and entry.is_knob and old.is_knob:  # what was said of its range and curve still holds
            new: dict[str, Any] = {key: getattr(entry, key) for key in ("source", "number", "channel", "encoder")}
            new |= {"pick_up": False} if entry.encoder else {"tick": None}  # what it cannot have
            try:
                entry = replace(old, **new)
            except MapError:
                continue
    return entry, replaced


def _button(name: str, heard: Heard) -> dict[str, Any]:
    return {"button": "toggle"} if name not in ACTIONS and heard.pressed and two_states(row_named(name)) else {}


def _meets(one: Entry, other: Entry) -> bool:
    """Whether two are on one knob."""
    return not set(one.addresses()).isdisjoint(other.addresses())


def write(path: Path, text: str) -> None:
    """Put a text in a file's place at once: another reader sees the old one or the new one, whole."""
    try:
        with replacing(path) as part:
            part.write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
