"""A setup's text with a knob more in it, and everything else, comments too, as it was.

The only import of ruamel.yaml, which keeps comments, but not all: they are moved by hand where an entry comes or
goes, and a result that has lost one, or says anything that it should not, is refused.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.tokens import CommentToken

from liveperf.config import Config, ConfigError, find_map, parse
from liveperf.knobs import SOURCES, Entry


def line(entry: Entry) -> str:
    """An entry as a line of a setup's map."""
    said = ", ".join(f"{key}: {_scalar(value)}" for key, value in entry.settings().items())
    return f"- {{{said}}}"


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value}"


def rewritten(text: str, path: Path, entry: Entry, replaced: list[Entry]) -> str:
    """A setup's text with an entry more, and without those that it replaces; all else in it is as it was.

    path: of the setup, for messages, and for maps named in it. ConfigError: it cannot be done without a loss.
    """
    before = parse(text, path)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # no line is broken
    try:
        data = yaml.load(text)
    except YAMLError as error:  # it is stricter than what reads the setup
        raise _refusal(path, entry, " ".join(str(error).split())) from error
    if data is None:  # comments at most, which the library would lose
        entries = [*(one for one in before.map.entries if one not in replaced), entry]
        after = "\n".join([*text.splitlines(), "map:", *(f"  {line(one)}" for one in entries), ""])
    else:
        offset = _edit(yaml, data, before, path.parent, entry, replaced)
        yaml.indent(sequence=offset + 2, offset=offset)
        stream = io.StringIO()
        yaml.dump(data, stream)
        after = stream.getvalue()
    if "\r\n" in text:
        after = after.replace("\r\n", "\n").replace("\n", "\r\n")
    _check(before, text, after, path, entry, replaced)
    return after


def _check(before: Config, text: str, after: str, path: Path, entry: Entry, replaced: list[Entry]) -> None:
    """See that a new text says what it should, and that no comment is lost; else ConfigError."""
    try:
        config = parse(after, path)
    except ConfigError as error:
        raise _refusal(path, entry, str(error)) from error
    gone = [comment for comment in re.findall(r"(?<!\S)#.*\S", text) if comment not in after]
    if gone:
        raise _refusal(path, entry, f"it would lose {gone[0]!r}")
    expected = {one for one in before.map.entries if one not in replaced} | {entry}
    if set(config.map.entries) != expected or replace(config, map=before.map) != before:
        raise _refusal(path, entry, "something else would change")


def _refusal(path: Path, entry: Entry, why: str) -> ConfigError:
    return ConfigError(f"{path}: cannot write this in ({why}); put it under `map:` yourself: {line(entry)}")


def _edit(
    yaml: YAML, data: CommentedMap, before: Config, folder: Path, entry: Entry, replaced: list[Entry]
) -> int:
    """Change a loaded setup; returns the column where the entries of its map begin."""
    said, knobs, column = data.get("map"), data.get("knobs", {}), 2
    if isinstance(said, str):  # a map's name or file: what is in it is written out
        said = data["map"] = yaml.load(find_map(said, folder).read_text(encoding="utf-8"))
    elif said is None:
        ours = () if "knobs" in data else before.map.entries
        said = data["map"] = CommentedSeq([_flow(one) for one in ours])
    elif len(said) and not said.fa.flow_style():
        column = said.lc.col
    places: list[tuple[Any, Any]] = [
        *((said, index) for index in range(len(said))),
        *((knobs, key) for key in knobs),
    ]
    taken = [place for one, place in zip(before.map.entries, places, strict=True) if one in replaced]
    plain = entry.settings().keys() == {"cc", "to"}  # the only kind that `knobs` can have
    slot = next((place for place in taken if place[0] is said or plain), None)
    for place in reversed(taken):
        if place is not slot:
            _remove(*place)
    if slot is None:
        said.append(_flow(entry))
        if len(said) > 1:
            _give(said, len(said) - 1, _take_tail(said, len(said) - 2))
    elif slot[0] is said:
        _refill(said, slot[1], entry)
    else:
        _rename(knobs, slot[1], entry.number, entry.to)
    for key, left in (("map", said), ("knobs", knobs)):
        if key in data and not left:
            _remove(data, key)
    return column


