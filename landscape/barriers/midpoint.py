"""Midpoint barriers along the walk (Definition 1, Algorithm 1).

The reference form follows the paper: build the parameters of consecutive nodes, average them, evaluate the
loss. The fast form evaluates each distinct midpoint once, by three symmetries: permuted copies have equal loss;
a step from node i is, seen from node 0, a conjugate permutation of θ itself; and π and π⁻¹ have equal barriers.
Midpoints come from activations (`landscape.barriers.by_activations`) where the model has a cut; elsewhere their
networks are run.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.barriers import by_activations, by_networks
from landscape.barriers.checks import check_model
from landscape.barriers.walk import check_permutations, seen_from_start
from landscape.models.functional import Network, mixed
from landscape.models.site import Site
from landscape.numerics.batch import checked_batch
from landscape.numerics.loss import IGNORED, at_least_float32, cross_entropy, loss_change
from landscape.numerics.precision import exact
from landscape.numerics.progress import OnProgress, ignore_progress


@exact
def midpoint_barriers(
    model: nnx.Module | Network,
    permutations: Int[np.ndarray, "n units"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    *,
    group: str,
    method: Literal["fast", "reference"] = "fast",
    known: Float[np.ndarray, " m"] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Float[np.ndarray, " n"]:
    r"""Midpoint barriers along a walk over permuted copies of a network.

    .. math:: \hat b_i = \bigl\lvert L(\tfrac12\theta_i + \tfrac12\theta_{i+1})
              - \tfrac12\bigl(L(\theta_i) + L(\theta_{i+1})\bigr) \bigr\rvert,
              \quad \theta_1 = \theta, \quad \theta_{i+1} = P(\theta_i, \pi_i)

    L is the mean cross-entropy on the one batch given, in evaluation mode, and P permutes the units of one group.

    Args:
      model: the network θ: a module with a method `groups()`, and better with one `cut(group)`
        (see `landscape.Cut`), or such a module split.
      permutations: the steps π_i of the walk, of shape (n, l): unit π_i[j] moves to place j.
      inputs: a batch of b examples: an array, or a tree of arrays, with the examples on the first axis.
      targets: classes of shape (b,), or (b, p) for p positions of a text; −1 does not count.
      group: the unit group that is permuted, by name.
      method: "reference" follows Algorithm 1 as written, two networks a step, and compares losses target by target;
        "fast" gives the same numbers up to the rounding of logits, from each distinct midpoint alone, and from
        activations where the model has a cut at this group. Either is within 7e-8 nats of float64 on a TinyBERT whose
        `ffn1` was widened four times, to 2048 units: 0.4 % of barriers of 1e-5 to 3e-5 nats, but up to half of one of
        8.5e-8 nats by the reference, whose ends are rounded each on its own.
      known: the barriers of the first m ≤ n steps, if they are at hand; the walk then goes on from them.
      on_progress: called with how many midpoints are done, and with how many there are.

    Returns:
      b̂ of every step, of shape (n,), in nats.

    Raises:
      ValueError: if there is no such group or method; if permuting the group changes the function, or the cut does not
        follow the network; if a row is not a permutation of the units; if targets are not classes,
        one for each vector of logits; or if more barriers are known than there are steps.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> from landscape.models.mlp import mlp
      >>> model = mlp(4, (8,), 3, nnx.Rngs(0))
      >>> inputs, targets = jnp.eye(4), jnp.array([0, 1, 2, 0])
      >>> walk = landscape.compose(landscape.draw_swaps(jax.random.key(0), 20, 8), 8)
      >>> barriers = landscape.midpoint_barriers(model, walk, inputs, targets, group="hidden1")
      >>> barriers.shape
      (20,)
      >>> slow = landscape.midpoint_barriers(model, walk, inputs, targets, group="hidden1", method="reference")
      >>> bool(jnp.allclose(barriers, slow, atol=1e-6))
      True

    References:
      Malviya et al. (2024), arXiv 2405.15895, Definition 1, section 3.2 and Algorithm 1.
    """
    permutations = np.asarray(permutations)
    site = Site.of(model, group)
    check_permutations(permutations, site.table.size(site.network.weights))
    if method not in ("fast", "reference"):
        raise ValueError(f"method must be 'fast' or 'reference'; got {method!r}")
    inputs, targets = checked_batch(site.network, inputs, targets)
    check_model(model, group, permutations, inputs, targets)
    known = np.empty(0) if known is None else np.asarray(known)
    if len(known) > len(permutations):
        raise ValueError(f"{len(known)} barriers are known of a walk of {len(permutations)} steps")
    if method == "reference":
        return _reference(site, permutations, inputs, jnp.asarray(targets), on_progress)
    distinct, position = _midpoints_of(permutations)  # m units, n
    heights = np.empty(position[: len(known)].max(initial=-1) + 1)  # of the midpoints that the known steps cross
    heights[position[: len(known)]] = known
    if len(rest := distinct[len(heights) :]):
        heights = np.append(heights, np.abs(midpoint_changes(site, rest, inputs, targets, on_progress)))  # m
    return heights[position]  # n


def _midpoints_of(permutations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct midpoints of a walk's steps, found once for the networks of all checkpoints, which walk alike."""
    return _midpoints_of_bytes(permutations.tobytes(), permutations.dtype, permutations.shape)


