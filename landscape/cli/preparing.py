"""The command for data sets: which are available, and how to get another."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def data(options: argparse.Namespace) -> int:
    """Prepare a data set or say what is missing, say what lies at a path, or list the available sets."""
    from landscape.data import available, own, pack, prepare, status

    if options.name is None:
        for name in available():
            print(status(name).text)
        return 0
    if _is_path(options.name):
        if options.pack:
            raise ValueError(f"--pack is for sets of tensorflow-datasets; a study reads {options.name} as it is")
        print(own.summary_line(Path(options.name)))
        return 0
    print(f"packed into {pack(options.name)}" if options.pack else prepare(options.name))
    return 0


def _is_path(name: str) -> bool:
    """Whether this is data of one's own: a file, or a folder, unless a set that is here has its name."""
    from landscape.data import available

    found = os.path.isfile(name) or (os.path.isdir(name) and name not in available())  # false for a name too long
    return found or Path(name).suffix in (".npz", ".txt")