def _flow(entry: Entry) -> CommentedMap:
    """An entry as `{cc: 1, to: density}`."""
    item = CommentedMap()
    for key, value in entry.settings().items():
        item[key] = CommentedSeq(value) if isinstance(value, list) else value
        if isinstance(value, list):
            item[key].fa.set_flow_style()
    item.fa.set_flow_style()
    return item


def _refill(entries: CommentedSeq, index: int, entry: Entry) -> None:
    """Make an entry of the setup another one, in place."""
    new, below, item = _flow(entry), _take_tail(entries, index), entries[index]
    _rename(item, [key for key in item if key in SOURCES][0], entry.source, new[entry.source])
    for key in [key for key in item if key not in new]:
        _remove(item, key)
    for key, value in new.items():
        if item.get(key) != value:
            item[key] = value
    _give(entries, index, below)


# The library keeps a comment with what it follows, up to the next key or item: at the deepest last one. Only after
# brackets, where the line ends without one, it keeps those below in a list at the next.


def _place(holder: Any, key: Any) -> tuple[Any, Any, int]:
    """Where the comment after a key or item is kept: whose, under which key, at which index of a list there."""
    value = holder[key]
    if isinstance(value, (CommentedMap, CommentedSeq)) and len(value) and not value.fa.flow_style():
        return _place(value, list(value)[-1] if isinstance(value, CommentedMap) else len(value) - 1)
    return holder.ca.items, key, 2 if isinstance(holder, CommentedMap) else 0


def _token(holder: Any, key: Any) -> Any:
    """The comment after a key or item, as the library has it; or None."""
    items, last, slot = _place(holder, key)
    return items[last][slot] if last in items else None


def _take(holder: Any, key: Any) -> str:
    """Take away the comment after a key or item: the rest of its line, and the lines below."""
    token = _token(holder, key)
    if token is None:
        return ""
    items, last, slot = _place(holder, key)
    items[last][slot] = None
    value = holder[key]
    if hasattr(value, "ca") and value.ca.comment:  # a list in brackets knows it, too
        value.ca.comment[0] = None
    return str(token.value)


def _take_tail(holder: Any, key: Any) -> str:
    """Take away the comment lines below a key or item; the one on its own line stays."""
    token = _token(holder, key)
    head, newline, tail = ("" if token is None else str(token.value)).partition("\n")
    if head:
        token.value = head + newline
    else:
        _take(holder, key)
    return newline + tail if tail else ""


def _give(holder: Any, key: Any, text: str) -> None:
    """Add a comment after a key or item."""
    token = _token(holder, key)
    if token is not None:
        token.value = str(token.value) + text.removeprefix("\n")
    elif text:
        items, last, slot = _place(holder, key)
        items.setdefault(last, [None] * 4)[slot] = CommentToken(text, CommentMark(0), None)


def _remove(holder: Any, key: Any) -> None:
    """Take a key or item away; the comments above, in and below it go on to the one before."""
    keys = list(holder) if isinstance(holder, CommentedMap) else list(range(len(holder)))
    lists = [tokens for tokens in holder.ca.items.get(key, ()) if isinstance(tokens, list)]
    text = "".join(" " * token.column + token.value for tokens in lists for token in tokens)
    if isinstance(holder[key], CommentedMap):
        text += "".join(_take(holder[key], each) for each in holder[key])
    text += _take(holder, key)
    position = keys.index(key)
    del holder[key]
    if text and position:
        _give(holder, keys[position - 1], text if text.startswith("\n") else f"\n{text}")


def _rename(mapping: CommentedMap, old: Any, new: Any, value: Any) -> None:
    """Put another key and value in a key's place; a comment after it stays."""
    position, comment = list(mapping).index(old), mapping.ca.items.pop(old, None)
    del mapping[old]
    mapping.insert(position, new, value)
    if comment:
        mapping.ca.items[new] = comment
