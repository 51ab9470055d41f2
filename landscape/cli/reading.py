"""The commands that read a stored result: show it, export it, report it."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from pathlib import Path

from landscape.cli.naming import named_result
from landscape.store.results import Store


def show(options: argparse.Namespace) -> int:
    """Print the numbers of a stored result."""
    dataset = named_result(options.name, Store(options.cache))
    from landscape.analysis.summary import summary
    from landscape.cli.tables import json_text, summary_text

    found = summary(dataset, options.q, options.n)
    print(json_text(found) if options.json else summary_text(found))
    return 0


def export(options: argparse.Namespace) -> int:
    """Write a stored result to a file for other programs."""
    target = _target(options.output, ".nc", ".csv")
    dataset = named_result(options.name, Store(options.cache))
    if target.suffix.lower() == ".nc":
        from landscape.store import netcdf

        content = netcdf.encode(dataset)
    else:
        from landscape.analysis.summary import csv_file, long_table

        content = csv_file(long_table(dataset, options.q, options.n).reset_index())
    _write(target, content)
    return 0


def report(options: argparse.Namespace) -> int:
    """Write a stored result as an HTML page for people who do not have this program."""
    target = _target(options.output, ".html")
    dataset = named_result(options.name, Store(options.cache))
    from landscape.cli.report import html_report

    _write(target, html_report(dataset, options.q, options.n).encode())
    return 0


def _target(path: str, *suffixes: str) -> Path:
    if Path(path).suffix.lower() not in suffixes:
        raise ValueError(f"the name of the output file must end in {' or '.join(suffixes)}; got {path!r}")
    return Path(path)


def _write(target: Path, content: bytes) -> None:
    """Write the whole file or nothing, and print its path. Raises ValueError."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):  # where nothing can be written, nothing can be removed
            temporary.unlink(missing_ok=True)
        raise ValueError(f"cannot write {target}: {error.strerror}") from None
    print(target)
