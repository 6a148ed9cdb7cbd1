"""What passes through: the human's messages in, the machine's out; seen, recorded and passed on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import mido

from liveperf.clock import Clock
from liveperf.feed import Ring
from liveperf.midi.echo import Echo
from liveperf.playing.desk import Played
from liveperf.playing.items import Received
from liveperf.playing.output import Thru
from liveperf.recording.journal import Journal
from liveperf.setup.settings import Config
from liveperf.voices import ALL_NOTES_OFF, Owner

PLAYED = 4096  # messages that those who look on may be behind
TIDY_S = 0.03  # after its last key up a keyboard of the 1980s says All Notes Off, within this


class Traffic:
    """The way of a message. It has no thread: `receive` is the input thread's or a page's, `sent` the output's."""

    def __init__(
        self,
        setup: Config,
        clock: Clock,
        journal: Journal | None,
        hear: Callable[[Received], None],
        pass_on: Callable[[Thru], None],
        mapped: Callable[[mido.Message], bool],
    ) -> None:
        """hear: gets what the human plays. pass_on: gets what the synth should. mapped: whether it is a knob's."""
        self.setup = setup  # whichever is in force
        self.played: Ring[Played] = Ring(PLAYED)
        self.lesson: Callable[[mido.Message], bool] = lambda message: False  # whether it takes it for itself
        self._clock, self._journal = clock, journal
        self._hear, self._pass_on, self._mapped = hear, pass_on, mapped
        self._lock = threading.Lock()  # of what follows; held for microseconds
        self._echo = Echo()
        self._down: dict[tuple[int, int], int | None] = {}  # keys that are down; the channel they were passed to
        self._cleared: dict[int, float] = {}  # when the last key of a channel came up, if nothing has followed

    def receive(self, message: mido.Message) -> None:
        """The human plays: stamp, enqueue, return."""
        now, setup = self._clock.now(), self.setup
        if hasattr(message, "channel") and not self._pass(now, message, setup):
            return
        self._hear(Received(now, message))

    def _pass(self, now: float, message: mido.Message, setup: Config) -> bool:
        """Pass on what a player sends, and keep it; False if it is none of that."""
        with self._lock:
            ends = _is_end(message) and (message.channel, message.note) in self._down
            # What began is ended, whatever the setup is by now.
            if not ends and setup.input_channel not in (0, message.channel + 1):
                return False
            if self._echo.is_echo(now, message):  # ours, sent back by a DAW
                return False
        if self.lesson(message):
            return False
        with self._lock:
            if self._tidies(now, message):
                return False
            to = self._way(message, setup)
            passed = None if to is None else message.copy(channel=to)
            if passed is not None:
                self._echo.sent(now, passed, own=False)
        self.played.add((now, Owner.HUMAN.value, message))
        if passed is not None:
            self._pass_on(Thru(passed))
        if self._journal:
            self._journal.add(now, Owner.HUMAN, message)
        return True

    def sent(self, now: float, owner: Owner, message: mido.Message) -> None:
        """The machine's message goes out."""
        with self._lock:
            self._echo.sent(now, message, own=True)
        self.played.add((now, owner.value, message))
        if self._journal:
            self._journal.add(now, owner, message)

    def _way(self, message: mido.Message, setup: Config) -> int | None:
        """The channel that a message of the human is passed on to, None: nowhere; a note ends where it began."""
        if _is_end(message):
            return self._down.pop((message.channel, message.note), None)
        to = None
        if setup.thru and not self._mapped(message):
            to = setup.thru_channel - 1 if setup.thru_channel else message.channel
        if message.type == "note_on":
            self._down[message.channel, message.note] = to
        return to

    def _tidies(self, now: float, message: mido.Message) -> bool:
        """Whether a keyboard says that no key is down, as some do each time that is so: nobody is in a panic."""
        channel = message.channel
        up_at = self._cleared.pop(channel, float("-inf"))
        if _is_end(message):
            if not any(key[0] == channel for key in self._down if key != (channel, message.note)):
                self._cleared[channel] = now
            return False
        return message.is_cc(ALL_NOTES_OFF) and now - up_at <= TIDY_S


def _is_end(message: mido.Message) -> bool:
    """Whether a message ends a note."""
    return bool(message.type == "note_off" or (message.type == "note_on" and message.velocity == 0))
