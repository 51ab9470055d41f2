"""The commands, their options, and what happens when one of them fails."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from landscape.cli import caching, listing, numbers, preparing, reading, scoring, watching
from landscape.cli.computing import every, one
from landscape.cli.saying import readable, say
from landscape.cli.signals import Stopped, stoppable
from landscape.jobs.attempt import WorkerDied
from landscape.jobs.installed import NotInstalled
from landscape.store.sealed import Unwritable
from landscape.study.presets import SCALES

USER_ERROR, FAILURE = 2, 1  # exit codes

PRESET = "a preset, as `list` shows it, or the path of a study's TOML file"
CACHE = "the folder of stored results (default: LANDSCAPE_CACHE, or cache/ of a checkout, or your own cache directory)"
STORED = (
    "a name, as `list` or the app shows it, or the path of a study's TOML file or of a result's NetCDF file, or the "
    "first four or more digits of a key"
)

Command: TypeAlias = Callable[[argparse.Namespace], int]
Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. An error is printed as one line, without a traceback."""
    _print_anything()
    if not (sys.argv[1:] if arguments is None else arguments):
        parser().print_help(sys.stderr)
        return USER_ERROR
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        with stoppable():
            return options.run(options)
    except ValueError as error:
        say("error", error)
        return USER_ERROR
    except (NotInstalled, Unwritable, WorkerDied, TimeoutError, one.ComputationError) as error:
        say("error", error)
        return FAILURE
    except BrokenPipeError:  # the reader of the output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except OSError as error:  # a folder of the computer that is not as it should be
        say("error", error)
        return FAILURE
    except Stopped as stopped:
        with suppress(OSError):  # the terminal may be gone
            print("Stopped. What is finished is kept; the same command continues from there.", file=sys.stderr)
        return stopped.code


