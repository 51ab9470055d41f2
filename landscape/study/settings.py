"""How a study trains, expands and walks: the settings that the paper gives, each with its default.

Sections are those of Malviya et al. (2024), arXiv 2405.15895.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from landscape.study.base import Frozen
from landscape.study.limits import MOST_EPOCHS, MOST_EXAMPLES, MOST_STEPS


class Training(Frozen):
    """How the base and its candidates are trained (A.2.2).

    Attributes:
      optimizer: AdamW, or Adam, which ignores `weight_decay`.
      learning_rate, weight_decay, b1, b2: of the optimizer.
      schedule: whether the learning rate stays, or falls to 0 along half a cosine over all steps.
      warmup_steps: over how many steps the learning rate rises from 0 at first.
      batch_size: examples of one step.
      base_epochs: for how many epochs the base trains at most.
      patience: after how many epochs without a better validation performance its training stops.
      epochs: T, for how many epochs each candidate trains after its expansion.
      initialisation: how weights are drawn before training. "flax" is the layers' own way: normal kernels of variance
        1/fan_in, and biases of 0. "pytorch" draws kernels and biases of dense and convolution layers uniformly from
        ±1/√fan_in, as PyTorch does by default.

    Example:
      >>> from landscape.study import Training
      >>> Training(epochs=20).learning_rate
      0.001
    """

    optimizer: Annotated[Literal["adamw", "adam"], Field(title="Optimiser")] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, title="Learning rate")] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, title="Weight decay", description="Adam ignores it.")] = 1e-4
    b1: Annotated[float, Field(ge=0, lt=1, title="β₁", description="Decay of the mean of gradients.")] = 0.9
    b2: Annotated[float, Field(ge=0, lt=1, title="β₂", description="Decay of the mean of their squares.")] = 0.999
    schedule: Annotated[
        Literal["constant", "cosine"],
        Field(title="Schedule", description="The learning rate stays, or falls to 0 along half a cosine."),
    ] = "constant"
    warmup_steps: Annotated[
        int,
        Field(
            ge=0, le=MOST_EXAMPLES, title="Steps of warm-up", description="The learning rate rises from 0 over these."
        ),
    ] = 0
    batch_size: Annotated[
        int, Field(ge=1, le=MOST_EXAMPLES, title="Batch of training", description="Examples of one step.")
    ] = 512
    base_epochs: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_EPOCHS,
            title="Epochs of the base, at most",
            description="Early stopping may end its training sooner.",
        ),
    ] = 500
    patience: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_EPOCHS,
            title="Patience",
            description="Epochs without a better validation performance after which the base stops.",
        ),
    ] = 20
    epochs: Annotated[
        int,
        Field(
            ge=0,
            le=MOST_EPOCHS,
            title="Epochs after the expansion",
            description="T: for how long each candidate trains; 0 leaves them untrained.",
        ),
    ] = 500
    initialisation: Annotated[
        Literal["flax", "pytorch"], Field(title="Initial weights", description="As Flax or PyTorch draws them.")
    ] = "flax"


class Expansion(Frozen):
    """How a candidate gets its first weights from the base.

    Attributes:
      start: "expanded" keeps the function of the base; "random" keeps the sizes of the candidate only and draws all
        weights anew, so that θ⁰ is untrained (A.2.7).
      shares: how the copies of a unit divide its outgoing weights. "unequal" shares are drawn uniformly from the
        simplex: they preserve the function exactly, and the gradients of copies differ, at first by their scale alone:
        too little for Adam to part them soon. "equal" ones are Net2Net's, whose copies differ by `noise` only.
      noise: the standard deviation of the noise on the incoming weights of copies, relative to that of the weights. The
        function is preserved up to it.

    Example:
      >>> from landscape.study import Expansion
      >>> Expansion(shares="equal", noise=0.01).start
      'expanded'
    """

    start: Annotated[
        Literal["expanded", "random"],
        Field(title="Candidates start", description="From the base's function, or from random weights (A.2.7)."),
    ] = "expanded"
    shares: Annotated[
        Literal["unequal", "equal"],
        Field(title="Shares of copies", description="How the copies of a unit divide its outgoing weights."),
    ] = "unequal"
    noise: Annotated[
        float, Field(ge=0, title="Noise on copies", description="Relative to the deviation of the incoming weights.")
    ] = 0.0


def none_twice(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes, none of which may come twice. Raises ValueError that names the one that does."""
    if twice := next((size for size in sizes if sizes.count(size) > 1), None):
        raise ValueError(f"{twice} is given twice")
    return sizes


