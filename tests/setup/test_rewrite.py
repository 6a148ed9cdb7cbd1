"""A knob more or less in a setup: what else is in the file stays, comments too."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.mapping.controls import DEFAULT, ControlMap
from liveperf.mapping.knobs import Entry
from liveperf.setup.config import MAPS, Config, ConfigError, parse
from liveperf.setup.rewrite import line, removed, rewritten
from tests.maps import entries, maps

FILE = Path("setup.yaml")
LIST = """\
# Friday's setup
mode: duet # four hands

map: # mine
  # the wheel
  - {cc: 1, to: density}   # under the thumb
  # and a knob
  - {cc: 74, to: temperature, pick_up: true}   # the red one

# the rest
density: 4
# end
"""
BLOCK = """\
map:
- cc: 1   # left
  to: density   # wheel
  range: [1, 8]  # not too many
- cc: 2
  to: top_p

# the rest
mode: duet
"""
TABLE = """\
knobs: # quick
  # the wheel
  1: density # thumb
  # a knob
  2: top_p # red
# the rest
mode: duet
"""


def write(text: str, new: Entry, *replaced: Entry) -> str:
    """The new text, of which `rewritten` has seen to it that it says what it should and has all comments."""
    return rewritten(text, FILE, new, list(replaced))


def without(text: str, number: int) -> str:
    """A text without its entry of this number, from 0: what it says has been seen to by `removed`."""
    return removed(text, FILE, parse(text, FILE).map.entries[number])


def test_an_entry_more() -> None:
    assert write(LIST, Entry("cc", 20, "top_p")) == LIST.replace(
        "# the red one\n", "# the red one\n  - {cc: 20, to: top_p}\n"
    )
    assert write(BLOCK, Entry("pressure", None, "speed")) == BLOCK.replace(
        "  to: top_p\n", "  to: top_p\n- {pressure: true, to: speed}\n"
    )


def test_another_knob_for_the_same() -> None:
    old, new = Entry("cc", 1, "density"), Entry("cc14", 2, "density")
    assert write(LIST, new, old) == LIST.replace("{cc: 1, to: density}  ", "{cc14: 2, to: density}")
    old, new = Entry("cc", 1, "density", span=(1.0, 8.0)), Entry("pitch_bend", None, "density", 3, span=(1.0, 8.0))
    after = write(BLOCK, new, old)
    assert "- pitch_bend: true # left\n  to: density   # wheel\n  range: [1, 8]  # not too many\n" in after
    assert "  channel: 3\n" in after


def test_a_knob_for_something_else() -> None:
    after = write(LIST, Entry("cc", 74, "panic"), Entry("cc", 74, "temperature", pick_up=True))
    assert "  # and a knob\n  - {cc: 74, to: panic}" in after
    after = write(BLOCK, Entry("cc", 1, "speed"), Entry("cc", 1, "density", span=(1.0, 8.0)))
    assert after.startswith("map:\n- cc: 1   # left\n  to: speed     # wheel\n# not too many\n- cc: 2\n")


def test_one_for_two() -> None:
    """The knob of one and the parameter of another: one entry stays, in the first one's place."""
    old = Entry("cc", 1, "density"), Entry("cc", 74, "temperature", pick_up=True)
    after = write(LIST, Entry("cc", 1, "temperature", pick_up=True), *old)
    assert "- {cc: 1, to: temperature, pick_up: true}" in after and "74" not in after
    assert "# under the thumb\n" in after and "# the red one\n\n# the rest\ndensity: 4\n# end\n" in after


def test_a_table_of_knobs() -> None:
    assert write(TABLE, Entry("cc", 1, "speed"), Entry("cc", 1, "density")) == TABLE.replace(
        "density #", "speed   #"
    )
    assert write(TABLE, Entry("cc", 9, "top_p"), Entry("cc", 2, "top_p")) == TABLE.replace("  2:", "  9:")
    after = write(TABLE, Entry("cc14", 2, "top_p"), Entry("cc", 2, "top_p"))
    assert "  1: density # thumb\n  # a knob\n" in after and "# red\n# the rest\nmode: duet\n" in after
    assert after.endswith("map:\n  - {cc14: 2, to: top_p}\n")
    assert write("knobs: {1: density}\n", Entry("cc14", 1, "density"), Entry("cc", 1, "density")) == (
        "map:\n  - {cc14: 1, to: density}\n"
    )


@pytest.mark.parametrize(
    "text", ["", "# nothing yet\n", "# no end of line", "mode: duet # x\n# end\n", "--- # y\n"]
)
def test_without_a_map_the_default_is_written_out(text: str) -> None:
    new = Entry("cc", 1, "speed")
    after = write(text, new, Entry("cc", 1, "density"))
    assert after.startswith(text.split("---")[0].rstrip("\n"))
    assert set(parse(after, FILE).map.entries) == {new, *DEFAULT.entries[1:]}


