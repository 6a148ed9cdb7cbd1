"""What the README shows is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from liveperf import cli
from liveperf.mapping.sources import SOURCES
from liveperf.model import bundle
from liveperf.params import Params
from liveperf.setup import config

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`?bin/liveperf ([a-z][^`\n#]*)", TEXT)))


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_shown_is_one_that_it_takes(line: str) -> None:
    verb, *arguments = shlex.split(line)
    command = cli.commands.commands[verb]
    if "-h" not in arguments:
        given = [a for a in arguments if a != "[--json FILE]"]
        context = command.make_context(verb, given, help_option_names=["-h", "--help"])  # click keeps the first
        assert isinstance(context, click.Context)


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[a-z-]+)", TEXT))))
def test_every_option_named_exists(option: str) -> None:
    source = (ROOT / "tests/bench/__main__.py").read_text() + (ROOT / "train/__main__.py").read_text()
    known = {name for one in cli.commands.commands.values() for p in one.params for name in p.opts}
    assert option in known or f'"{option}"' in source


def test_the_config_shown_is_one_that_it_takes(tmp_path: Path) -> None:
    evening, desk = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "evening.yaml"
    file.write_text(evening)
    assert config.load(file).knobs[73] == "highest_pitch"
    file.write_text(desk)
    assert {one.source for one in config.load(file).map.entries} == set(SOURCES)


def test_the_default_knobs_are_those_shown() -> None:
    shown = re.search(r"CC (\d+) \(the mod wheel\) .*? CC (\d+) how adventurous it is, CC (\d+)\s+how loud", TEXT)
    assert shown
    assert {int(number) for number in shown.groups()} == set(config.Config().knobs)


def test_the_maps_named_are_those_that_ship() -> None:
    assert all(f"`{name}`" in TEXT for name in config.shipped_maps())


def test_every_parameter_shown_with_its_default_has_it() -> None:
    shown = dict(re.findall(r"`--(turn-gap-s|idle-start-s)` \(([0-9.]+) s", TEXT))
    assert {float(shown["turn-gap-s"]), float(shown["idle-start-s"])} == {
        Params().turn_gap_s,
        Params().idle_start_s,
    }


def test_the_model_s_scores_are_those_of_its_card() -> None:
    scores = bundle.load("maestro").card.scores["test_nats_per_event"]
    for precision in ("fp32", "int8"):
        assert f"{scores[precision]:.3f}" in TEXT


def block(name: str) -> str:
    """What lies between the marks of a table that a command has made."""
    return TEXT.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]


@pytest.mark.parametrize(("name", "command"), [("params", ["params"]), ("models", ["models"])])
def test_tables_are_what_their_commands_print(name: str, command: list[str]) -> None:
    result = CliRunner().invoke(cli.commands, [*command, "--markdown"])
    assert result.exit_code == 0
    assert block(name) == result.output.rstrip()


def test_every_file_named_is_there() -> None:
    named = re.findall(r"\]\(([\w/.-]+)\)", TEXT)
    named += re.findall(r"`((?:configs|tests|train|liveperf)/[\w/.]+)`", TEXT)
    for name in named:
        assert (ROOT / name).exists(), name
