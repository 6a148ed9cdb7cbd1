"""The network: what events share, and stepping that equals running."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from liveperf.conditioning import Conditioning
from liveperf.events import MAGENTA, OORE, Event, EventType, Vocabulary
from train.model import PerformanceRNN, event_features


@pytest.mark.parametrize("vocabulary", [OORE, MAGENTA])
def test_events_share_what_they_have_in_common(vocabulary: Vocabulary) -> None:
    features = event_features(vocabulary)
    assert features.shape[0] == vocabulary.size and (features >= 0).all()

    def shared(one: Event, other: Event) -> float:
        return float(features[vocabulary.index(one)] @ features[vocabulary.index(other)])

    on, off = EventType.NOTE_ON, EventType.NOTE_OFF
    assert shared(Event(on, 60), Event(on, 60)) == 3  # type, pitch class, octave
    assert shared(Event(on, 60), Event(on, 72)) == 2
    assert shared(Event(on, 60), Event(on, 62)) == 2
    assert shared(Event(on, 60), Event(on, 73)) == 1
    assert shared(Event(on, 60), Event(off, 60)) == 0
    for kind, values in ((EventType.TIME_SHIFT, (20, 21, 90)), (EventType.VELOCITY, (8, 9, 30))):
        near, far = (shared(Event(kind, values[0]), Event(kind, value)) for value in values[1:])
        assert near > far == 1
    kinds = [
        range(vocabulary.first[kind], vocabulary.first[kind] + high - low + 1)
        for kind, low, high in vocabulary.ranges
    ]
    for number, rows in enumerate(kinds):
        parts = features[list(rows)].sum(axis=1)
        np.testing.assert_allclose(parts, 3 if number < 2 else 2, atol=1e-5)


def test_the_same_time_is_the_same_feature_in_every_vocabulary() -> None:
    for seconds in (0.04, 0.2, 1.0):
        rows = [
            event_features(one)[one.index(Event(EventType.TIME_SHIFT, one.steps(seconds)))]
            for one in (OORE, MAGENTA)
        ]
        np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_stepping_equals_running() -> None:
    torch.manual_seed(0)
    network = PerformanceRNN(OORE, Conditioning().size, layers=2, hidden=16, embedding=8, dropout=0.5).eval()
    event = torch.randint(0, 413, (3, 10))
    control = torch.rand(3, 10, Conditioning().size)
    whole, end = network(event, control, network.start(3))
    state, steps = network.start(3), []
    for i in range(10):
        logits, state = network(event[:, i : i + 1], control[:, i : i + 1], state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), whole)
    torch.testing.assert_close(state, end)
    assert network.train()(event, control, network.start(3))[0].ne(whole).any()  # what is dropped out is random
