"""The command line: `python -m landscape`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TypeAlias

from landscape.cli import commands
from landscape.store.sealed import Unwritable

USER_ERROR, FAILURE, INTERRUPTED = 2, 1, 130  # exit codes

PRESET = "a preset, as `list` shows them, or the path of a study's TOML file"
STORED = f"{PRESET}, or of a result's NetCDF file, or the first four or more digits of a key"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. What went wrong is told in a line, without a traceback."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        return options.run(options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except (Unwritable, commands.ComputationError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILURE
    except BrokenPipeError:  # whoever read the output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except KeyboardInterrupt:
        print("stopped; what is finished is kept, and the same command goes on from there", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    top = argparse.ArgumentParser(
        prog="python -m landscape",
        description="Predict whether widening or deepening a network pays, from the manifold of its connected minima.",
    )
    commands_of = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_list, _run, _show, _export, _report, _data, _gallery, _engine):
        command = add(commands_of)
        command.add_argument("--cache", metavar="DIR", help="the folder of stored results (default: cache/)")
    return top


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands_of: Commands, name: str, run: object, text: str) -> argparse.ArgumentParser:
    command = commands_of.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.set_defaults(run=run)
    return command


def _list(commands_of: Commands) -> argparse.ArgumentParser:
    command = _command(
        commands_of,
        "list",
        commands.list_studies,
        "list presets, stored results and studies begun: what each reproduces, and how long it took or would take here",
    )
    command.add_argument("--json", action="store_true", help="print a JSON list")
    return command


def _run(commands_of: Commands) -> argparse.ArgumentParser:
    text = "compute a study and store it; where it is stored already, only show it"
    command = _command(commands_of, "run", commands.run, text)
    command.add_argument("name", metavar="NAME", help=PRESET)
    command.add_argument("--seeds", type=int, metavar="N", help="how many times everything is repeated")
    command.add_argument(
        "--epochs", type=int, metavar="N", help="most epochs of training: of the base, and after the expansion"
    )
    command.add_argument("--train-size", type=int, metavar="N", help="how many training examples are used")
    command.add_argument("--permutations", type=int, metavar="N", help="steps of each walk")
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="compute on a running Dask scheduler, as tcp://host:8786"
    )
    command.add_argument("--json", action="store_true", help="end with one line of JSON: key, path, seconds")
    return command


def _show(commands_of: Commands) -> argparse.ArgumentParser:
    text = "show the manifold metric and the best gain of each candidate of a stored result, and how they correlate"
    command = _command(commands_of, "show", commands.show, text)
    command.add_argument("name", metavar="NAME", help=STORED)
    _add_metric_options(command)
    command.add_argument("--json", action="store_true", help="print JSON")
    return command


def _export(commands_of: Commands) -> argparse.ArgumentParser:
    text = "write a stored result to a file: everything as NetCDF, or the metric and the gains as CSV"
    command = _command(commands_of, "export", commands.export, text)
    command.add_argument("name", metavar="NAME", help=STORED)
    command.add_argument("-o", "--output", required=True, metavar="FILE", help="a file that ends in .nc or .csv")
    _add_metric_options(command)
    return command


def _report(commands_of: Commands) -> argparse.ArgumentParser:
    text = "write a stored result as one HTML page with its tables and figures, which opens anywhere"
    command = _command(commands_of, "report", commands.report, text)
    command.add_argument("name", metavar="NAME", help=STORED)
    command.add_argument("-o", "--output", required=True, metavar="FILE", help="a file that ends in .html")
    _add_metric_options(command)
    return command


def _data(commands_of: Commands) -> argparse.ArgumentParser:
    text = "prepare a data set of tensorflow-datasets, or say what is missing; without a name, list those that are here"
    command = _command(commands_of, "data", commands.data, text)
    command.add_argument("name", metavar="NAME", nargs="?", help="as cifar10, wikitext-2, or any image set by name")
    return command


def _gallery(commands_of: Commands) -> argparse.ArgumentParser:
    text = "put a preset's result into the gallery that is shipped with the repository, computing it if need be"
    command = _command(commands_of, "gallery", commands.gallery, text)
    command.add_argument("name", metavar="NAME", help="a preset, as `list` shows them")
    return command


def _engine(commands_of: Commands) -> argparse.ArgumentParser:
    text = "compute what the app asks for, until idle; the app starts this by itself"
    command = _command(commands_of, "engine", commands.engine, text)
    command.add_argument("--idle", type=float, default=600.0, metavar="SECONDS", help="end after so long without work")
    return command


def _add_metric_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--q", type=float, default=0.4, help="the quantile that sets λ, from 0 to 1 (default: 0.4)")
    command.add_argument("--n", type=int, help="how many steps of each walk count (default: all computed)")


if __name__ == "__main__":
    sys.exit(main())
