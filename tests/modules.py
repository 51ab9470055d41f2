"""Networks for which nobody here wrote a table: small ones of the kinds that people bring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

RNGS = nnx.Rngs
CLASSES = 3


class Case(NamedTuple):
    """A network, what it reads, and how many units each of its groups has."""

    build: Callable[[], Any]
    inputs: Any
    sizes: dict[str, int]


def of(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def dense(a: int, b: int, **settings: Any) -> nnx.Linear:
    return nnx.Linear(a, b, rngs=RNGS(0), **settings)


def conv(a: int, b: int, size: int = 3, **settings: Any) -> nnx.Conv:
    return nnx.Conv(a, b, (size, size), rngs=RNGS(0), **settings)


def sequential() -> nnx.Module:
    norm, dropout = nnx.LayerNorm(6, rngs=RNGS(0)), nnx.Dropout(0.5, rngs=RNGS(0))
    return nnx.Sequential(dense(5, 6), norm, nnx.gelu, dropout, dense(6, 7), nnx.relu, dense(7, CLASSES))


class GroupNormed(nnx.Module):
    """A CNN without biases, with GroupNorm, whose groups are two of four channels."""

    def __init__(self) -> None:
        self.conv1, self.norm = conv(2, 8, use_bias=False), nnx.GroupNorm(8, num_groups=2, rngs=RNGS(0))
        self.conv2, self.head = conv(8, 5, use_bias=False), dense(5, CLASSES, use_bias=False)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.avg_pool(nnx.silu(self.norm(self.conv1(x))), (2, 2), (2, 2))
        return self.head(nnx.relu(self.conv2(x)).mean((1, 2)))


class Separable(nnx.Module):
    """Depthwise convolutions, each followed by a pointwise one; BatchNorm behind."""

    def __init__(self) -> None:
        self.stem = conv(2, 4)
        self.depthwise, self.pointwise = conv(4, 4, feature_group_count=4), conv(4, 6, 1)
        self.norm, self.multiplied = nnx.BatchNorm(6, rngs=RNGS(0)), conv(6, 12, feature_group_count=6)
        self.head = dense(12, CLASSES)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.pointwise(self.depthwise(nnx.relu(self.stem(x))))
        return self.head(nnx.relu6(self.multiplied(nnx.relu(self.norm(x)))).max((1, 2)))


class Bottleneck(nnx.Module):
    """1×1, 3×3, 1×1 around a skip connection, which is a projection where the shape changes."""

    def __init__(self, channels: int, inner: int, out: int, stride: int) -> None:
        self.conv1, self.conv2, self.conv3 = (
            conv(channels, inner, 1),
            conv(inner, inner, strides=stride),
            conv(inner, out, 1),
        )
        self.norm1, self.norm2, self.norm3 = (nnx.BatchNorm(n, rngs=RNGS(0)) for n in (inner, inner, out))
        self.project = conv(channels, out, 1, strides=stride) if channels != out else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = nnx.relu(self.norm2(self.conv2(nnx.relu(self.norm1(self.conv1(x))))))
        return nnx.relu(self.norm3(self.conv3(y)) + (self.project(x) if self.project else x))


class Bottlenecks(nnx.Module):
    def __init__(self) -> None:
        self.stem, self.head = conv(2, 4), dense(8, CLASSES)
        self.blocks = nnx.List([Bottleneck(4, 2, 4, 1), Bottleneck(4, 3, 8, 2), Bottleneck(8, 3, 8, 1)])

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((1, 2)))


class Dense(nnx.Module):
    """A DenseNet block: every layer reads all before it, side by side."""

    def __init__(self) -> None:
        self.stem, self.grow = conv(2, 4), nnx.List([conv(4, 3), conv(7, 3), conv(10, 3)])
        self.norm, self.head = nnx.BatchNorm(13, rngs=RNGS(0)), dense(13 * 4, CLASSES)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.stem(x)
        for layer in self.grow:
            x = jnp.concatenate([x, nnx.relu(layer(x))], -1)
        return self.head(nnx.max_pool(nnx.relu(self.norm(x)), (2, 2), (2, 2)).reshape(len(x), -1))


class UNet(nnx.Module):
    """Down, up, and across: the skip is concatenated; logits of every pixel."""

    def __init__(self) -> None:
        self.enter, self.down, self.bottom = conv(2, 4), conv(4, 6, strides=2), conv(6, 6)
        self.up, self.join = nnx.ConvTranspose(6, 5, (2, 2), strides=(2, 2), rngs=RNGS(0)), conv(9, 4)
        self.head = conv(4, CLASSES, 1)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.enter(x))
        y = nnx.relu(self.bottom(nnx.relu(self.down(x))))
        return self.head(nnx.relu(self.join(jnp.concatenate([self.up(y), x], -1))))


class Mixer(nnx.Module):
    """MLP-Mixer: patches, an MLP across patches, an MLP across channels."""

    def __init__(self) -> None:
        self.patches = nnx.Conv(2, 8, (2, 2), strides=2, padding="VALID", rngs=RNGS(0))
        self.norm1, self.norm2, self.norm3 = (nnx.LayerNorm(8, rngs=RNGS(0)) for _ in range(3))
        self.token1, self.token2, self.channel1, self.channel2 = dense(4, 5), dense(5, 4), dense(8, 6), dense(6, 8)
        self.head = dense(8, CLASSES)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.patches(x)
        x = x.reshape(len(x), -1, x.shape[-1])
        y = self.norm1(x).swapaxes(1, 2)
        x = x + self.token2(nnx.gelu(self.token1(y))).swapaxes(1, 2)
        x = x + self.channel2(nnx.gelu(self.channel1(self.norm2(x))))
        return self.head(self.norm3(x).mean(1))


class Encoder(nnx.Module):
    """A pre-norm block with the attention of Flax."""

    def __init__(self, hidden: int, heads: int, ffn: int) -> None:
        self.norm1, self.norm2 = (nnx.LayerNorm(hidden, rngs=RNGS(0)) for _ in range(2))
        self.attention = nnx.MultiHeadAttention(heads, hidden, decode=False, rngs=RNGS(0))
        self.up, self.down = dense(hidden, ffn), dense(ffn, hidden)

    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        x = x + self.attention(self.norm1(x), mask=mask)
        return x + self.down(nnx.gelu(self.up(self.norm2(x))))


class ViT(nnx.Module):
    """Patches, a class token, positions, a block, the class token's logits."""

    def __init__(self) -> None:
        self.patches = nnx.Conv(2, 8, (2, 2), strides=2, padding="VALID", rngs=RNGS(0))
        self.token = nnx.Param(of((1, 1, 8)))
        self.positions = nnx.Param(of((1, 5, 8)))
        self.block, self.norm, self.head = Encoder(8, 2, 6), nnx.LayerNorm(8, rngs=RNGS(0)), dense(8, CLASSES)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.patches(x)
        x = x.reshape(len(x), -1, x.shape[-1])
        x = jnp.concatenate([jnp.repeat(self.token[...], len(x), 0), x], 1) + self.positions[...]
        return self.head(self.norm(self.block(x))[:, 0])


