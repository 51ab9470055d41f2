"""The flag that XLA needs before JAX starts, so that convolutions work on CPUs.

From jaxlib 0.11 on, XLA gives parts of a program to YNNPACK, which on some processors refuses convolutions of this
package ("YNNPACK operation failed: unsupported parameter"); an empty list of fusion types keeps them with XLA. XLA
reads its flags once, when JAX starts its first backend. Importing `landscape` therefore sets the flag, and does so
without importing JAX.
"""

from __future__ import annotations

import os
import sys
import warnings
from functools import cache
from importlib import metadata

FLAG = "--xla_cpu_experimental_ynn_fusion_type"
SINCE, UNTIL = (0, 11), (0, 13)  # releases known to have the flag; XLA ends the process at one that it does not know


@cache
def flag_is_set() -> bool:
    """Adds the flag to XLA_FLAGS where this jaxlib needs it; False where JAX has started without it already.

    What a user has set in XLA_FLAGS stays, a value for this flag too.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if FLAG in flags or not SINCE <= _jaxlib() < UNTIL:
        return True
    os.environ["XLA_FLAGS"] = f"{flags} {FLAG}=".strip()  # for processes that this one starts, if not for itself
    return not _jax_has_started()


def warn_without_flag() -> None:
    """Says before the first computation that JAX has started without the flag."""
    if not flag_is_set():
        warnings.warn(
            "JAX had started before landscape was imported, so convolutions may fail on a CPU with 'YNNPACK operation "
            f"failed'. Import landscape before JAX computes anything, or set XLA_FLAGS={FLAG}= before Python starts",
            RuntimeWarning,
            stacklevel=2,
        )


def _jaxlib() -> tuple[int, ...]:
    """Major and minor version of jaxlib; (0,) where it is not installed."""
    try:
        return tuple(int(number) for number in metadata.version("jaxlib").split(".")[:2])
    except metadata.PackageNotFoundError:
        return (0,)


def _jax_has_started() -> bool:
    """JAX has no public name for this."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bridge.backends_are_initialized()
