"""What is shown of the plan is what is played, if nothing is turned meanwhile."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.generator import Generator
from liveperf.params import Params
from liveperf.performer import Performer
from liveperf.plan import Plan
from liveperf.preview import planned
from liveperf.state import FAR
from liveperf.timeline import Timeline
from liveperf.wish import wish
from tests.dice import dice_bundle

WISH = wish(Params(), 125)
AHEAD_S = 1.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(-5, 5), st.floats(0.5, 1.5), st.integers(50, 400))
def test_what_is_planned_is_what_is_played(seed: int, transpose: int, loudness: float, until: int) -> None:
    params = Params(mode="solo", transpose=transpose, loudness=loudness, plan_s=AHEAD_S, density=16)
    performer = Performer(Generator(dice_bundle()[0]), params, seed)
    performer.run_until(until)
    while performer.plan_ahead():
        pass
    timeline = Timeline(5.0, 125)
    vocabulary = performer.generator.vocabulary
    shown = planned(performer.plan.ahead, vocabulary, params, timeline)
    last = performer.plan.head.step
    played = performer.run_until(last - 1)  # in the last step more may be planned
    begun = [(timeline.time_of(one.step), one.pitch, one.velocity) for one in played if one.velocity]
    assert [one[:3] for one in shown if one[0] < timeline.time_of(last)] == begun
    for start, pitch, _, end in shown:
        if end is not None and end < timeline.time_of(last):
            ends = [timeline.time_of(one.step) for one in played if one.pitch == pitch and not one.velocity]
            assert start < end and end in ends


def test_the_plan_counts_its_changes() -> None:
    generator = Generator(dice_bundle()[0])
    plan = Plan(generator.start(1))
    seen = [plan.version]
    state = plan.committed
    for _ in range(2):
        event, state = generator.generate(state, WISH, 0, FAR) or (0, state)
        plan.append(event, state)
        seen.append(plan.version)
    assert [one for _, one in plan.ahead] == [plan.ahead[0][1], state]
    plan.commit_until(plan.ahead[0][1].step)
    seen.append(plan.version)
    plan.commit_until(-1)
    assert plan.version == seen[-1]
    plan.rewind()
    seen.append(plan.version)
    assert seen == sorted(set(seen)) and plan.ahead == []


def test_nothing_is_planned_while_it_listens() -> None:
    performer = Performer(Generator(dice_bundle()[0]), Params(), 1)
    performer.note_on(60, 80)
    performer.run_until(1)
    assert not performer.plan_ahead()
    assert planned(performer.plan.ahead, performer.generator.vocabulary, performer.params, Timeline(0, 1)) == []
