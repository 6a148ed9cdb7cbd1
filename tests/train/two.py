"""One of two processes of a run: writes down what it has at the end. Started by torchrun from test_fit.py."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from train.config import FitConfig
from train.fit import Fit
from train.group import joined

config, report, *resume = sys.argv[1:]
with joined() as group:
    fit = Fit(FitConfig.load(Path(config)), group)
    if resume:
        fit.resume()
    fit.run()
    digest = hashlib.sha256()
    for parameter in fit.network.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    pieces = [hashlib.sha256(piece.tobytes()).hexdigest() for piece in fit.lanes.pieces]
    found = {"parameters": digest.hexdigest(), "pieces": pieces, "events": fit.events}
    Path(f"{report}{group.rank}").write_text(json.dumps(found))
