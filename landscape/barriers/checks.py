"""Checks of a user's model before anything is computed from it."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from landscape.barriers import by_activations, by_networks
from landscape.models.checks.same_function import FEW, alike, check_alone, class_of, is_own, logits
from landscape.models.site import Site
from landscape.numerics.loss import IGNORED

ROUNDING = 8  # by how many units in the last place of the largest logit two losses may differ
TOLERANCE = 1e-2  # by what fraction of itself a change of the loss may differ all the same


def check_model(
    model: Any, group: str, permutations: Int[np.ndarray, "n units"], inputs: Any, targets: Int[np.ndarray, "*b"]
) -> None:
    """Raises ValueError if permuting the group changes the function, the model's `cut` does not follow its network, or
    the logits of an example depend on other examples.

    All are tried on a few examples, at the copies that move most and fewest units. The package's own models have tests
    instead.
    """
    if not is_own(model) or not len(permutations):
        return
    moved = (permutations != np.arange(permutations.shape[1])).sum(1)  # n
    most, fewest = permutations[np.argmax(moved)], permutations[np.argmin(np.where(moved, moved, np.inf))]
    counting = np.flatnonzero((targets != IGNORED).reshape(len(targets), -1).any(1))
    examples = jax.tree.map(itemgetter(counting[:FEW]), (inputs, targets))
    site = Site.of(model, group)
    name = class_of(site.network).__name__
    check_alone(site.network, examples[0])
    _check_real(site)
    _check_symmetry(site, name, most, examples[0])
    if site.has_cut:
        _check_cut(site, name, np.stack([fewest, most]), *examples)


def _check_real(site: Site) -> None:
    for axis in (*site.table.produces, *site.table.consumes):
        if not jnp.issubdtype(site.network.weights[axis.path].dtype, jnp.inexact):
            kind = site.network.weights[axis.path].dtype
            raise ValueError(f"group {site.group!r} has {axis.path}, an array of {kind}, of which no mean can be taken")


def _check_symmetry(site: Site, name: str, permutation: np.ndarray, inputs: Any) -> None:
    own, other = (logits(each.network, inputs) for each in (site, site.permuted(permutation)))
    if not alike(own, other):
        raise ValueError(
            f"group {site.group!r} of {name} is not a symmetry: permuting its units changes logits by up to "
            f"{jnp.abs(own - other).max():.3g}. groups() must list every axis of every array that indexes these units, "
            "and no other"
        )


def _check_cut(site: Site, name: str, steps: np.ndarray, inputs: Any, targets: np.ndarray) -> None:
    """The network cut open at the group has its logits, and its midpoints the loss of the networks that lie there.

    An activation that mixes units is right where all of them are picked, so one of the steps moves few.
    """
    own, found = logits(site.network, inputs), by_activations.common(site, inputs).origin.logits
    wrong = f"the cut of {name} at group {site.group!r} does not follow the network"
    if own.shape != found.shape:
        raise ValueError(f"{wrong}: its logits have shape {found.shape} instead of {own.shape}")
    if not alike(own, found):
        raise ValueError(
            f"{wrong}: its logits differ by up to {jnp.abs(own - found).max():.3g}. cut() must compose to the model's "
            "own forward pass"
        )
    fast = by_activations.loss_changes(site, steps, np.array([0.5], np.float32), inputs, targets)[:, 0]
    slow = by_networks.loss_changes(site, steps, inputs, targets)
    rounding = ROUNDING * float(jnp.finfo(own.dtype).eps * jnp.abs(own).max())
    differ = ~np.isclose(fast, slow, rtol=TOLERANCE, atol=np.nan_to_num(rounding), equal_nan=True)
    if differ.any():
        at = np.argmax(differ)
        raise ValueError(
            f"{wrong}: at a midpoint the loss changes by {fast[at]:.3g} nats, of the network itself by {slow[at]:.3g}. "
            "Its activation must act on every unit by itself, its linear layer by the units' rows of the kernel"
        )
