"""The largest eigenvalue and the trace of a symmetric matrix that is known by its products with vectors.

The products of a Hessian cost about two gradients each, where the matrix itself would have millions of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

Product = Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]

TOLERANCE = 1e-3  # the residual relative to the eigenvalue, of whose error it is a bound, and mostly a wide one
RESTARTS = 50  # of the iteration, each of about 20 products, after which an eigenvalue counts as not found; 1 or 2 do
PROBES = 64  # of the trace


def largest_eigenvalue(product: Product, size: int, generator: np.random.Generator) -> float:
    """λ_max of a symmetric matrix by ARPACK's restarted Lanczos iteration.

    Args:
      product: the matrix times a vector.
      size: its rows n, at least 2.
      generator: draws the vector that the iteration starts from.

    Returns:
      The largest eigenvalue, which is not the one of largest modulus where that is negative; NaN where a product is not
      finite, or the iteration does not reach `TOLERANCE`. Where others lie within a few hundredths of the largest
      modulus of it, it is one of them now and then.

    Example:
      >>> import numpy as np
      >>> from landscape.numerics.eigenvalues import largest_eigenvalue
      >>> diagonal = np.array([-9.0, 1.0, 4.0, 2.0])
      >>> round(largest_eigenvalue(lambda v: diagonal * v, 4, np.random.default_rng(0)), 6)
      4.0

    References:
      Lehoucq, Sorensen and Yang (1998), "ARPACK Users' Guide", by `scipy.sparse.linalg.eigsh`.
    """
    start = generator.standard_normal(size)
    if not np.isfinite(product(start)).all():
        return float("nan")
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    try:
        found = eigsh(operator, 1, which="LA", v0=start, tol=TOLERANCE, maxiter=RESTARTS, return_eigenvectors=False)
    except ArpackNoConvergence:
        return float("nan")
    return float(found[0])


class Trace(NamedTuple):
    """An estimate of a trace, and its standard error."""

    value: float
    error: float


def hutchinson_trace(product: Product, size: int, generator: np.random.Generator, probes: int = PROBES) -> Trace:
    r"""The trace of a symmetric matrix by Hutchinson's estimator: the mean of vᵀHv over random signs v.

    .. math:: \operatorname{tr} H = \mathbb E[v^\top H v], \quad \text{where } v_i = \pm 1

    Args:
      product: the matrix times a vector.
      size: its rows n.
      generator: draws the probes.
      probes: how many vectors are drawn, at least 2.

    Returns:
      The mean over the probes, and its standard error: their standard deviation by √probes.

    Raises:
      ValueError: for fewer than two probes, of which no error is known.

    Example:
      >>> import numpy as np
      >>> from landscape.numerics.eigenvalues import hutchinson_trace
      >>> diagonal = np.array([-9.0, 1.0, 4.0, 2.0])
      >>> hutchinson_trace(lambda v: diagonal * v, 4, np.random.default_rng(0))  # no error where it is diagonal
      Trace(value=-2.0, error=0.0)

    References:
      Hutchinson (1989), "A stochastic estimator of the trace of the influence matrix".
    """
    if probes < 2:
        raise ValueError(f"an estimate with an error needs at least 2 probes; got {probes}")
    signs = (generator.choice([-1.0, 1.0], size) for _ in range(probes))
    values = np.array([probe @ product(probe) for probe in signs])
    return Trace(float(values.mean()), float(values.std(ddof=1) / np.sqrt(probes)))
