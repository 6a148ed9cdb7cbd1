"""The instrument's life in one process: what it does as it is asked to, as it fails, and as it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import pytest

from liveperf import daemon
from liveperf.clock import sleep
from liveperf.daemon import DaemonError, Life
from liveperf.errors import FAILED
from liveperf.midi import ports
from liveperf.params import Params
from liveperf.playing.instrument import Ask, Instrument
from liveperf.recording import recordings
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import RecordError
from liveperf.setup.config import Config, ConfigError
from liveperf.system import places
from liveperf.system.lock import Lock
from liveperf.system.notify import Notifier
from liveperf.voices import ALL_NOTES_OFF
from tests.bands import Band, by_hand
from tests.messages import control, off, on
from tests.recordings import DUET, record
from tests.world import World

ROOT = Path(__file__).parents[1]
SYNTH = "Big synth"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """The MIDI system that `play` finds, and a synth in it."""
    world: Any = World("fake")
    world.looking = True  # the rack looks in a thread of its own
    world.plug(SYNTH)
    monkeypatch.setattr(ports, "choose", lambda name: world)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return world  # type: ignore[no-any-return]


def life(read: Callable[[], Config] | None = None, **how: Any) -> Life:
    config = Config(output=("synth",), port=0, keep_mb=0, params=Params(mode="solo", density=16.0))
    read = read or (lambda: config)
    return Life(read(), read, 1, **how)


def at_first(monkeypatch: pytest.MonkeyPatch, do: Callable[[Instrument], None]) -> None:
    """Do something with the instrument as soon as it has begun."""
    begin = Instrument.begin

    def begun(self: Instrument) -> None:
        begin(self)
        do(self)

    monkeypatch.setattr(Instrument, "begin", begun)


def until_it_plays(world: World) -> None:
    while not world.devices[SYNTH].held:
        sleep(0.01)


def test_a_fault_of_its_own_is_a_line_and_every_note_ends(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: Instrument) -> bool:
        until_it_plays(world)
        raise ZeroDivisionError("no such thing")

    monkeypatch.setattr(Instrument, "look", broken)
    with pytest.raises(DaemonError, match="give up"):
        daemon.play(life())
    said = capsys.readouterr().err
    assert "ZeroDivisionError: no such thing (test_daemon.py, line " in said and "Traceback" not in said
    assert not world.devices[SYNTH].held and not world.opened


def test_what_goes_wrong_with_an_errand_does_not_stop_the_music(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def errands(instrument: Instrument) -> None:
        instrument.inbox.put(lambda: 1 / 0)  # type: ignore[arg-type]
        instrument.inbox.put(Ask("preset", "nowhere.yaml"))
        instrument.inbox.put("something to read")
        instrument.inbox.put(instrument.stop)  # after all that, for a stop itself comes first

    at_first(monkeypatch, errands)
    daemon.play(life())
    out, err = capsys.readouterr()
    assert "ZeroDivisionError" in err and "Traceback" not in err
    assert "nowhere.yaml" in out and "something to read" in out
    assert not world.opened


def test_ports_that_were_taken_meanwhile_are_closed_at_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.plug("Small synth")
    setups = [Config(output=(name,), port=0, keep_mb=0) for name in ("Big", "Small")]
    read = iter(setups)
    racks = []

    def taken(instrument: Instrument) -> None:
        racks.append(instrument.rack)
        instrument.reload()
        instrument.inbox.put(lambda: racks.append(instrument.rack))
        instrument.inbox.put(instrument.stop)

    at_first(monkeypatch, taken)
    daemon.play(life(lambda: next(read)))
    assert racks[0] is not racks[1] and not world.opened
    assert not any(loop.alive for rack in racks for loop in (rack.ear, rack.eye))


def test_a_setup_that_cannot_be_read_again_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = iter([life().setup])

    def setup() -> Config:
        for first in read:
            return first
        raise ConfigError("no such mood")

    def asked(instrument: Instrument) -> None:
        instrument.reload()
        instrument.inbox.put(instrument.stop)

    at_first(monkeypatch, asked)
    daemon.play(life(setup))
    assert "no such mood; everything stays as it was" in capsys.readouterr().err


class Bell(Notifier):
    """What the service manager is told."""

    def __init__(self) -> None:
        super().__init__({})
        self.said: list[str] = []

    def _tell(self, *lines: str) -> None:
        self.said += lines


@pytest.mark.parametrize("silent", ["", "engine", "output"])
def test_a_service_says_each_minute_how_it_is_and_that_its_output_lives(
    silent: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    by_hand(monkeypatch, caplog)
    band, bell = Band(params=Params(mode="solo", density=8.0)), Bell()
    band.until(lambda: band.synth.held)

    def look() -> bool:
        for name, thread in band.threads().items():
            thread.beats += name != silent
        return True

    monkeypatch.setattr(band.instrument, "look", look)
    notifier: Any = bell
    assert daemon._attend(life(service=True), band.instrument, band.clock, notifier, band.clock.now() + 130.0)
    lines = [line for line in caplog.messages if " notes in, " in line]
    assert len(lines) == 2 and "1 out, lateness p50 " in lines[0] and "0 out, 0 underruns" in lines[1]
    assert [line for line in bell.said if line.startswith("STATUS=")] == [f"STATUS={line}" for line in lines]
    rung = bell.said.count("WATCHDOG=1")
    assert rung <= 1 if silent == "output" else 1290 <= rung <= 1310


def test_a_terminal_is_told_no_minute(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    by_hand(monkeypatch, caplog)
    band = Band()
    monkeypatch.setattr(band.instrument, "look", lambda: True)
    assert daemon._attend(life(), band.instrument, band.clock, Bell(), band.clock.now() + 130.0)
    assert not caplog.messages


def test_what_a_thread_dies_of_is_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(instrument: Instrument) -> None:
        thread = threading.Thread(target=lambda: 1 / 0, name="a string")
        thread.start()
        thread.join()
        instrument.stop()

    at_first(monkeypatch, broken)
    daemon.play(life())
    said = [line for line in capsys.readouterr().err.splitlines() if "ZeroDivisionError" in line]
    assert len(said) == 1 and "the thread a string died: ZeroDivisionError" in said[0]


def test_a_setup_that_breaks_something_inside_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setups: Any = iter([life().setup])

    def read() -> Config:
        return next(setups, None) or _broken()

    def errands(instrument: Instrument) -> None:
        instrument.reload()
        instrument.inbox.put(instrument.stop)

    at_first(monkeypatch, errands)
    daemon.play(life(read))
    assert "OverflowError: too large (test_daemon.py, line " in capsys.readouterr().err


def _broken() -> Config:
    raise OverflowError("too large")


def test_a_signal_that_comes_while_it_starts_ends_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = ports.choose

    def chosen(name: str | None) -> ports.Backend:
        os.kill(os.getpid(), signal.SIGTERM)
        return choose(name)

    monkeypatch.setattr(ports, "choose", chosen)
    daemon.play(life())
    assert not world.devices[SYNTH].held and not world.opened


def test_at_its_end_nothing_interrupts_it_any_more(world: World) -> None:
    daemon.play(life(duration_s=0.0))
    assert all(signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGINT, signal.SIGTERM))


def test_a_stop_does_not_wait_for_the_presets_before_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []

    def asked(instrument: Instrument) -> None:
        for _ in range(100):
            instrument.preset("duet")
            instrument.preset("toccata")
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Instrument, "turn_to", lambda self, action: taken.append(action))
    at_first(monkeypatch, asked)
    daemon.play(life())
    assert taken == [] and not world.opened


DIED = "what may still sound is ended where it plays"
SILENCE = [control(number, 0, channel=channel) for channel in range(16) for number in (64, 123, 120)]


def test_after_a_death_what_may_sound_is_ended_and_it_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.play(life(duration_s=0.0))
    assert DIED not in capsys.readouterr().out and SILENCE[0] not in world.devices[SYNTH].heard
    world.devices[SYNTH].heard.clear()
    left = Lock(places.runtime())._file
    left.write_text("who was killed could not take it away")
    daemon.play(life(duration_s=0.0))
    assert capsys.readouterr().out.count(DIED) == 1
    assert world.devices[SYNTH].heard[: len(SILENCE)] == SILENCE
    assert not left.exists()
    daemon.play(life(duration_s=0.0))
    assert DIED not in capsys.readouterr().out


def test_a_synth_that_went_as_it_ended_is_put_right_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unplugged(instrument: Instrument) -> None:
        until_it_plays(world)
        world.unplug(SYNTH)
        instrument.stop()

    with monkeypatch.context() as patch:
        at_first(patch, unplugged)
        daemon.play(life())
    assert world.devices[SYNTH].held
    world.plug(SYNTH)
    for ends in (True, False):  # the second time all is as it should be
        capsys.readouterr()
        world.devices[SYNTH].heard.clear()
        daemon.play(life(duration_s=0.0))
        assert (control(ALL_NOTES_OFF, 0) in world.devices[SYNTH].heard) is ends
        assert ("what may still sound is ended" in capsys.readouterr().out) is ends


def test_after_a_power_cut_the_recording_tells(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record(places.recordings(), DUET, ended=False)
    kept = replace(life().setup, keep_mb=1)
    daemon.play(life(lambda: kept, duration_s=0.0))
    assert capsys.readouterr().out.count(DIED) == 1
    assert world.devices[SYNTH].heard[: len(SILENCE)] == SILENCE
    daemon.play(life(lambda: replace(kept, name="left"), duration_s=0.0))  # it has recorded nothing
    assert DIED not in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no hang-up on Windows")
def test_a_hang_up_that_nohup_keeps_away_is_kept_away() -> None:
    hang_up = signal.SIGHUP
    before = signal.signal(hang_up, signal.SIG_IGN)
    try:
        with daemon._signals(service=False) as inbox:
            os.kill(os.getpid(), hang_up)
            assert inbox.empty() and signal.getsignal(hang_up) is signal.SIG_IGN
        with daemon._signals(service=True) as inbox:
            os.kill(os.getpid(), hang_up)
            assert inbox.get(timeout=5) == Ask("reload")
    finally:
        signal.signal(hang_up, before)


def pitches(path: Path) -> list[int]:
    """What the human played."""
    return [message.note for message in mido.MidiFile(path).tracks[0] if message.type == "note_on"]


def jam(instrument: Instrument) -> None:
    for message in (on(60), off(60)):
        instrument.traffic.receive(message)
    instrument.stop()


def test_a_recording_that_cannot_be_written_is_kept_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()

    def gone(instrument: Instrument) -> None:
        jam(instrument)
        folder.rmdir()

    at_first(monkeypatch, gone)
    with pytest.raises(DaemonError, match=r"cannot record to .*; what was played is in ") as raised:
        daemon.play(life(record=folder / "jam.mid"))
    kept = Path(str(raised.value).split("what was played is in ")[1])
    recordings.export(sorted(kept.iterdir()), tmp_path / "saved.mid")
    assert pitches(tmp_path / "saved.mid") == [60]
    assert not world.opened


def test_a_recording_is_written_after_a_fault_too(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fault(instrument: Instrument) -> None:
        jam(instrument)
        raise RuntimeError("a broken string")

    at_first(monkeypatch, fault)
    with pytest.raises(DaemonError):
        daemon.play(life(record=tmp_path / "jam.mid"))
    assert pitches(tmp_path / "jam.mid") == [60]


def test_without_room_for_what_is_temporary_it_does_not_start(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(RecordError, match=r"cannot keep what is for .*jam\.mid: No such file.*; see to TMPDIR"):
        daemon.play(life(record=tmp_path / "jam.mid"))
    assert not world.opened


def test_a_disk_that_does_not_answer_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(self: Journal) -> bool:
        return False

    def export(files: object, out: Path, whole: bool) -> None:
        raise RecordError("cannot read it")

    monkeypatch.setattr(Journal, "stop", stopped)
    monkeypatch.setattr(recordings, "export", export)
    with pytest.raises(DaemonError, match="cannot read it"):
        daemon.play(life(record=tmp_path / "jam.mid", duration_s=0.0))
    assert "the disk does not answer" in capsys.readouterr().err


HANGS = """
import threading
from liveperf.midi import ports
from liveperf.cli import main
from tests.world import Opened, World
world = World("fake")
world.looking = True
world.plug("Big synth")
ports.choose = lambda name: world
Opened.close = lambda port: threading.Event().wait()
main()
"""


STANDS_STILL = """
import os
from liveperf.cli import main
from liveperf.midi import ports
from liveperf.playing.instrument import Instrument
from tests.world import Opened, World
world = World("fake")
world.looking = True
world.plug("Big synth")
ports.choose = lambda name: world
def end(instrument, end=Instrument.end):
    world.frozen = True
    return end(instrument)
