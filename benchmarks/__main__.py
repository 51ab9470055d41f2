"""`python -m benchmarks NAME [--json] [--quick]`: run one benchmark and print its table."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

from landscape.cli.tables import table

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main() -> None:
    """A benchmark's `run(quick)` gives its rows, each a dictionary from column to value.

    Rows are told on stderr as they come, since some take minutes; the table comes last.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run one benchmark and print its table.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="print a JSON list of the rows")
    parser.add_argument("--quick", action="store_true", help="sizes for a test, which say nothing about speed")
    gpu = parser.add_argument_group("options of gpu")
    gpu.add_argument("--minutes", type=float, help="how long it may take (default: 10)")
    gpu.add_argument(
        "--study", nargs="+", help="presets (default: cnn-cifar10-gpu); lists joined by commas run side by side"
    )
    gpu.add_argument("--cache", help="the folder where tasks are kept")
    gpu.add_argument("--output", help="the folder for what there is of results, NAME.nc (default: this one)")
    gpu.add_argument(
        "--unchecked", action="store_true", default=None, help="the studies alone, without checks and times"
    )
    options = parser.parse_args()
    own = {name: getattr(options, name) for name in ("minutes", "study", "cache", "output", "unchecked")}
    given = {name: value for name, value in own.items() if value is not None}
    if given and options.name != "gpu":
        parser.error(f"--{next(iter(given))} is an option of gpu")
    rows = []
    for row in import_module(f"benchmarks.{options.name}").run(options.quick, **given):
        rows.append(row)
        print(", ".join(f"{column} {value}" for column, value in row.items()), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        print(table(list(rows[0]), [[str(value) for value in row.values()] for row in rows]))


if __name__ == "__main__":
    main()
