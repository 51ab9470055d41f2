"""How much memory there is, and how much a function needs, from its trace alone: nothing is compiled or run."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

UNTOLD = 8 * 2**30  # bytes taken for the memory of an accelerator whose allocator does not tell


def device_bytes() -> int | None:
    """Memory of the accelerator that computes here; None on a processor."""
    if jax.default_backend() == "cpu":
        return None
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", UNTOLD)


def room(on_a_processor: int) -> int:
    """Bytes for what is there at once: so many on a processor, an eighth of an accelerator's memory."""
    limit = device_bytes()
    return on_a_processor if limit is None else limit // 8


def tree_bytes(tree: Any) -> int:
    """Of all arrays in a tree, or of all shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


class Made(NamedTuple):
    """Bytes of the largest array that a function makes on the way, and of all of them: more than are there at once."""

    largest: int
    total: int


def made(function: Callable[..., Any], static: Mapping[str, Hashable], **arguments: Any) -> Made:
    """What `function(**static, **arguments)` makes; one trace serves all calls of like shapes.

    Arguments are trees of arrays or of shapes. What a loop makes counts once.
    """
    leaves, structure = jax.tree.flatten(arguments)
    shapes = tuple((tuple(leaf.shape), leaf.dtype) for leaf in leaves)
    return _made(function, tuple(sorted(static.items())), structure, shapes)


@cache
def _made(function: Callable[..., Any], static: tuple[tuple[str, Any], ...], structure: Any, shapes: Any) -> Made:
    arguments = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*each) for each in shapes])
    traced = jax.make_jaxpr(lambda arguments: function(**dict(static), **arguments))(arguments)
    sizes = [array.size * array.dtype.itemsize for array in _outputs(traced.jaxpr)]
    return Made(max(sizes, default=0), sum(sizes))


def _outputs(jaxpr: Jaxpr) -> Iterator[Any]:
    """What every operation makes, those inside others included."""
    for operation in jaxpr.eqns:
        yield from (variable.aval for variable in operation.outvars)
        for inner in _inside(operation):
            yield from _outputs(inner)


def _inside(operation: JaxprEqn) -> Iterator[Jaxpr]:
    for parameter in operation.params.values():
        for each in parameter if isinstance(parameter, tuple | list) else (parameter,):
            if isinstance(each, ClosedJaxpr):
                yield each.jaxpr
            elif isinstance(each, Jaxpr):
                yield each
