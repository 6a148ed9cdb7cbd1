"""MIDI ports: found, opened, watched, and opened again. The only import of rtmidi.

The wheels of python-rtmidi carry a JACK library of their own, which knows jackd alone. Where JACK programs use
PipeWire's instead, RtMidi is to use it too: of several, it calls the one that is loaded first for all to see.
"""

import contextlib
import ctypes
import sys

if sys.platform == "linux":
    with contextlib.suppress(OSError, AttributeError):  # there is none, or a very old one
        version = ctypes.CDLL("libjack.so.0").jack_get_version_string
        version.restype = ctypes.c_char_p
        if b"PipeWire" in (version() or b""):
            ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)