class GPT(nnx.Module):
    """Pre-norm, causal, with the embeddings as the output layer; query, key and value come from one kernel."""

    def __init__(self) -> None:
        self.tokens, self.positions = nnx.Embed(11, 8, rngs=RNGS(0)), nnx.Embed(6, 8, rngs=RNGS(1))
        self.norm1, self.norm2, self.norm3 = (nnx.LayerNorm(8, rngs=RNGS(0)) for _ in range(3))
        self.qkv, self.out, self.up, self.down = dense(8, 24), dense(8, 8), dense(8, 10), dense(10, 8)

    def attention(self, x: jax.Array) -> jax.Array:
        query, key, value = (y.reshape(*y.shape[:2], -1, 4) for y in jnp.split(self.qkv(x), 3, -1))
        scores = jnp.einsum("bthd,bshd->bhts", query, key) / 2
        causal = jnp.tril(jnp.ones((x.shape[1], x.shape[1]), bool))
        weights = jax.nn.softmax(jnp.where(causal, scores, -1e9))
        return self.out(jnp.einsum("bhts,bshd->bthd", weights, value).reshape(*x.shape[:2], -1))

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))
        x = x + self.attention(self.norm1(x))
        x = x + self.down(nnx.gelu(self.up(self.norm2(x))))
        return self.tokens.attend(self.norm3(x))


class Grouped(nnx.Module):
    """Attention in which two heads of queries share one of keys and values, with RMSNorm and a gated FFN."""

    def __init__(self) -> None:
        self.enter, self.norm1, self.norm2 = dense(5, 8), nnx.RMSNorm(8, rngs=RNGS(0)), nnx.RMSNorm(8, rngs=RNGS(0))
        self.query, self.key, self.value, self.out = dense(8, 16), dense(8, 8), dense(8, 8), dense(16, 8)
        self.gate, self.up, self.down, self.head = dense(8, 6), dense(8, 6), dense(6, 8), dense(8, CLASSES)

    def attention(self, x: jax.Array) -> jax.Array:
        query = self.query(x).reshape(*x.shape[:2], 4, 4)
        key, value = (jnp.repeat(y(x).reshape(*x.shape[:2], 2, 4), 2, 2) for y in (self.key, self.value))
        weights = jax.nn.softmax(jnp.einsum("bthd,bshd->bhts", query, key))
        return self.out(jnp.einsum("bhts,bshd->bthd", weights, value).reshape(*x.shape[:2], -1))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.enter(x)
        x = x + self.attention(self.norm1(x))
        y = self.norm2(x)
        return self.head((x + self.down(nnx.silu(self.gate(y)) * self.up(y))).mean(1))