def test_a_map_s_name_is_written_out() -> None:
    after = write("mode: duet\nmap: korg-nanokontrol2 # on the desk\n# end\n", Entry("cc", 45, "panic"))
    assert "# on the desk\n" in after and "# end\n" in after
    shipped = parse("map: korg-nanokontrol2", FILE).map.entries
    assert parse(after, FILE) == Config(
        params=parse("mode: duet", FILE).params, map=ControlMap((*shipped, Entry("cc", 45, "panic")))
    )


def test_ends_of_lines_and_quotes_stay() -> None:
    text = "output: 'fluid' # a synth\r\nmap:\r\n    - {cc: 1, to: density}\r\n"
    assert write(text, Entry("cc", 2, "speed")) == text + "    - {cc: 2, to: speed}\r\n"
    long = f'input: "{"long " * 60}"\nmap: [{{cc: 1, to: density}}] # one line\n# end\n'
    assert write(long, Entry("cc", 2, "speed")) == long.replace("density}]", "density}, {cc: 2, to: speed}]")


def test_what_would_be_lost_is_refused() -> None:
    text = "knobs: {1: density, # the wheel\n  2: top_p}\n"
    with pytest.raises(ConfigError) as refused:
        write(text, Entry("cc14", 4, "speed"))
    assert "setup.yaml: cannot write this in (it would lose '# the wheel'" in str(refused.value)
    assert str(refused.value).endswith("put it under `map:` yourself: - {cc14: 4, to: speed}")


def test_entries_made_of_others() -> None:
    text = "map:\n  - &wheel {cc: 1, channel: 1, to: density}\n  - {<<: *wheel, channel: 2}\n"
    old = Entry("cc", 1, "density", 2)
    assert "- {<<: *wheel, cc: 4, channel: 2}" in write(text, Entry("cc", 4, "density", 2), old)
    with pytest.raises(
        ConfigError, match="cannot write this in .* put it under `map:` yourself: - {note: 4, to: turn}"
    ):
        write(text, Entry("note", 4, "turn"), old)


@pytest.mark.parametrize("name", sorted(path.stem for path in MAPS.glob("*.yaml")))
def test_shipped_maps_can_be_added_to(name: str) -> None:
    text = "map:\n" + (MAPS / f"{name}.yaml").read_text(encoding="utf-8")
    after = write(text, Entry("cc", 119, "plan_s"))
    assert after.rstrip("\n").splitlines()[:-1] == text.rstrip("\n").splitlines()
    assert after.endswith("- {cc: 119, to: plan_s}\n")


@settings(deadline=None)
@given(st.data(), maps(), entries())
def test_any_map_takes_any_entry(data: st.DataObject, control_map: ControlMap, new: Entry) -> None:
    """`rewritten` checks its own result: here it has nothing to refuse."""
    text = data.draw(setups(control_map))
    meets = [one for one in control_map.entries if not set(one.addresses()).isdisjoint(new.addresses())]
    same = [one for one in control_map.entries if one.to == new.to]
    assert write(text, new, *{*meets, *(same if data.draw(st.booleans()) else [])}).endswith(
        "# below\nmode: solo\n"
    )


# Without an entry.


def test_an_entry_s_lines_go_and_no_other_byte() -> None:
    assert without(LIST, 0) == LIST.replace("  - {cc: 1, to: density}   # under the thumb\n", "")
    assert without(BLOCK, 0) == BLOCK.replace(BLOCK[BLOCK.index("- cc: 1") : BLOCK.index("- cc: 2")], "")
    assert without(BLOCK, 1) == BLOCK.replace("- cc: 2\n  to: top_p\n", "")
    assert without(TABLE, 0) == TABLE.replace("  1: density # thumb\n", "")
    windows = "map:\r\n-\r\n    cc14:  2 # fine\r\n\r\n    to:  speed\r\n-   {cc: 1, to: density}\r\n# end"
    assert without(windows, 0) == "map:\r\n-   {cc: 1, to: density}\r\n# end"


def test_in_brackets() -> None:
    text = "map: [{cc: 1,  to: density},  {pitch_bend: true, to: speed} , {cc: 3, to: top_p}] # mine"
    assert without(text, 0) == "map: [{pitch_bend: true, to: speed} , {cc: 3, to: top_p}] # mine"
    assert without(text, 1) == "map: [{cc: 1,  to: density},  {cc: 3, to: top_p}] # mine"
    assert without(text, 2) == "map: [{cc: 1,  to: density},  {pitch_bend: true, to: speed}] # mine"
    lines = (
        "knobs: {\n  1: density, # one, or two\n  2: top_p, 3: speed, # both\n  4: loudness } # the last\n# end\n"
    )
    assert without(lines, 0) == lines.replace("  1: density, # one, or two\n", "")
    assert without(lines, 1) == lines.replace("2: top_p, ", "")
    assert without(lines, 2) == lines.replace(", 3: speed", "")
    assert without(lines, 3) == lines.replace("4: loudness", "")


