"""Who may come in, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.remote.guard import Bucket, Guard, GuardError, Head, is_loopback, new_token

TOKEN = "a-token-of-24-characters"
HERE = Guard("127.0.0.1", 8765)
OPEN = Guard("0.0.0.0", 8765, TOKEN, ("studio.local", "piano.example:443"))
ASKED = Head(host="127.0.0.1:8765")


def status(guard: Guard, head: Head) -> int:
    refusal = guard.refusal(head)
    return 200 if refusal is None else refusal[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LocalHost:8765", "[::1]:8765"])
def test_its_own_names_are_let_in(host: str) -> None:
    assert status(HERE, Head(host=host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        *(None, "", "127.0.0.1", "localhost", "localhost:80", "127.0.0.1:87650", "127.0.0.2:8765", "0.0.0.0:8765"),
        *("evil.example:8765", "127.0.0.1.evil.example:8765", "localhost:8765.evil.example", "localhost.:8765"),
        *("127.0.0.1:8765@evil.example", "2130706433:8765", " 127.0.0.1:8765", "127.0.0.1:8765,evil.example"),
    ],
)
def test_a_name_that_somebody_else_leads_here_is_refused(host: str | None) -> None:
    assert status(HERE, Head(host=host)) == 403


@given(st.text())
def test_no_other_host_or_origin_is_let_in(text: str) -> None:
    places = HERE.places("127.0.0.1")
    assert (status(HERE, Head(host=text)) == 200) == (text.lower() in places)
    own = any(text.lower() == f"{scheme}://{place}" for place in places for scheme in ("http", "https"))
    assert (status(HERE, replace(ASKED, origin=text)) == 200) == own


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8765", "http://localhost:8765", "http://[::1]:8765"])
def test_its_own_pages_are_let_in(origin: str) -> None:
    assert status(HERE, replace(ASKED, origin=origin)) == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "http://evil.example:8765", "null", "", "http://127.0.0.1:3000", "file://"),
        *("http://127.0.0.1", "http://127.0.0.1:8765.evil.example", "http://127.0.0.1:8765/", "127.0.0.1:8765"),
    ],
)
def test_other_pages_are_refused(origin: str) -> None:
    assert status(HERE, replace(ASKED, origin=origin)) == 403


@pytest.mark.parametrize(
    ("site", "navigates", "wanted"),
    [
        *(("cross-site", False, 403), ("same-site", False, 403), ("cross-site", True, 200)),
        *(("same-origin", False, 200), ("none", True, 200), (None, False, 200)),
    ],
)
def test_a_page_that_loads_it_as_an_image_is_refused(site: str | None, navigates: bool, wanted: int) -> None:
    assert status(HERE, replace(ASKED, site=site, navigates=navigates)) == wanted


def test_port_80_need_not_be_said() -> None:
    assert status(replace(HERE, port=80), Head(host="localhost")) == 200
    assert status(replace(HERE, port=80), Head(host="localhost:80")) == 200


@pytest.mark.parametrize(
    ("host", "local", "wanted"),
    [
        ("192.168.1.5:8765", "192.168.1.5", 200),
        ("192.168.1.5:8765", "::ffff:192.168.1.5", 200),
        ("[fe80::1]:8765", "fe80::1%eth0", 200),
        ("192.168.1.6:8765", "192.168.1.5", 403),
        ("localhost:8765", "192.168.1.5", 403),
        ("localhost:8765", "127.0.0.1", 200),
        ("studio.local:8765", "192.168.1.5", 200),
        ("studio.local", "192.168.1.5", 403),
        ("piano.example:443", "192.168.1.5", 200),
        ("0.0.0.0:8765", "192.168.1.5", 403),
    ],
)
def test_in_a_network_it_goes_by_its_address_and_the_names_given(host: str, local: str, wanted: int) -> None:
    assert status(OPEN, Head(host=host, local=local, authorization=f"Bearer {TOKEN}")) == wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, 401),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer  {TOKEN}"}, 200),
        ({"authorization": TOKEN}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        ({"authorization": "Bearer \udcff\u1234"}, 401),
        ({"token": TOKEN}, 200),
        ({"token": ""}, 401),
        ({"token": TOKEN, "method": "POST"}, 401),
        ({"cookie": TOKEN}, 200),
        ({"cookie": TOKEN, "method": "POST"}, 200),
        ({"cookie": "other", "token": TOKEN}, 200),
    ],
)
def test_the_token_is_asked_for(said: dict[str, Any], wanted: int) -> None:
    assert status(replace(HERE, token=TOKEN), replace(ASKED, **said)) == wanted


def test_a_right_token_does_not_open_the_door_for_another_site() -> None:
    guard = replace(HERE, token=TOKEN)
    assert status(guard, replace(ASKED, cookie=TOKEN, origin="https://evil.example")) == 403
    assert status(guard, replace(ASKED, cookie=TOKEN, host="evil.example:8765")) == 403


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, True),
        ({"remote": "::1", "local": "::1"}, True),
        ({"remote": "::ffff:127.0.0.1"}, True),
        ({"remote": "192.168.1.5", "local": "192.168.1.5"}, True),  # to itself, by another of its addresses
        ({"remote": "192.168.1.6", "local": "192.168.1.5"}, False),
        ({"remote": "", "local": "192.168.1.5"}, False),
        ({"origin": "http://127.0.0.1:8765"}, False),
        ({"site": "same-origin"}, False),
    ],
)
def test_only_programs_of_this_machine_may_name_files(said: dict[str, Any], wanted: bool) -> None:
    assert OPEN.may_name_files(replace(ASKED, **said)) is wanted


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "studio.local", ""])
def test_in_a_network_there_is_a_token(host: str) -> None:
    with pytest.raises(GuardError, match="no token"):
        Guard(host, 8765)
    assert Guard(host, 8765, TOKEN).token == TOKEN


@pytest.mark.parametrize(
    "token", ["", "short", "a" * 15, "spaces in it are bad", 'quotes"and;others!!!!', "a" * 257]
)
def test_a_token_that_can_be_guessed_or_breaks_a_header_is_refused(token: str) -> None:
    with pytest.raises(GuardError, match="16 to 256"):
        Guard("127.0.0.1", 8765, token)


def test_a_new_token_will_do() -> None:
    assert new_token() != new_token()
    assert Guard("0.0.0.0", 8765, new_token()).token


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"])
def test_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


def test_a_bucket_fills_and_empties() -> None:
    bucket = Bucket(rate=10, burst=5)
    assert [bucket.take(100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [bucket.take(100.25) for _ in range(3)] == [True, True, False]
    assert bucket.take(200.0, cost=5)
    assert not bucket.take(200.0)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(1, 20)), max_size=60))
def test_never_more_than_the_rate_and_the_burst(calls: list[tuple[float, float]]) -> None:
    bucket, now, taken = Bucket(rate=100, burst=50), 1000.0, 0.0
    for gap, cost in calls:
        now += gap
        taken += cost * bucket.take(now, cost)
    assert taken <= 50 + 100 * (now - 1000.0) + 1e-6