@lru_cache(maxsize=8)
def _midpoints_of_bytes(steps: bytes, dtype: np.dtype, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return distinct_midpoints(seen_from_start(np.frombuffer(steps, dtype).reshape(shape)))


@exact
def midpoint_changes(
    site: Site,
    permutations: Int[np.ndarray, "n units"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    on_progress: OnProgress = ignore_progress,
) -> Float[np.ndarray, " n"]:
    """L(½θ + ½P(θ, π)) − L(θ) for every permutation, in nats."""
    if not site.has_cut:
        return by_networks.loss_changes(site, permutations, inputs, targets, on_progress)
    half = np.array([0.5], np.float32)
    return by_activations.loss_changes(site, permutations, half, inputs, targets, on_progress)[:, 0]


def _reference(
    site: Site, permutations: np.ndarray, inputs: Any, targets: Array, on_progress: OnProgress
) -> np.ndarray:
    """Algorithm 1 as written."""
    barriers = []
    logits = network_logits(site.network, inputs)
    for permutation in permutations:
        barrier, site, logits = _reference_step(site, logits, permutation, inputs, targets)
        barriers.append(np.asarray(barrier))
        on_progress(len(barriers), len(permutations))
    return np.array(barriers)


@jax.jit
def network_logits(network: Network, inputs: Any) -> Float[Array, "*b k"]:
    """The logits of the batch, in float32 at least."""
    return at_least_float32(network.logits(inputs))


@jax.jit
def network_loss(network: Network, inputs: Any, targets: Int[Array, "*b"]) -> Float[Array, ""]:
    """L(θ): mean cross-entropy on the batch, in nats."""
    return cross_entropy(network.logits(inputs), targets)


@jax.jit
def _reference_step(
    site: Site, logits: Array, permutation: Array, inputs: Any, targets: Array
) -> tuple[Array, Site, Array]:
    """One iteration of Algorithm 1: the barrier to the next node, that node and its logits.

    The loss at the midpoint is compared with that at each end target by target, so that a low barrier keeps its digits.
    """
    following = site.permuted(permutation)
    middle = network_logits(mixed((site.network, following.network), (0.5, 0.5)), inputs)
    ends = (logits, network_logits(following.network, inputs))
    changes = [loss_change(jax.nn.log_softmax(end), middle - end, targets).sum() for end in ends]
    barrier = jnp.abs(changes[0] + changes[1]) / (2 * jnp.sum(targets != IGNORED))
    return barrier, following, ends[1]


def distinct_midpoints(
    permutations: Int[np.ndarray, "n units"],
) -> tuple[Int[np.ndarray, "m units"], Int[np.ndarray, " n"]]:
    """The permutations up to inversion, each once in order of appearance, and at which of them each row stands."""
    inverse = np.argsort(permutations, axis=1)  # n units
    first = np.argmax(permutations != inverse, axis=1)[:, None]  # n 1: where π and π⁻¹ differ
    smaller = np.take_along_axis(permutations, first, 1) <= np.take_along_axis(inverse, first, 1)  # n 1
    representative = np.where(smaller, permutations, inverse)  # n units: the same for π and π⁻¹
    _, chosen, position = np.unique(representative, axis=0, return_index=True, return_inverse=True)  # m, n
    order = np.argsort(chosen)  # m: of appearance
    return representative[chosen[order]], np.argsort(order)[position]
