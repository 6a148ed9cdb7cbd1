"""What sampling adds: density and scales for a model that cannot be told, and no saying the same again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from liveperf.bias import MEMORY_S, MOST, OFTENER, RECENT, Bias, repeated, surplus
from liveperf.conditioning import Conditioning
from liveperf.events import OORE, Event, EventType
from liveperf.generator import Generator
from liveperf.model.bundle import Bundle, load
from liveperf.params import Params
from liveperf.performer import Performer
from liveperf.scales import pitch_classes
from liveperf.state import GeneratorState
from liveperf.wish import wish
from tests.dice import dice_bundle


def deaf_bundle() -> Bundle:
    """A model that was never told anything in training."""
    bundle, _ = dice_bundle(liveliness=1.0)
    return replace(bundle, card=replace(bundle.card, conditioning=replace(bundle.card.conditioning, told=False)))


def dice_state() -> GeneratorState:
    return Generator(dice_bundle()[0]).start(0)


def solo(seconds: int, **params: Any) -> list[tuple[int, int]]:
    """(step, pitch) of the onsets of a deaf model's solo."""
    performer = Performer(Generator(deaf_bundle()), Params(mode="solo", **params))
    return [(note.step, note.pitch) for note in performer.run_until(seconds * 125) if note.velocity]


@pytest.mark.parametrize("density", [2, 4, 8, 16])
def test_density_is_had_by_sampling_where_it_cannot_be_told(density: float) -> None:
    maestro = load("maestro")
    deaf = replace(maestro, card=replace(maestro.card, conditioning=replace(Conditioning(), told=False)))
    played = 0
    for seed in (1, 2):
        performer = Performer(Generator(deaf), Params(mode="solo", density=density), seed)
        played += sum(note.velocity > 0 for note in performer.run_until(60 * 125))
    assert played / 120 == pytest.approx(density, rel=0.25)


def test_a_scale_is_leaned_to_where_it_cannot_be_told() -> None:
    inside = pitch_classes("major", "D")

    def share(**params: Any) -> float:
        pitches = [pitch for _, pitch in solo(60, **params)]
        return sum(pitch % 12 in inside for pitch in pitches) / len(pitches)

    assert share() < 0.7 < 0.8 < share(scale="major", root="D") < 1


def test_nothing_is_told_to_a_network_that_does_not_know_it() -> None:
    generator = Generator(deaf_bundle())
    performer = Performer(generator, Params(mode="solo", density=9, scale="blues"))
    np.testing.assert_array_equal(generator.control(performer.wish), generator.bundle.card.conditioning.off)


@pytest.mark.parametrize(
    ("pitches", "expected"),
    [
        ([], ()),
        ([60, 62, 64], ()),
        ([60, 62, 64, 65, 60, 62, 64], (65,)),
        ([60, 62, 64, 65, 60, 62, 64, 65, 60, 62, 64], (65, 65)),
        ([60, 62, 64, 65, 60, 62, 64, 67, 60, 62, 64], (65, 67)),
        ([60, 60, 60, 60], (60,)),
        ([60, 62, 64, 65, 60, 62, 63], ()),
    ],
)
def test_what_followed_before_is_known(pitches: list[int], expected: tuple[int, ...]) -> None:
    assert repeated(tuple(enumerate(pitches))) == expected


def test_a_guard_makes_what_followed_before_unlikely() -> None:
    state = replace(dice_state(), recent=tuple(enumerate([60, 62, 64, 65, 60, 62, 64, 65, 60, 62, 64])))
    for guard, expected in ((0.0, None), (0.5, -5.0), (1.0, -10.0)):
        bias = Bias(OORE, steers=False).of(state, wish(Params(repeat_guard=guard), 125))
        assert (bias is None) == (expected is None)
        if bias is not None:
            assert np.flatnonzero(bias).tolist() == [65] and bias[65] == expected


