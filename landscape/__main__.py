"""`python -m landscape`: the command line."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C before `main` listens to it: nothing has begun, so no traceback

from landscape.cli.parser import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
