"""`python -m liveperf`, and the command `liveperf`.

Until `main` has begun, and while it imports what takes long, Ctrl-C ends the program without a word, as the system
does it: Python would print a traceback, and a compiled module that is interrupted makes a fault of it.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it ignored
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from liveperf.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