def test_where_nothing_is_left_it_says_so() -> None:
    assert without("map: # mine\n  # the wheel\n  - {cc: 1, to: density} # x\nmode: duet\n", 0) == (
        "map: [] # mine\n  # the wheel\nmode: duet\n"
    )
    assert without("knobs:\n  1: density", 0) == "knobs: {}\n"
    assert without("map: [{cc: 1, to: density}]", 0) == "map: []"
    assert without("knobs: {1: density}\nmap:\n- {cc: 2, to: speed}\n", 0) == "knobs: {1: density}\nmap: []\n"
    assert without("knobs: {1: density}\nmap:\n- {cc: 2, to: speed}\n", 1) == (
        "knobs: {}\nmap:\n- {cc: 2, to: speed}\n"
    )


@pytest.mark.parametrize("text", ["", "# nothing yet", "mode: duet # x\r\n# end\r\n"])
def test_of_the_default_the_rest_is_written_out(text: str) -> None:
    after = without(text, 1)
    assert after.startswith(text) and parse(after, FILE).map.entries == (DEFAULT.entries[0], *DEFAULT.entries[2:])
    assert after.count("\n") == after.count("\r\n") or "\r" not in text


@pytest.mark.parametrize("name", sorted(path.stem for path in MAPS.glob("*.yaml")))
def test_of_a_map_s_name_the_rest_is_written_out(name: str) -> None:
    text = f"mode: duet\nmap: {name} # on the desk\nknobs: {{118: plan_s}}\n# end"
    *entries, last = parse(text, FILE).map.entries
    assert without(text, len(entries)) == text.replace("{118: plan_s}", "{}")
    after = without(text, 0)
    listed = (MAPS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert after.startswith("mode: duet\nmap: # on the desk\n  ") and after.endswith("}\n# end")
    assert all(one.strip() in after for one in listed if one.startswith("#"))
    assert parse(after, FILE).map.entries == (*entries[1:], last)


def test_what_others_are_made_of_stays() -> None:
    text = "map:\n  - &wheel {cc: 1, channel: 1, to: density}\n  - {<<: *wheel, channel: 2}\n"
    assert without(text, 1) == text.replace("  - {<<: *wheel, channel: 2}\n", "")
    with pytest.raises(ConfigError) as refused:
        without(text, 0)
    assert str(refused.value).startswith("setup.yaml: cannot take this out (setup.yaml, line 2: ")
    assert str(refused.value).endswith("do it yourself: - {cc: 1, channel: 1, to: density}")
    with pytest.raises(ConfigError, match="cannot take this out"):
        removed(text, FILE, Entry("cc", 5, "speed"))  # it is not there


@settings(deadline=None)
@given(st.data(), maps(), entries())
def test_what_is_added_and_removed_leaves_the_same(
    data: st.DataObject, control_map: ControlMap, new: Entry
) -> None:
    text = data.draw(setups(control_map))
    before = parse(text, FILE)
    if all(set(one.addresses()).isdisjoint(new.addresses()) for one in control_map.entries):
        assert parse(removed(write(text, new), FILE, new), FILE) == before
    for one in control_map.entries:  # and one after the other until none is left
        text = removed(text, FILE, one)
    assert parse(text, FILE).map == ControlMap(()) and text.endswith("\n# below\nmode: solo\n")


@st.composite
def setups(draw: st.DrawFn, control_map: ControlMap) -> str:
    """A setup with a map, in blocks or brackets, with and without comments."""
    block, above, behind = (draw(st.booleans()) for _ in range(3))
    lines = ["map:" if control_map.entries else "map: []"]
    for index, one in enumerate(control_map.entries):
        first, *more = _pairs(line(one)) if block else [line(one)[2:]]
        lines += [f"  # above {index}"] * above
        lines += [f"  - {first}" + f" # behind {index}" * behind, *(f"    {pair}" for pair in more)]
    return "\n".join([*lines, "", "# below", "mode: solo", ""])


def _pairs(text: str) -> list[str]:
    """`- {a: 1, b: [2, 3]}` -> `a: 1`, `b: [2, 3]`."""
    pairs: list[str] = []
    for piece in text[3:-1].split(", "):
        if ": " in piece and not (pairs and pairs[-1].count("[") > pairs[-1].count("]")):
            pairs.append(piece)
        else:
            pairs[-1] += f", {piece}"
    return pairs