def test_where_too_much_was_played_time_passes_longer_and_oftener() -> None:
    state = replace(dice_state(), step=1000, recent=tuple((1000 - i, 60) for i in range(50)))
    bias = Bias(OORE, steers=True).of(state, wish(Params(density=4), 125))
    assert bias is not None
    shifts = slice(256, 381)
    before, after = np.exp(state.logits[shifts]).sum(), np.exp(state.logits[shifts] + bias[shifts]).sum()
    assert after == pytest.approx(before * (53 / 19) ** (OFTENER / np.log(2)), rel=1e-3)
    assert np.all(np.diff(bias[shifts]) > 0)  # too dense: longer ones are likelier
    assert not bias[:256].any() and not bias[381:].any()


@pytest.mark.parametrize("steers", [False, True])
def test_what_was_too_much_for_long_is_made_up_for(steers: bool) -> None:
    """Beyond what the last seconds say: of two that play alike by now, who has played more rests oftener."""
    shifts = slice(256, 381)

    def time_passes(surplus: float) -> float:
        state = replace(dice_state(), step=10_000, recent=tuple((10_000 - 31 * i, 60) for i in range(16)))
        bias = Bias(OORE, steers).of(replace(state, surplus=surplus, asked=4.0), wish(Params(density=4), 125))
        assert bias is not None
        return float(np.exp(state.logits[shifts] + bias[shifts]).sum())

    plain, some, more, most = (time_passes(part * 4 * MEMORY_S) for part in (0, 0.1, MOST, 9))
    assert plain < some < more == most


def test_the_surplus_is_what_was_played_less_what_was_asked_for_and_is_forgotten() -> None:
    generator = Generator(dice_bundle()[0])
    asked, state = wish(Params(density=4), 125), generator.start(0)
    second, note = OORE.index(Event(EventType.TIME_SHIFT, 125)), OORE.index(Event(EventType.NOTE_ON, 60))
    for own, expected in ((False, 0), (True, 1)):
        assert generator.feed(state, note, asked, own).surplus == expected
        assert generator.feed(state, second, asked, own).surplus == -4 * own
    assert generator.pass_time(state, 300, asked).surplus == 0  # who does not play owes nothing
    state = replace(state, asked=4.0, surplus=200.0)
    for _ in range(round(MEMORY_S)):
        state = generator.feed(state, second, asked, own=True)
    owed = sum(4 * np.exp(-second / MEMORY_S) for second in range(round(MEMORY_S)))
    assert state.surplus == pytest.approx(200 / np.e - owed)


def test_what_was_played_before_anything_was_asked_for_is_nothing_to_make_up_for() -> None:
    generator = Generator(dice_bundle()[0])
    state, note = generator.start(0), OORE.index(Event(EventType.NOTE_ON, 60))
    for density, expected in ((0, 0), (4, 1), (4, 2), (0, 0), (8, 1), (4, 1)):
        asked = wish(Params(density=density), 125)
        assert surplus(state, asked) == expected - bool(density)
        state = replace(generator.feed(state, note, asked, own=True), own=())
        assert state.surplus == expected


def test_a_model_that_is_told_is_slowed_by_what_it_does_and_not_by_what_it_did() -> None:
    asked = wish(Params(density=4), 125)
    now, before = (tuple((last - 3 * i, 60) for i in range(50)) for last in (1000, 860))
    shifts, passes = slice(256, 381), []
    for recent in (now, before):
        bias = Bias(OORE, steers=False).of(replace(dice_state(), step=1000, recent=recent), asked)
        assert bias is not None
        passes.append(float(bias[shifts].mean()))
    assert passes[0] > 1.3 * passes[1] > 0


def test_what_is_remembered_does_not_grow() -> None:
    performer = Performer(Generator(dice_bundle()[0]), Params(mode="solo"))
    performer.run_until(60 * 125)
    assert len(performer.plan.committed.recent) == RECENT
