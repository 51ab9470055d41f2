"""The variables of a result: their dimensions, units, definitions and types."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Variable(NamedTuple):
    """One variable of the result: its dimensions, its unit, its meaning, and the type in which it is stored.

    `optional` says that results computed before the variable was added lack it, and are read as if it were missing
    everywhere (`completed`).
    """

    dims: tuple[str, ...]
    units: str
    meaning: str
    dtype: type = np.float32
    optional: bool = False


def _of_every_member(name: str, meaning: str) -> dict[str, Variable]:
    """A quantity in nats of the base, and of candidates and the control at every checkpoint; see `Member.variables`."""
    dims = {
        f"base_{name}": ("seed",),
        name: ("seed", "candidate", "checkpoint"),
        f"control_{name}": ("seed", "checkpoint"),
    }
    return {own: Variable(each, "nats", meaning, optional=True) for own, each in dims.items()}


VARIABLES = {
    "base_barrier": Variable(
        ("seed", "permutation"), "nats", "midpoint barrier of each step of the base's walk: B* (section 3.3)"
    ),
    "barrier": Variable(
        ("seed", "candidate", "checkpoint", "permutation"),
        "nats",
        "midpoint barrier of each step of the candidate's walk, `checkpoint` epochs after expansion (Algorithm 1)",
    ),
    "base_train_loss": Variable(("seed", "base_epoch"), "nats", "mean training loss of the base's epoch"),
    "base_validation_loss": Variable(("seed", "base_epoch"), "nats", "validation loss of the base after the epoch"),
    "base_validation_accuracy": Variable(
        ("seed", "base_epoch"), "1", "validation accuracy of the base after the epoch"
    ),
    "base_stop": Variable(("seed",), "epochs", "epoch at which early stopping chose the base φ*"),
    "train_loss": Variable(("seed", "candidate", "epoch"), "nats", "mean training loss of the epoch"),
    "sotl_e": Variable(
        ("seed", "candidate", "epoch"), "nats", "SoTL-E: sum over batches of the epoch's training losses (A.2.3)"
    ),
    "validation_loss": Variable(
        ("seed", "candidate", "epoch"), "nats", "validation loss of the candidate after the epoch"
    ),
    "validation_accuracy": Variable(
        ("seed", "candidate", "epoch"), "1", "validation accuracy of the candidate after the epoch"
    ),
    "control_train_loss": Variable(
        ("seed", "epoch"), "nats", "mean training loss of the control's epoch: φ* trained on unexpanded", optional=True
    ),
    "control_sotl_e": Variable(
        ("seed", "epoch"), "nats", "sum over batches of the training losses of the control's epoch", optional=True
    ),
    "control_validation_loss": Variable(
        ("seed", "epoch"), "nats", "validation loss of the control after the epoch", optional=True
    ),
    "control_validation_accuracy": Variable(
        ("seed", "epoch"), "1", "validation accuracy of the control after the epoch", optional=True
    ),
    "control_barrier": Variable(
        ("seed", "checkpoint", "permutation"),
        "nats",
        "midpoint barrier of each step of the base's walk, the base trained on for `checkpoint` epochs",
        optional=True,
    ),
    "control_seconds": Variable(
        ("seed", "phase"), "s", "wall time of the control, compilation included", optional=True
    ),
    "copy_cosine": Variable(
        ("seed", "candidate", "checkpoint"),
        "1",
        "mean over copied units of the cosine between what comes into a copy and into its original, bias included",
        optional=True,
    ),
    "least_copy_cosine": Variable(
        ("seed", "candidate", "checkpoint"),
        "1",
        "the least of these cosines: that of the copy which has parted the most from its original",
        optional=True,
    ),
    **_of_every_member(
        "sharpness", "λ_max: largest eigenvalue of the Hessian of the loss on the walk's batch (section 4.3)"
    ),
    **_of_every_member(
        "hessian_trace", "trace of the Hessian of the loss on the walk's batch, by Hutchinson's estimator"
    ),
    **_of_every_member("hessian_trace_error", "standard error of this trace over the probes of the estimator"),
    "base_batch_barrier": Variable(
        ("seed", "split", "batch_size", "batch", "permutation"),
        "nats",
        "midpoint barrier of each step of the base's walk on other batches, as many as the examples fill",
        optional=True,
    ),
    "batch_barrier": Variable(
        ("seed", "candidate", "split", "batch_size", "batch", "permutation"),
        "nats",
        "midpoint barrier of each step right after the expansion on other batches, as many as the examples fill",
        optional=True,
    ),
    "swaps": Variable(
        ("seed", "model", "permutation", "swap", "end"),
        "1",
        "the two units of each swap of each step of the walk (A.2.1); -1 where a narrower model swaps fewer",
        np.int32,
    ),
    "curve": Variable(
        ("seed", "model", "moment", "pair", "split", "alpha"),
        "nats",
        "loss along the line between two of the walk's first nodes; α = 1 is `pair_to`, α = 0 is `pair_from`",
    ),
    "node_distance": Variable(
        ("seed", "model", "moment", "node", "other_node"),
        "1",
        "Euclidean distance in parameter space between the walk's first nodes; running statistics are no parameters",
    ),
    "seed_curve": Variable(
        ("model", "moment", "seed_pair", "alignment", "split", "alpha"),
        "nats",
        "loss along the line between two separately trained seeds, as trained and after weight matching",
    ),
    "surface": Variable(
        ("model", "moment", "surface_y", "surface_x"),
        "nats",
        "loss of seed 0 on the plane through three of the walk's nodes, on the grid of `analysis.plane` (Figure 1)",
    ),
    "proxy": Variable(
        ("seed", "candidate", "predictor"),
        "1",
        "zero-cost proxy of the candidate right after its expansion (A.2.3)",
        np.float64,
    ),
    "proxy_seconds": Variable(("seed", "candidate", "predictor"), "s", "wall time of a proxy, compilation apart"),
    "proxy_compile_seconds": Variable(
        ("seed", "candidate", "predictor"), "s", "what compiling a proxy added; about 0 where its program was at hand"
    ),
    "walk_seconds": Variable(
        ("seed", "candidate"), "s", "wall time of the walk right after the expansion, compilation apart"
    ),
    "walk_compile_seconds": Variable(("seed", "candidate"), "s", "what compiling the walk added"),
    "parameters": Variable(("model",), "1", "number of trainable parameters", np.int64),
    "width": Variable(("model",), "units", "units in the walked group", np.int64),
    "seconds": Variable(("seed", "model", "phase"), "s", "wall time, compilation included"),
}