class Walk(Frozen):
    """The permutation walk (Algorithm 1, A.2.1) and what is measured on it.

    Attributes:
      group: the unit group whose units are permuted.
      permutations: n, the number of steps.
      batch_size: the number of examples, of training and of validation data, on which losses are measured.
      statistics: those of BatchNorm between two networks are interpolated like all other weights, or re-estimated on
        the batch, which is then done for the two networks as well.
      distinct: whether no permutation comes twice, which is Algorithm 1's "without replacement".
      start: which node a step permutes. "current" is the one that the step before has reached, so that steps chain;
        "first" is θ itself at every step, which is Algorithm 1 read literally: θ_{i+1} = P(θ, π_i). The default follows
        the text (A.2.1), whose minima are generated iteratively so that neighbours "do not lie too far from one
        another": neighbours are one draw of swaps apart, where those of the other reading are two.
      checkpoints: at how many epochs after the expansion a candidate is walked at most.
      nodes: among how many of the first nodes all pairs get an interpolation curve.
      surface: the number of points on each side of the grid on the plane through three nodes; 0 means no plane.
      sharpness: whether the largest eigenvalue and the trace of the Hessian are measured at every checkpoint, on the
        batch of the walk.
      batches: sizes of further batches on which the walk right after the expansion is measured again: of each size as
        many disjoint ones as the training data and the validation data fill, up to eight.

    Example:
      >>> from landscape.study import Walk
      >>> Walk(group="hidden1").permutations
      1000
    """

    group: Annotated[str, Field(title="Permuted group", description="The units whose order the walk changes.")]
    permutations: Annotated[
        int, Field(ge=1, le=MOST_STEPS, title="Permutations n", description="The steps of each walk.")
    ] = 1000
    batch_size: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_EXAMPLES,
            title="Batch of measurement",
            description="The examples on which barriers, curves and predictors are measured.",
        ),
    ] = 512
    statistics: Annotated[
        Literal["interpolated", "re-estimated"],
        Field(
            title="BatchNorm statistics",
            description="Those between two networks: interpolated, or re-estimated on the batch.",
        ),
    ] = "interpolated"
    distinct: Annotated[
        bool, Field(title="No permutation twice", description="Algorithm 1's “without replacement”.")
    ] = False
    start: Annotated[
        Literal["current", "first"],
        Field(title="A step permutes", description="The node that the walk has reached, or always the first one."),
    ] = "current"
    checkpoints: Annotated[
        int, Field(ge=1, le=1000, title="Walks of a candidate, at most", description="Spread over its epochs.")
    ] = 12
    nodes: Annotated[
        int, Field(ge=2, le=64, title="Nodes with curves", description="All pairs of them get a curve of the loss.")
    ] = 12
    surface: Annotated[
        int, Field(ge=0, le=101, title="Points of a surface", description="On each side of its grid; 0 for none.")
    ] = 25
    sharpness: Annotated[
        bool,
        Field(title="Sharpness", description="Measure the Hessian at every checkpoint: about 100 gradients each."),
    ] = False
    batches: Annotated[
        tuple[Annotated[int, Field(ge=1, le=MOST_EXAMPLES)], ...],
        Field(
            max_length=8,
            title="Sizes of other batches",
            description="On disjoint batches of these sizes M₀ is measured again; empty for none.",
        ),
        AfterValidator(none_twice),
    ] = ()