def _print_anything() -> None:
    """Let a terminal that is not UTF-8 show `\\u03bb` instead of failing on λ."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class Parser(argparse.ArgumentParser):
    """One whose errors say no more of what was given than helps."""

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and what is wrong, and leave with the code of a user's error."""
        super().error(readable(message))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Raises SystemExit for `--option=--`, of which some versions of Python make an empty list."""
        arguments = sys.argv[1:] if args is None else args
        if nothing := next((each for each in arguments if each.startswith("--") and each.endswith("=--")), None):
            self.error(f"argument {nothing[:-3]}: expected a value")
        return super().parse_known_args(args, namespace)


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    top = Parser(
        prog="landscape" if Path(sys.argv[0]).stem == "landscape" else "python -m landscape",
        description="Predict whether widening or deepening a network pays off, from the manifold of its connected "
        "minima.",
    )
    subparsers = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        _add_list,
        _add_run,
        _add_show,
        _add_export,
        _add_report,
        _add_scorecard,
        _add_data,
        _add_cache,
        _add_jobs,
        _add_gallery,
        _add_engine,
    ):
        command = add(subparsers)
        command.add_argument("--cache", metavar="DIR", help=CACHE)
    return top


def _add_command(subparsers: Subparsers, name: str, run: Command, text: str) -> argparse.ArgumentParser:
    command = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.set_defaults(run=run)
    return command


def _add_list(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "list the presets, the stored results and the unfinished studies, with the time each took or would take here"
    command = _add_command(subparsers, "list", listing.list_studies, text)
    command.add_argument("--json", action="store_true", help="print a JSON list")
    return command


def _add_run(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "compute a study and store its result; if it is stored already, just show it"
    command = _add_command(subparsers, "run", every.run, text)
    command.add_argument("name", metavar="NAME", nargs="?", help=PRESET)
    command.add_argument("--all", action="store_true", help="every preset, what takes least time first")
    command.add_argument("--scale", choices=SCALES, help="with --all, the presets at this scale (default: laptop)")
    command.add_argument("--seeds", type=numbers.size, metavar="N", help="how often the whole study is repeated")
    command.add_argument(
        "--epochs", type=numbers.size, metavar="N", help="the most epochs of training, before and after the expansion"
    )
    command.add_argument("--train-size", type=numbers.size, metavar="N", help="the number of training examples")
    command.add_argument("--permutations", type=numbers.size, metavar="N", help="the number of steps in each walk")
    command.add_argument(
        "--weights", metavar="FILE", help="a safetensors file with the trained base, instead of training one"
    )
    command.add_argument(
        "--vocabulary", metavar="FILE", help="the vocab.txt of a published BERT, in whose tokens the text is read"
    )
    place = command.add_mutually_exclusive_group()
    place.add_argument(
        "--workers",
        type=numbers.processes,
        metavar="N",
        help="how many processes share the study on a processor, which changes no number of it; 1: this one alone "
        "(default: as many as its cores, its memory and the size of the networks allow). A GPU is used by one",
    )
    place.add_argument(
        "--scheduler", metavar="ADDRESS", help="compute on a running Dask scheduler, such as tcp://host:8786"
    )
    command.add_argument("--json", action="store_true", help="print one line of JSON: key, path and seconds")
    return command


def _add_show(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "show each candidate's manifold metric and best gain in a stored result, and how the two correlate"
    command = _add_command(subparsers, "show", reading.show, text)
    command.add_argument("name", metavar="NAME", help=STORED)
    _add_metric_options(command)
    command.add_argument("--json", action="store_true", help="print JSON")
    return command


def _add_export(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "write a stored result to a file: all of it as NetCDF, or the metric and the gains as CSV"
    command = _add_command(subparsers, "export", reading.export, text)
    command.add_argument("name", metavar="NAME", help=STORED)
    command.add_argument("-o", "--output", required=True, metavar="FILE", help="a file that ends in .nc or .csv")
    _add_metric_options(command)
    return command


def _add_report(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "write a stored result as a single HTML page, with tables and figures, that opens anywhere"
    command = _add_command(subparsers, "report", reading.report, text)
    command.add_argument("name", metavar="NAME", help=STORED)
    command.add_argument("-o", "--output", required=True, metavar="FILE", help="a file that ends in .html")
    _add_metric_options(command)
    return command


def _add_scorecard(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "say of each claim of the paper what the shipped studies find: reproduced, contradicted, or not decided"
    command = _add_command(subparsers, "scorecard", scoring.scorecard, text)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON list")
    form.add_argument("--markdown", action="store_true", help="print a table in Markdown, one row a claim or study")
    command.add_argument(
        "--studies", action="store_true", help="one row a study: what gains, and which predictor knew; no claims"
    )
    return command


def _add_data(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "prepare a data set of tensorflow-datasets, or say what is missing; without a name, list what is available"
    command = _add_command(subparsers, "data", preparing.data, text)
    command.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="cifar10, wikitext-2, or any other set of images; or the path of data of your own",
    )
    command.add_argument(
        "--pack",
        action="store_true",
        help="write a prepared set of images into one file for machines without the reader",
    )
    return command


def _add_cache(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "list what the cache folder holds, verify it against its checksums, or prune it"
    command = _add_command(subparsers, "cache", caching.cache, text)
    command.add_argument(
        "action", choices=("list", "verify", "prune"), nargs="?", default="list", help="list if left out"
    )
    command.add_argument("--json", action="store_true", help="print a JSON list")
    prune = command.add_argument_group(
        "prune", "removes what is damaged and what processes that are gone have left, and as asked for:"
    )
    prune.add_argument(
        "--study", action="append", default=[], metavar="NAME", help="all of a study, by its name or its key"
    )
    prune.add_argument("--older-than", metavar="AGE", help="what has not changed for so long: 12h, 30d, 8w")
    prune.add_argument("--to-size", metavar="SIZE", help="the oldest, until all is no larger than so much: 500MB, 2GB")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    return command


def _add_jobs(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "show what is computed in the background: how far each study is, the time left, and why one failed"
    command = _add_command(subparsers, "jobs", watching.jobs, text)
    stop = command.add_mutually_exclusive_group()
    stop.add_argument("--cancel", metavar="NAME", help="stop a study soon, by its name or its key")
    stop.add_argument("--pause", metavar="NAME", help="the same; it is listed as paused until it goes on")
    stop.add_argument("--resume", metavar="NAME", help="go on with a study that was paused, cancelled, or failed")
    command.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler instead of the app's engine")
    command.add_argument("--json", action="store_true", help="print a JSON list")
    return command


def _add_gallery(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "put a preset's result into the gallery that ships with the repository, computing it if necessary"
    command = _add_command(subparsers, "gallery", one.gallery, text)
    command.add_argument("name", metavar="NAME", help="a preset, as `list` shows it")
    return command


def _add_engine(subparsers: Subparsers) -> argparse.ArgumentParser:
    text = "compute what the app asks for, until there is nothing left to do; the app starts this by itself"
    command = _add_command(subparsers, "engine", one.engine, text)
    command.add_argument(
        "--idle",
        type=numbers.seconds,
        default=600.0,
        metavar="SECONDS",
        help="stop after this long without work (default: 600)",
    )
    return command


def _add_metric_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--q", type=numbers.quantile, default=0.4, help="the quantile that sets λ, between 0 and 1 (default: 0.4)"
    )
    command.add_argument("--n", type=numbers.steps, help="how many steps of each walk count (default: all of them)")
