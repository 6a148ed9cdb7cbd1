"""liveperf: a live neural MIDI instrument."""

import os

# ONNX Runtime would send usage data to its makers; an instrument talks to nobody. Before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
