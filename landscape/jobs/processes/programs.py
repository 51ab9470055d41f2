"""Compiled programs that processes share, and that are there again the next time: JAX's persistent compilation cache.

It lies in the cache folder. A program is read only on a processor like the one that compiled it, with as many cores,
since it may use instructions that others lack, and may be divided among its threads. It computes the same bits.
"""

from __future__ import annotations

import hashlib
import os
import platform
import warnings
from pathlib import Path

from landscape.jobs.guard.private import private_folder
from landscape.store.sealed import Unwritable
from landscape.store.upkeep import PROGRAMS

LIMIT = 2**30  # bytes of all programs of one kind of processor; beyond it, those that were used longest ago go
CPUINFO = Path("/proc/cpuinfo")


def environment(root: Path) -> dict[str, str]:
    """The environment variables by which a process finds the programs of a cache folder; what a user has set stays.

    Empty where the folder cannot be written to. XLA takes each program that it reads for one of another processor and
    says so, wrongly (its compiler names preferences that no processor has); nothing below a fatal error is printed.
    """
    try:
        folder = private_folder(private_folder(root / PROGRAMS) / _processor())
    except Unwritable:
        return {}
    _keep_below(folder, LIMIT)
    wanted = {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return {name: value for name, value in wanted.items() if name not in os.environ}


def share(root: Path) -> None:
    """Have this process, and all that it starts, share the programs of a cache folder. To be called before JAX starts.

    A program that another process is just writing cannot be read, and is compiled here as well: no reason to warn.
    """
    os.environ.update(environment(root))
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")


def _processor() -> str:
    """A name for processors that can run each other's programs."""
    table = CPUINFO.read_text() if CPUINFO.exists() else ""
    abilities = {line for line in table.splitlines() if line.startswith(("flags", "Features", "model name"))}
    kind = (platform.machine(), platform.processor(), len(os.sched_getaffinity(0)), *sorted(abilities))
    return hashlib.sha256(repr(kind).encode()).hexdigest()[:16]


def _keep_below(folder: Path, limit: int) -> None:
    """Remove programs, those that were used longest ago first, where all together are larger than the limit."""
    held = sorted((max(each.st_atime, each.st_mtime), each.st_size, path) for path, each in _files(folder))
    size = sum(size for _, size, _ in held)
    for _, bytes_of_it, path in held:
        if size <= limit:
            return
        path.unlink(missing_ok=True)
        size -= bytes_of_it


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    with os.scandir(folder) as found:
        return [(Path(each.path), each.stat()) for each in found]
