"""The two halves of a 14-bit controller, put together.

MIDI 1.0: controllers 0 to 31 may have a fine half, 32 numbers higher; a coarse half alone says that the fine one
is 0. Senders keep to it as they like, and which kind one is shows in what comes:

| what comes                         | what it means                                                    |
|------------------------------------|------------------------------------------------------------------|
| coarse, coarse, ...                | seven bits: 127 is the far end                                   |
| coarse, fine, coarse, fine, ...    | a coarse half waits for its fine one, or 64.127 to 65.0 would go |
|                                    | by way of 65.127                                                 |
| coarse, fine, fine, ...            | the same; a fine half alone moves on where the coarse one stands |
| fine, coarse, fine, coarse, ...    | a fine half waits for its coarse one                             |

Who comes to the second in the middle of a pair takes it for the last. Where the coarse half changes slowly, the
fine one then seems to turn round after it: that tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

TOP = 16383
WRAPS = 64  # a fine half that has gone back by so much has turned round


@dataclass(frozen=True, slots=True)
class Pair:
    """What is known of the two halves (0 to 127 each). A value: `with_coarse` and `with_fine` give the next one.

    part: where the knob stands (0 to 1), None as long as nobody can tell. fine: None where there are seven bits.
    waits: a half has come that says nothing without the other. fine_first: the fine half of a value comes first.
    way: where the coarse half went last (-1 to 1); turned: the fine one has turned round since.
    """

    part: float | None = None
    coarse: int | None = None
    fine: int | None = None
    waits: bool = False
    fine_first: bool = False
    way: int = 0
    turned: bool = False

    def with_coarse(self, value: int) -> Pair:
        """The pair after a coarse half."""
        if self.fine is None or self.waits != self.fine_first:  # the second without a fine one
            return Pair(value / 127, value)
        if not self.fine_first:
            return replace(self, coarse=value, waits=True)
        before = value if self.coarse is None else self.coarse
        return replace(
            self,
            part=_part(value, self.fine),
            coarse=value,
            waits=False,
            fine_first=not (self.turned and value == before),
            way=(value > before) - (value < before),
        )

    def with_fine(self, value: int) -> Pair:
        """The pair after a fine half."""
        if self.coarse is None:
            return Pair(fine=value, waits=True, fine_first=self.fine is None)
        if self.fine is not None and self.fine_first and not self.waits:
            turned = bool(self.way) and (self.fine - value) * self.way >= WRAPS
            return replace(self, fine=value, waits=True, turned=turned)
        return Pair(_part(self.coarse, value), self.coarse, value)


def _part(coarse: int, fine: int) -> float:
    return (coarse * 128 + fine) / TOP
