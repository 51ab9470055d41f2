"""The record that is kept with a result: its study, and when, where and by which versions it was computed."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import jax

from landscape._version import __version__
from landscape.jobs.installed import versions
from landscape.store.sealed import Record
from landscape.study import SCHEMA, Study


def record_of(study: Study, seconds: float) -> Record:
    """The record of a result that was computed here and just now, in `seconds` of wall time."""
    return {
        "key": study.key,
        "name": study.name,
        "title": study.title,
        "study": study.model_dump(mode="json"),
        "schema": SCHEMA,
        "device": device(),
        "seconds": round(seconds, 3),
        "computed": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), "landscape": __version__} | versions(),
    }


def device() -> str:
    """The name of what computes here: the accelerator, or the processor with the number of its cores."""
    first = jax.devices()[0]
    return first.device_kind if first.platform != "cpu" else f"{processor()}, {os.cpu_count()} cores"


def processor() -> str:
    """The processor's own name where the system gives it, otherwise its architecture."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
