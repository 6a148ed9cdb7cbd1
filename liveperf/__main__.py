"""`python -m liveperf`: the same as the command `liveperf`."""

from liveperf.cli import main

if __name__ == "__main__":
    main()
