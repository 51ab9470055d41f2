"""ResNet18 for small images (He et al., arXiv 1512.03385, with the CIFAR stem).

The skip connections tie the channels of a whole stage: the stem, or the projection at the entry of the stage, and every
block write into the same channels, so that these are one unit group. The channels between the two convolutions of a
block belong to the block alone.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.typing import Initializer

from landscape.models.cut import Cut, Opened
from landscape.models.initializers import HE_NORMAL, LECUN_NORMAL, identity
from landscape.models.symmetry import Axis, Group, check_named
from landscape.numerics.convolution import same_size


class Block(nnx.Module):
    """relu(BN₂(conv₂(relu(BN₁(conv₁(x))))) + shortcut(x)), 3×3 convolutions without bias.

    The first convolution has the stride. The shortcut is x itself, or a 1×1 convolution and BN where the shape changes.
    """

    def __init__(
        self, channels: int, inner: int, out: int, stride: int, rngs: nnx.Rngs, kernel_init: Initializer = HE_NORMAL
    ):
        self.conv1 = convolution(channels, inner, 3, stride, rngs, kernel_init)
        self.norm1 = normalisation(inner, rngs)
        self.conv2 = convolution(inner, out, 3, 1, rngs, kernel_init)
        self.norm2 = normalisation(out, rngs)
        self.projects = stride != 1 or channels != out
        if self.projects:
            self.project = convolution(channels, out, 1, stride, rngs, kernel_init)
            self.project_norm = normalisation(out, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """(b, h, w, channels) -> (b, h/stride, w/stride, out), odd sizes rounded up."""
        return self.joined(self.conv2(self.inner(x)), self.shortcut(x))

    def inner(self, x: jax.Array) -> jax.Array:
        """The activations between the two convolutions."""
        return nnx.relu(self.norm1(self.conv1(x)))

    def shortcut(self, x: jax.Array) -> jax.Array:
        """What the branch is added to."""
        return self.project_norm(self.project(x)) if self.projects else x

    def joined(self, y: jax.Array, shortcut: jax.Array) -> jax.Array:
        """The block's output from that of its second convolution."""
        return nnx.relu(self.norm2(y) + shortcut)


