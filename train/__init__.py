"""Training: prepare a corpus, fit a network, evaluate it, export a bundle. torch lives here."""

import liveperf as liveperf  # before onnxruntime: it sees to the environment
