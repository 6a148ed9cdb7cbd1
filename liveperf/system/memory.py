"""How much memory the process takes."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


def resident_mb() -> float | None:
    """Resident memory now (Linux) or at its highest (macOS), MB; None where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    with contextlib.suppress(ImportError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(most / 1e6 if sys.platform == "darwin" else most / 1e3, 1)
    return None