def convolution(
    channels: int, out: int, size: int, stride: int, rngs: nnx.Rngs, kernel_init: Initializer = HE_NORMAL
) -> nnx.Conv:
    """A convolution without bias, since BN follows, padded by size // 2 on every side.

    With "SAME", Flax would pad a strided convolution on one side only, which shifts its grid.
    """
    settings: dict[str, Any] = {"padding": size // 2, "use_bias": False, "kernel_init": kernel_init}
    return nnx.Conv(channels, out, (size, size), stride, rngs=rngs, **settings)


def normalisation(channels: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """A BatchNorm whose running statistics move a tenth of the way to those of the batch at each training step."""
    return nnx.BatchNorm(channels, momentum=0.9, rngs=rngs)


class ResNet(nnx.Module):
    """stem – stages of residual blocks – mean over pixels – head.

    Stage i is the unit group `stage{i}`: every channel that its skip connections tie. The channels inside a block are
    the group with the name of the block. `stages` holds the names of the blocks of each stage.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.models.resnet import ResNet
      >>> model = nnx.eval_shape(lambda: ResNet(channels=3, width=4, classes=10, rngs=nnx.Rngs(0)))  # shapes only
      >>> nnx.eval_shape(lambda model: model(jnp.zeros((2, 8, 8, 3))), model).shape
      (2, 10)
      >>> list(model.groups())[:3]
      ['stage1', 'stage1_block1', 'stage1_block2']

    References:
      He et al., "Deep Residual Learning for Image Recognition", 2016, arXiv 1512.03385.
    """

    def __init__(self, channels: int, width: int, classes: int, rngs: nnx.Rngs):
        """Four stages of two blocks, of widths w, 2w, 4w and 8w; the last three halve the image."""
        self.stem, self.stem_norm = convolution(channels, width, 3, 1, rngs), normalisation(width, rngs)
        self.stages: tuple[tuple[str, ...], ...] = tuple((f"stage{i}_block1", f"stage{i}_block2") for i in range(1, 5))
        before = width
        for i, (first, second) in enumerate(self.stages):
            out = width * 2**i
            setattr(self, first, Block(before, out, out, 1 if i == 0 else 2, rngs))
            setattr(self, second, Block(out, out, out, 1, rngs))
            before = out
        self.head = nnx.Linear(before, classes, kernel_init=LECUN_NORMAL, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """(b, h, w, channels) -> (b, classes)."""
        return self._classified(self._run(self._stemmed(x), self._blocks))

    def _stemmed(self, x: jax.Array) -> jax.Array:
        return nnx.relu(self.stem_norm(self.stem(x)))

    @property
    def _blocks(self) -> tuple[str, ...]:
        return tuple(chain(*self.stages))

    def _run(self, x: jax.Array, blocks: tuple[str, ...]) -> jax.Array:
        for name in blocks:
            x = getattr(self, name)(x)
        return x

    def _classified(self, x: jax.Array) -> jax.Array:
        return self.head(x.mean((1, 2)))

    def groups(self) -> dict[str, Group]:
        """Each stage, followed by its blocks."""
        tables = {}
        for i, blocks in enumerate(self.stages):
            tables[f"stage{i + 1}"] = self._stage(i)
            tables |= {name: inner_group(name) for name in blocks}
        return tables

    def _stage(self, i: int) -> Group:
        """Written by the entry and by every block; read by its own blocks and by what follows the stage."""
        entry, *_ = blocks = self.stages[i]
        writers = [("stem", "stem_norm") if i == 0 else (f"{entry}.project", f"{entry}.project_norm")]
        writers += [(f"{name}.conv2", f"{name}.norm2") for name in blocks]
        readers = [f"{name}.conv1" for name in (blocks if i == 0 else blocks[1:])]
        if i + 1 < len(self.stages):
            following = self.stages[i + 1][0]
            readers += [f"{following}.conv1", f"{following}.project"]
        else:
            readers += ["head"]
        return Group(
            produces=tuple(chain(*(produced(*writer) for writer in writers))),
            consumes=tuple(Axis(f"{reader}.kernel", -2) for reader in readers),
        )

    def cut(self, group: str) -> Cut:
        """The network opened inside a block, or in front of the first block whose input is a stage's channels alone
        (see `landscape.models.cut`). Raises ValueError for an unknown group.

        The network between two copies has the mean of their BN parameters, statistics included, so these are
        rows of z behind the examples: z has shape (b + 4, h, w, l), or twice as much where a stage is entered by the
        sum of a branch and a projection.
        """
        check_named(group, self.groups())
        return self._cut_in_block(group) if group in self._blocks else self._cut_in_stage(group)

    def _cut_in_block(self, group: str) -> Cut:
        place, block = self._blocks.index(group), getattr(self, group)

        def before(x: jax.Array) -> tuple[jax.Array, jax.Array]:
            x = self._run(self._stemmed(x), self._blocks[:place])
            return with_parameters(block.conv1(x), block.norm1), block.shortcut(x)

        def activation(z: jax.Array) -> jax.Array:
            return nnx.relu(normalised(z, block.norm1.epsilon))

        def settle(y: jax.Array, shortcut: jax.Array) -> jax.Array:
            return self._run(block.joined(y, shortcut), self._blocks[place + 1 :])

        def after(x: jax.Array, shortcut: jax.Array) -> jax.Array:
            return self._classified(x)

        return Cut(before, activation, same_size, block.conv2.kernel[...], after, settle)

    def _cut_in_stage(self, group: str) -> Cut:
        """The stem enters the first stage; a branch and its projection, both before BN, enter another."""
        entry, second = self.stages[int(group.removeprefix("stage")) - 1][:2]
        reader = entry if group == "stage1" else second
        place, block = self._blocks.index(reader), getattr(self, reader)

        def before(x: jax.Array) -> tuple[jax.Array, None]:
            if group == "stage1":
                return with_parameters(self.stem(x), self.stem_norm), None
            x, entered = self._run(self._stemmed(x), self._blocks[: place - 1]), getattr(self, entry)
            branch = entered.conv2(entered.inner(x))
            return jnp.concatenate(
                [with_parameters(branch, entered.norm2), with_parameters(entered.project(x), entered.project_norm)]
            ), None

        def activation(z: jax.Array) -> jax.Array:
            parts = [z] if group == "stage1" else jnp.split(z, 2)
            return nnx.relu(sum(normalised(part, self.stem_norm.epsilon) for part in parts))

        def settle(y: jax.Array, h: jax.Array) -> jax.Array:
            branch = block.conv2(nnx.relu(block.norm1(y)))
            return self._classified(self._run(block.joined(branch, h), self._blocks[place + 1 :]))

        return Cut(before, activation, same_size, block.conv1.kernel[...], lambda x, _: x, settle, tied=True)

    def opened(self, group: str) -> Opened:
        """The network from this group's stage or block on (see `models.cut`); the stem is tied to the first stage."""
        if group == "stage1":
            return Opened(self)
        firsts = {f"stage{i}": blocks[0] for i, blocks in enumerate(self.stages, 1)}
        place = self._blocks.index(firsts.get(group, group))
        return Opened(
            between=lambda x: self._classified(self._run(x, self._blocks[place:])),
            before=lambda x: self._run(self._stemmed(x), self._blocks[:place]),
        )

    def deepened(self, after: str, name: str) -> ResNet:
        """The network with a block `name` behind a block or at the end of a stage; the function is unchanged.

        Its branch is two identity convolutions closed by a BN of scale 0, so the block is relu(0 + x) = x, in
        training as in evaluation; the scale learns to open it. Inside it is as wide as the group `after`.

        Raises ValueError for an unknown group.
        """
        check_named(after, self.groups())
        behind = {f"stage{i}": blocks[-1] for i, blocks in enumerate(self.stages, 1)}.get(after, after)
        channels = getattr(self, behind).conv2.out_features
        block = identity_block(channels, getattr(self, after).conv1.out_features if behind == after else channels)
        block.set_attributes(use_running_average=self.stem_norm.use_running_average)
        deeper = nnx.clone(self)
        setattr(deeper, name, block)
        deeper.stages = tuple(
            tuple(chain(*((each, name) if each == behind else (each,) for each in blocks))) for blocks in self.stages
        )
        return deeper


def inner_group(block: str) -> Group:
    """The channels between the two convolutions of a block."""
    return Group(produced(f"{block}.conv1", f"{block}.norm1"), (Axis(f"{block}.conv2.kernel", -2),))


def produced(layer: str, norm: str) -> tuple[Axis, ...]:
    """Output channels of a convolution and everything that its BN keeps for a channel."""
    return (Axis(f"{layer}.kernel", -1), *(Axis(f"{norm}.{part}", 0) for part in PARTS))


PARTS = ("mean", "var", "scale", "bias")


def with_parameters(x: jax.Array, norm: nnx.BatchNorm) -> jax.Array:
    """(b, h, w, l) -> (b + 4, h, w, l): BN's parameters behind the examples, the same for every pixel."""
    rows = jnp.stack([getattr(norm, part)[...] for part in PARTS])[:, None, None]
    return jnp.concatenate([x, jnp.broadcast_to(rows, (len(PARTS), *x.shape[1:]))])


def normalised(z: jax.Array, epsilon: float) -> jax.Array:
    """BN in evaluation mode, by the parameters behind the examples: (b + 4, h, w, l) -> (b, h, w, l)."""
    x, (mean, variance, scale, bias) = z[: -len(PARTS)], z[-len(PARTS) :]
    return (x - mean) * (jax.lax.rsqrt(variance + epsilon) * scale) + bias


def identity_block(channels: int, inner: int) -> Block:
    """A block that returns its (non-negative) input: identity convolutions, and a scale of 0 in the last BN."""
    block = Block(channels, inner, channels, 1, nnx.Rngs(0), identity)
    block.norm2.scale = nnx.Param(jnp.zeros(channels))
    return block
