"""liveperf: a live neural MIDI instrument."""

__version__ = "0.1.0"
