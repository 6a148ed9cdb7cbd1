"""Whose turn it is: solo, answer (call and response) and duet as transition tables.

A transition that is not in the table changes nothing.

After a panic the machine is silent in every mode, and while a song stands still (MIDI's Stop), too, for as long as
nobody asks for music:

| mode   | what asks for it                                           | what does not                            |
|--------|------------------------------------------------------------|------------------------------------------|
| answer | a key: it listens, and answers the phrase; or the turn     | its own impatience (`idle_start_s`)      |
| solo   | the turn                                                   | a key: it hears it, and stays silent     |
| duet   | a key: it joins in; or the turn                            | keys that were down as the panic came    |

In each of them, a change of mode and a song's Start or Continue (MIDI) do: these begin the mode anew. Whoever asks
in another way while the song stands still waits for it no more. Neither Stop nor panic begins anything, for a DAW
sends both together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from liveperf.params import Params


class State(Enum):
    """What the machine does."""

    WAITING = "waiting"  # nobody plays
    LISTENING = "listening"  # the human plays, the machine is silent
    PLAYING = "playing"
    ENDING = "ending"  # coming to rest at the next opportunity
    FINISHED = "finished"  # it plays no more, until it is asked to


class Trigger(Enum):
    """What makes it change."""

    BEGIN = "the mode has been entered"
    KEY = "the human strikes a key"
    GAP = "the human's phrase is over"
    IDLE = "nobody has played for long"
    REST = "the human has stopped playing along"
    DONE = "the machine has come to rest"
    TURN = "the turn is handed over"
    PANIC = "all is to be quiet"


class Action(Enum):
    """What the machine does on the way."""

    NONE = "nothing"
    START = "begin a turn without end, with a note"
    ANSWER = "begin a turn as long as the human's phrase, with a note"
    JOIN = "play along"
    END = "come to rest at the next opportunity"
    RELEASE = "end every note and be silent"


S, T, A = State, Trigger, Action

TABLES: dict[str, dict[tuple[State, Trigger], tuple[State, Action]]] = {
    "answer": {
        (S.WAITING, T.KEY): (S.LISTENING, A.NONE),
        (S.WAITING, T.IDLE): (S.PLAYING, A.START),
        (S.LISTENING, T.GAP): (S.PLAYING, A.ANSWER),
        (S.PLAYING, T.KEY): (S.LISTENING, A.RELEASE),
        (S.PLAYING, T.DONE): (S.WAITING, A.NONE),
        (S.WAITING, T.TURN): (S.PLAYING, A.START),
        (S.LISTENING, T.TURN): (S.PLAYING, A.ANSWER),
        (S.PLAYING, T.TURN): (S.WAITING, A.RELEASE),
        (S.WAITING, T.PANIC): (S.FINISHED, A.NONE),
        (S.LISTENING, T.PANIC): (S.FINISHED, A.NONE),
        (S.PLAYING, T.PANIC): (S.FINISHED, A.RELEASE),
        (S.FINISHED, T.KEY): (S.LISTENING, A.NONE),
        (S.FINISHED, T.TURN): (S.PLAYING, A.START),
    },
    "solo": {
        (S.WAITING, T.BEGIN): (S.PLAYING, A.START),
        (S.PLAYING, T.TURN): (S.ENDING, A.END),
        (S.ENDING, T.DONE): (S.FINISHED, A.NONE),
        (S.FINISHED, T.TURN): (S.PLAYING, A.START),
        (S.WAITING, T.PANIC): (S.FINISHED, A.NONE),
        (S.PLAYING, T.PANIC): (S.FINISHED, A.RELEASE),
        (S.ENDING, T.PANIC): (S.FINISHED, A.RELEASE),
    },
    "duet": {
        (S.WAITING, T.KEY): (S.PLAYING, A.JOIN),
        (S.PLAYING, T.REST): (S.ENDING, A.END),
        (S.ENDING, T.KEY): (S.PLAYING, A.JOIN),
        (S.ENDING, T.DONE): (S.WAITING, A.NONE),
        (S.WAITING, T.TURN): (S.PLAYING, A.START),
        (S.PLAYING, T.TURN): (S.ENDING, A.END),
        (S.ENDING, T.TURN): (S.PLAYING, A.JOIN),
        (S.PLAYING, T.PANIC): (S.WAITING, A.RELEASE),
        (S.ENDING, T.PANIC): (S.WAITING, A.RELEASE),
    },
}


@dataclass(frozen=True)
class Session:
    """Where the session is; steps since its start. A value: `after` and `heard` give the next one.

    changed: when `state` was entered. phrase: when the human's phrase began. quiet: since when no key is down (the
    pedal counts), None while one is.
    """

    mode: str
    state: State = State.WAITING
    changed: int = 0
    phrase: int = 0
    quiet: int | None = 0

    @property
    def plays(self) -> bool:
        """Whether the machine plays."""
        return self.state in (State.PLAYING, State.ENDING)

    def after(self, trigger: Trigger, step: int) -> tuple[Session, Action]:
        """The session after a trigger, and what to do."""
        found = TABLES[self.mode].get((self.state, trigger))
        if found is None:
            return self, Action.NONE
        state, action = found
        phrase = step if state is State.LISTENING else self.phrase
        return replace(self, state=state, changed=step, phrase=phrase), action

    def heard(self, silent: bool, step: int) -> Session:
        """The session after the human's input of a step was taken in."""
        if silent != (self.quiet is None):
            return self
        return replace(self, quiet=step if silent else None)

    def timer(self, params: Params, rate: float) -> tuple[int, Trigger] | None:
        """The (step, trigger) that comes if nothing else happens. rate: steps per second."""
        if self.mode == "solo" and self.state is State.WAITING:
            return self.changed, Trigger.BEGIN
        if self.quiet is None:
            return None
        if self.mode == "answer" and self.state is State.LISTENING:
            return self.quiet + round(params.turn_gap_s * rate), Trigger.GAP
        if self.mode == "answer" and self.state is State.WAITING and params.idle_start_s > 0:
            return max(self.quiet, self.changed) + round(params.idle_start_s * rate), Trigger.IDLE
        if self.mode == "duet" and self.state is State.PLAYING:
            return max(self.quiet, self.changed) + round(params.duet_rest_s * rate), Trigger.REST
        return None

    def answer_steps(self, params: Params, rate: float) -> int:
        """How long the answer to the phrase that has just ended is to be."""
        phrase_s = ((self.quiet if self.quiet is not None else self.changed) - self.phrase) / rate
        wanted_s = phrase_s * params.answer_length
        return round(min(max(wanted_s, params.answer_shortest_s), params.answer_longest_s) * rate)