class Recurrent(nnx.Module):
    """A recurrent cell of Flax over time, and a dense layer on its last output."""

    def __init__(self, cell: type[nnx.Module]) -> None:
        self.rnn, self.head = nnx.RNN(cell(3, 6, rngs=RNGS(0))), dense(6, CLASSES)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.rnn(x)[:, -1])


class AutoEncoder(nnx.Module):
    """A bottleneck between two layers, back to the shape of the image."""

    def __init__(self) -> None:
        self.down1, self.down2, self.up1, self.up2 = dense(8, 6), dense(6, 4), dense(4, 6), dense(6, 8)

    def __call__(self, x: jax.Array) -> jax.Array:
        z = self.down2(nnx.elu(self.down1(x.reshape(len(x), -1))))
        return jax.nn.sigmoid(self.up2(nnx.elu(self.up1(z)))).reshape(x.shape)


class Towers(nnx.Module):
    """One tower reads both inputs; what differs between them is classified."""

    def __init__(self) -> None:
        self.tower1, self.tower2, self.head = dense(4, 6), dense(6, 5), dense(10, CLASSES)

    def tower(self, x: jax.Array) -> jax.Array:
        return nnx.tanh(self.tower2(nnx.relu(self.tower1(x))))

    def __call__(self, inputs: dict[str, jax.Array]) -> jax.Array:
        a, b = self.tower(inputs["a"]), self.tower(inputs["b"])
        return self.head(jnp.concatenate([jnp.abs(a - b), a * b], -1))


class Experts(nnx.Module):
    """A mixture of experts, all of them weighted by a softmax."""

    def __init__(self) -> None:
        self.enter, self.router, self.head = dense(5, 7), dense(7, 4), dense(7, CLASSES)
        self.up, self.bias = nnx.Param(of((4, 7, 6))), nnx.Param(of((4, 6)))
        self.down = nnx.Param(of((4, 6, 7)))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.enter(x)
        share = jax.nn.softmax(self.router(x))
        h = nnx.relu(jnp.einsum("bi,eih->beh", x, self.up[...]) + self.bias[...])
        return self.head(jnp.einsum("beh,eho,be->bo", h, self.down[...], share))


class ChannelsFirst(nnx.Module):
    """Kernels of convolutions as (out, in, height, width), on images with channels first; the last is flattened."""

    def __init__(self) -> None:
        self.kernel1, self.kernel2 = nnx.Param(of((6, 2, 3, 3))), nnx.Param(of((5, 6, 3, 3)))
        self.head = dense(5 * 16, CLASSES)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.transpose(0, 3, 1, 2)
        for kernel in (self.kernel1, self.kernel2):
            x = nnx.relu(jax.lax.conv_general_dilated(x, kernel[...], (1, 1), "SAME"))
        return self.head(x.reshape(len(x), -1))


class Transposed(nnx.Module):
    """Kernels as (out, in), which are turned where they are read."""

    def __init__(self) -> None:
        self.up, self.bias = nnx.Param(of((6, 5))), nnx.Param(of((6,)))
        self.inner, self.head = nnx.Param(of((7, 6))), nnx.Param(of((CLASSES, 7)))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.tanh(x @ self.up.T + self.bias)
        return nnx.gelu(x @ self.inner.T) @ self.head.T


class Shuffled(nnx.Module):
    """Grouped convolutions, whose channels are shuffled in between, and pixels made of channels."""

    def __init__(self) -> None:
        self.enter, self.grouped1 = conv(2, 6), conv(6, 6, 1, feature_group_count=2)
        self.grouped2, self.last, self.head = conv(6, 12, feature_group_count=3), conv(3, 5), dense(5, CLASSES)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.grouped1(nnx.relu(self.enter(x))))
        b, h, w, _ = x.shape
        x = nnx.relu(self.grouped2(x.reshape(b, h, w, 2, 3).swapaxes(3, 4).reshape(b, h, w, 6)))
        x = x.reshape(b, h, w, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, -1)
        return self.head(nnx.relu(self.last(x)).mean((1, 2)))


