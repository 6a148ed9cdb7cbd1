"""Links: what people have connected a port of ours to, remembered, so that it can be connected again."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

REMEMBERED = 64  # links that are lost; of more, the latest

# ALSA's "Nord Stage:MIDI 1 20:0", a2jmidid's "a2j:Nord Stage [20] (capture): MIDI 1"
_NUMBERS = re.compile(r" \d+:\d+$| \[\d+\](?= \()")


def lasting(name: str) -> str:
    """A port's name without the numbers that ALSA gives it, which change when it is plugged in again."""
    return _NUMBERS.sub("", name)


@dataclass(frozen=True)
class Links:
    """What a port of ours is connected to, and was: the names of others' ports.

    A link that is missed at two looks in a row while the other port is there was cut by somebody, and is
    forgotten; at the first look the other port may just be going. A link whose other port has gone, or ours, is
    lost: it is made again when both are there, and from then on is like any other, which may be cut.
    """

    made: Mapping[str, str] = field(default_factory=dict)  # name -> owner
    asked: Mapping[str, str] = field(default_factory=dict)  # since the last look
    missed: tuple[str, ...] = ()  # at the last look, for the first time
    lost: tuple[str, ...] = ()  # the latest last
    there: tuple[str, ...] = ()  # all ports at the last look that it could be linked to

    @property
    def back(self) -> tuple[str, ...]:
        """Lost links that can be made again."""
        return tuple(name for name in self.lost if name in self.there)

    def seen(self, linked: Collection[str], there: Collection[str], owner: Callable[[str], str]) -> Links:
        """After a look, at which it was linked to these ports, and these were there.

        owner: tells who a port belongs to: somebody else, each time that its program is started.
        """
        before = {**self.made, **self.asked}
        made = {name: before.get(name) or owner(name) for name in linked if name in there}
        missed = [one for one in before if one not in made and one in there and owner(one) == before[one]]
        gone = [one for one in before if one not in made and one not in missed]
        gone += [one for one in self.missed if one not in there]
        lost = [one for one in self._renamed([*self.lost, *gone], there) if one not in made]
        return Links(made, {}, tuple(missed), tuple(lost[-REMEMBERED:]), tuple(there))

    def _renamed(self, lost: list[str], there: Collection[str]) -> list[str]:
        """Lost links, by the names that their ports have now: a port that has just come may be one of them."""
        new = [name for name in there if name not in self.there and name not in lost]
        found = []
        for name in lost:
            same = [one for one in new if name not in there and lasting(one) == lasting(name)]
            found.append(same[0] if same else name)
            new = [one for one in new if one not in found]
        return found

    def ask(self, name: str, owner: str) -> Links:
        """A lost link was asked for: from the next look on it is there."""
        lost = tuple(one for one in self.lost if one != name)
        return replace(self, asked={**self.asked, name: owner}, lost=lost)

    def broken(self) -> Links:
        """Our port has gone, or all ports have."""
        return Links(lost=(*self.lost, *self.made, *self.asked, *self.missed)[-REMEMBERED:])
