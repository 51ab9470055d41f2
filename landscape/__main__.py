"""`python -m landscape`: the command line."""

import sys

from landscape.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
