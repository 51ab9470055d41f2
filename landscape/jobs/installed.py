"""What is installed here, and what has to be before a study can be computed; looking at results does without it."""

from __future__ import annotations

import contextlib
from importlib import metadata
from importlib.util import find_spec

COMPUTING = ("jax", "flax", "optax")
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "xarray", "h5netcdf", "scikit-learn", "distributed")


class NotInstalled(ImportError):
    """Libraries that computing needs are missing; the message says how to install them."""


def require_computing() -> None:
    """Looks for JAX, Flax and Optax without importing them. Raises NotInstalled where one is missing."""
    missing = [name for name in COMPUTING if find_spec(name) is None]
    if missing:
        raise NotInstalled(
            f"computing needs {', '.join(missing)}, which this installation for looking at results lacks; "
            "install the package with its extra `compute`, in a checkout by: pip install '.[compute]'"
        )


def versions() -> dict[str, str]:
    """The versions of those libraries that are installed: a machine that only computes has no Dask, for example."""
    installed = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    return installed
