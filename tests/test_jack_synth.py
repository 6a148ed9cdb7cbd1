"""A real synthesizer at the other end: FluidSynth, connected over JACK, makes sound of what is played."""

from __future__ import annotations

import contextlib
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.jack import Instrument, missing, need, port_names, until

pytestmark = pytest.mark.jack

RATE = 48_000
FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts")


def sound_font() -> Path:
    """A sound font, the smallest that there is."""
    found = [file for folder in FOLDERS for file in Path(folder).glob("*.sf[23]")]
    if not found:
        missing("a sound font (Debian: fluid-soundfont-gm)")
    return min(found, key=lambda file: file.stat().st_size)


@contextlib.contextmanager
def fluidsynth(recording: Path) -> Iterator[str]:
    """FluidSynth with a MIDI port, recording in real time, and the port's name. The file is whole at the end."""
    settings = {"audio.file.name": recording, "audio.file.type": "wav", "synth.sample-rate": RATE}
    command = [need("fluidsynth"), "--quiet", "-a", "file", "-m", "jack", "-o", "midi.jack.id=fluidtest"]
    for name, value in settings.items():
        command += ["-o", f"{name}={value}"]
    process = subprocess.Popen(
        [*command, str(sound_font())], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        names = until(lambda: [n for n in port_names() if n.startswith("fluidtest")], 20, "FluidSynth has a port")
        yield names[0]
        process.communicate(b"quit\n", timeout=10)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def loudness(recording: Path) -> NDArray[np.float64]:
    """Root mean square of each 50 ms, of 1."""
    with wave.open(str(recording)) as file:
        assert (file.getsampwidth(), file.getframerate()) == (2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15
        size = file.getnchannels() * RATE // 20
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    return np.asarray(np.sqrt((frames**2).mean(axis=1)))


def test_fluidsynth_renders_what_it_plays(jack: str, tmp_path: Path) -> None:
    recording = tmp_path / "take.wav"
    with fluidsynth(recording) as port:
        instrument = Instrument(tmp_path, "--mode", "solo", "--out", port, "--duration", "3")
        try:
            instrument.ready()
            assert f"playing to {port}" in instrument.out
            assert instrument.ended(10) == 0
        finally:
            instrument.end()
    level = loudness(recording)
    assert level[0] < 1e-4, "it sounds before anything was played"
    assert level.max() > 3e-3, "the recording is silent"
    assert (level > 1e-3).sum() > 20, "less than a second of three sounds"