Instrument.end = end
def close(port):
    raise SystemExit("it would have hung")
Opened.close = close
main()
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_system_that_stands_still_is_left_as_it_is_and_that_is_said(tmp_path: Path, fails: bool) -> None:
    out = tmp_path / "takes" / "jam.mid"
    out.parent.mkdir()
    program = STANDS_STILL
    if fails:
        program = program.replace("world.frozen = True", f"world.frozen = not os.rmdir({str(out.parent)!r})")
    options = ("play", "--out", "synth", "--port", "0", "--duration", "0", "--record", str(out))
    done = subprocess.run(
        [sys.executable, "-c", program, *options], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    said = done.stderr.splitlines()
    assert "stands still: its ports are left open" in said[0]
    assert done.returncode == (FAILED if fails else 0) and out.exists() is not fails
    assert len(said) == 1 + fails and ("cannot record to" in said[-1]) is fails


def test_ports_that_cannot_be_closed_do_not_keep_it(tmp_path: Path) -> None:
    out = tmp_path / "jam.mid"
    options = ("play", "--out", "synth", "--port", "0", "--duration", "0", "--record", str(out))
    done = subprocess.run(
        [sys.executable, "-c", HANGS, *options], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == FAILED and done.stderr == ""
    assert "0 notes in, 0 out" in done.stdout and out.exists()
