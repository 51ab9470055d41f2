"""What has to be installed before a study can be computed here; looking at results does without it."""

from __future__ import annotations

from importlib.util import find_spec

COMPUTING = ("jax", "flax", "optax")


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
