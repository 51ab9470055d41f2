"""The command for data sets: which are available, and how to get another."""

from __future__ import annotations

import argparse


def data(options: argparse.Namespace) -> int:
    """Prepare a data set, or say what is missing; without a name, list the available ones."""
    from landscape.data import available, pack, prepare, status

    if options.name is None:
        for name in available():
            print(status(name).text)
        return 0
    print(f"packed into {pack(options.name)}" if options.pack else prepare(options.name))
    return 0
