"""A setup's text with a knob more or less in it, and everything else, comments too, as it was.

The only import of ruamel.yaml, which keeps comments, but not all: they are moved by hand where one entry takes the
place of others, and a result that has lost one, or says anything that it should not, is refused. To take an entry
out, it only says where the entry is: what is left is the text as it was.
"""

from __future__ import annotations

import io
import re
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.tokens import BlockEntryToken, CommentToken, FlowEntryToken, ValueToken

from liveperf.mapping.knobs import Entry
from liveperf.mapping.sources import SOURCES
from liveperf.setup.config import Config, ConfigError, find_map, parse


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


# Without an entry: the library only says where it is in the text.


def removed(text: str, path: Path, entry: Entry) -> str:
    """A setup's text without an entry: its lines go, with the comments on them, and no other byte changes.

    A map's name is written out, and so is the default map. path: as `rewritten` has it. ConfigError: it is not in
    there, or cannot be taken out without a loss.
    """
    before = parse(text, path)
    left = [one for one in before.map.entries if one != entry]
    try:
        after = _without(text, path.parent, left, before.map.entries.index(entry))
        config = parse(after, path)
    except (ConfigError, YAMLError, ValueError, LookupError) as error:
        raise _stays(path, entry, " ".join(str(error).split())) from error
    if set(config.map.entries) != set(left) or replace(config, map=before.map) != before:
        raise _stays(path, entry, "something else would change")
    return after


def _stays(path: Path, entry: Entry, why: str) -> ConfigError:
    return ConfigError(f"{path}: cannot take this out ({why}); do it yourself: {line(entry)}")


def _reader() -> YAML:
    return YAML(typ="safe", pure=True)


def _without(text: str, folder: Path, left: list[Entry], index: int) -> str:
    """A text without one of its entries, those of `map` and then those of `knobs`; left: all the others."""
    newline = "\r\n" if "\r\n" in text else "\n"
    root = _reader().compose(text)
    nodes = {} if root is None else {key.value: value for key, value in root.value}
    if not nodes.keys() & {"map", "knobs"}:  # it has the default
        lines = ["map:" if left else "map: []", *(f"  {line(one)}" for one in left), ""]
        return text + ("" if not text or text.endswith("\n") else newline) + newline.join(lines)
    said, count = nodes.get("map"), 0
    if said is not None and said.id == "scalar":
        listed = find_map(said.value, folder).read_text(encoding="utf-8")
        count = len(_reader().compose(listed).value)
        if index < count:
            return _without(_written_out(text, said, listed, newline), folder, left, index)
    elif said is not None:
        count = len(said.value)
    return _cut(text, said, index) if index < count else _cut(text, nodes["knobs"], index - count)


def _written_out(text: str, name: Any, listed: str, newline: str) -> str:
    """A text with a map in the place of its name, below a comment on the line."""
    colon, end = text.rindex(":", 0, name.start_mark.index) + 1, name.end_mark.index
    below = text.find("\n", end) + 1 or len(text)
    rest = text[end:below].rstrip("\r\n") + newline
    lines = textwrap.indent(listed.strip("\n"), "  ").splitlines()
    return text[:colon] + rest + newline.join([*lines, ""]) + text[below:]


def _cut(text: str, holder: Any, index: int) -> str:
    """A text without an item of a list, or without a key of a table and its value."""
    tokens = [one for one in _reader().scan(text) if one.start_mark.index < one.end_mark.index]
    spans = _spans(tokens, holder)
    start, end, behind = spans[index]
    before, after = spans[:index][-1:], spans[index + 1 :][:1]
    if holder.flow_style and after and "\n" not in text[end : after[0][0]]:
        return text[:start] + text[after[0][0] :]
    if holder.flow_style and before and "\n" not in text[before[0][1] : start]:
        return text[: before[0][1]] + text[end:]
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", behind) + 1 or len(text)
    if text[first:start].strip() or not re.fullmatch(r"\s*(#.*)?\s*", text[behind:last]):
        return text[:start] + text[behind:]  # brackets are on its line
    if holder.flow_style or len(spans) > 1:
        return text[:first] + text[last:]
    colons = [one.end_mark.index for one in tokens if isinstance(one, ValueToken)]
    colon = max(one for one in colons if one <= start)
    return text[:colon] + (" []" if holder.id == "sequence" else " {}") + text[colon:first] + text[last:]


def _spans(tokens: list[Any], holder: Any) -> list[tuple[int, int, int]]:
    """Of each item: where it begins and ends in the text, and where the comma behind it does, if there is one."""
    starts = [(one[0] if holder.id == "mapping" else one).start_mark.index for one in holder.value]
    if holder.id == "sequence" and not holder.flow_style:
        dashes = [one.start_mark.index for one in tokens if isinstance(one, BlockEntryToken)]
        starts = [max(dash for dash in dashes if dash < start) for start in starts]
    spans = []
    for start, limit in zip(starts, [*starts[1:], holder.end_mark.index - bool(holder.flow_style)], strict=True):
        inside = [one for one in tokens if start <= one.start_mark.index < limit]
        behind = inside.pop() if isinstance(inside[-1], FlowEntryToken) else inside[-1]
        spans.append((start, inside[-1].end_mark.index, behind.end_mark.index))
    return spans