class Stacked(nnx.Module):
    """Layers in one array, through which a loop runs, and attention of Flax with shared keys and values."""

    def __init__(self) -> None:
        self.enter, self.head = dense(5, 8), dense(8, CLASSES)
        self.layers = nnx.vmap(lambda rngs: nnx.Linear(8, 8, rngs=rngs))(RNGS(0).fork(split=3))
        self.attention = nnx.MultiHeadAttention(4, 8, num_kv_heads=2, decode=False, rngs=RNGS(0))

    def __call__(self, x: jax.Array) -> jax.Array:
        run = nnx.scan(lambda x, layer: nnx.relu(layer(x)), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        return self.head(self.attention(run(self.enter(x), self.layers)).mean(1))


PIXELS, TOKENS, SERIES = of((4, 4, 4, 2)), np.arange(24).reshape(4, 6) % 11, of((4, 5, 3))
BOTTLENECKS = {"blocks.0.conv1": 2, "blocks.0.conv2": 2, "blocks.1.conv1": 3, "blocks.1.conv2": 3, "blocks.1.conv3": 8}
HEADS = {"block.attention.query.blocks": 2, "block.attention.query.within": 4, "block.attention.value": 4}
SHARED = {"attention.query.1": 2, "attention.query.2": 2, "attention.query.3": 2}
CASES: dict[str, Case] = {
    "sequential": Case(sequential, of((4, 5)), {"layers.0": 6, "layers.4": 7}),
    "group norm": Case(GroupNormed, PIXELS, {"conv1.blocks": 2, "conv1.within": 4, "conv2": 5}),
    "separable": Case(Separable, PIXELS, {"stem": 4, "pointwise": 6, "multiplied": 2}),
    "bottlenecks": Case(Bottlenecks, PIXELS, {"stem": 4, **BOTTLENECKS, "blocks.2.conv1": 3, "blocks.2.conv2": 3}),
    "densenet": Case(Dense, PIXELS, {"stem": 4, "grow.0": 3, "grow.1": 3, "grow.2": 3}),
    "unet": Case(UNet, PIXELS, {"enter": 4, "down": 6, "bottom": 6, "up": 5, "join": 4}),
    "mixer": Case(Mixer, PIXELS, {"patches": 8, "token1": 5, "channel1": 6}),
    "vit": Case(ViT, PIXELS, {"patches": 8, **HEADS, "block.up": 6}),
    "gpt": Case(GPT, TOKENS, {"tokens": 8, "qkv.1": 2, "qkv.2": 4, "qkv.3": 4, "up": 10}),
    "grouped queries": Case(
        Grouped, of((4, 6, 5)), {"enter": 8, "query.1": 2, "query.2": 2, "query.3": 4, "value": 4, "gate": 6}
    ),
    "lstm": Case(lambda: Recurrent(nnx.OptimizedLSTMCell), SERIES, {"rnn.cell.dense_i": 6}),
    "gru": Case(lambda: Recurrent(nnx.GRUCell), SERIES, {"rnn.cell.dense_i": 6}),
    "autoencoder": Case(AutoEncoder, PIXELS[:, :2, :2], {"down1": 6, "down2": 4, "up1": 6}),
    "towers": Case(Towers, {"a": of((4, 4)), "b": of((4, 4))[::-1]}, {"tower1": 6, "tower2": 5}),
    "channels first": Case(ChannelsFirst, PIXELS, {"kernel1": 6, "kernel2": 5}),
    "transposed": Case(Transposed, of((4, 5)), {"up": 6, "inner": 7}),
    "shuffled": Case(Shuffled, PIXELS, {"enter.blocks": 2, "enter.within": 3, "last": 5}),
    "stacked": Case(Stacked, of((4, 6, 5)), {"enter": 8, **SHARED, "attention.value": 2, "attention.out": 8}),
    "experts": Case(Experts, of((4, 5)), {"enter": 7, "router": 4, "up": 6, "down": 7}),
}
RIGID = {  # what cannot be widened: features within heads, arrays that make and read, sizes in the user's code
    "vit": {"block.attention.query.within", "block.attention.value"},
    "gpt": {"tokens", "qkv.2", "qkv.3"},
    "grouped queries": {"query.1", "query.2", "query.3", "value"},
    "experts": {"router"},
    "shuffled": {"enter.blocks"},
    "stacked": {"attention.query.3", "attention.value"},
}


def drawn(build: Callable[[], Any]) -> Any:
    """What `build` returns, its arrays drawn on the host, which compiles nothing; no two entries are alike."""
    graphdef, state = nnx.split(nnx.eval_shape(build))
    rng = np.random.default_rng(7)

    def draw(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return (
                jax.random.key(0)
                if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
                else jnp.zeros(leaf.shape, leaf.dtype)
            )
        spread = rng.uniform(0.3, 1, leaf.shape) if len(leaf.shape) < 2 else rng.normal(size=leaf.shape)
        return jnp.asarray((0.7 * spread).astype(leaf.dtype))

    return nnx.merge(graphdef, jax.tree.map(draw, state))
