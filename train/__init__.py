"""Training: prepare a corpus, fit a network, evaluate it, export a bundle. torch lives here."""
