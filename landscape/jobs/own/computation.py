"""What names a function of a notebook, which lies in no file: a hash of what it computes."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from flax import nnx

from landscape.models.functional import Network, split

ADDRESS = re.compile("0x[0-9a-f]+")  # of functions in memory, which printed programs name


def computation_digest(build: Callable[..., Any], shape: tuple[int, ...], classes: int, inputs: Any) -> str:
    """The SHA-256 of how a function draws weights, and of how its networks evaluate and train on inputs of this shape.

    These are JAX's programs, constants included, so another version of JAX may give another hash; texts and names of
    the code do not matter. Of the optional methods `groups` and `deepened` it is the table and the source.

    Raises ValueError where the function cannot be run, or the source of `deepened` cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for part in _parts(build, shape, classes, inputs):
            digest.update(part)
    except Exception as error:  # whatever the user's function raises
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"build({shape}, {classes}, rngs) fails: {type(error).__name__}: {first}") from error
    return digest.hexdigest()


def _parts(build: Callable[..., Any], shape: tuple[int, ...], classes: int, inputs: Any) -> Iterator[bytes]:
    def drawn(key: Any) -> Any:
        return split(build(shape, classes, nnx.Rngs(key))).weights

    def trained(network: Network, inputs: Any) -> Any:
        model = network.module()
        model.train()
        return model(inputs)

    model = build(shape, classes, nnx.Rngs(0))
    network = split(model)
    yield from _program(jax.make_jaxpr(drawn)(jax.random.key(0)))
    for forward in (Network.logits, trained):
        yield from _program(jax.make_jaxpr(forward)(network, inputs))
    if hasattr(model, "groups"):
        yield repr(model.groups()).encode()
    if hasattr(model, "deepened"):
        yield inspect.getsource(type(model).deepened).encode()


def _program(program: Any) -> Iterator[bytes]:
    yield ADDRESS.sub("", str(program.jaxpr)).encode()
    for constant in program.consts:
        yield np.asarray(constant).tobytes()
