"""What follows from the structure of arguments and the shapes of their arrays, found once for all that are alike."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import Any, TypeVar

import jax
import numpy as np

R = TypeVar("R")
MOST = (
    256  # structures that one function knows: a study has a few for each candidate, and a worker computes many studies
)


def once_a_structure(find: Callable[..., R]) -> Callable[..., R]:
    """The same function of trees of arrays, which is called once for all arguments of one structure.

    It knows the `MOST` structures that were asked for last. Its result must follow from the structure of the trees and
    from the shapes and types of their arrays, and hold no array itself.

    >>> import numpy as np
    >>> from landscape.numerics.structure import once_a_structure
    >>> found = []
    >>> size = once_a_structure(lambda tree: found.append(tree) or tree["x"].size)
    >>> size({"x": np.zeros(3)}), size({"x": np.ones(3)}), size({"x": np.ones(4)}), len(found)
    (3, 3, 4, 2)
    """
    known: OrderedDict[Hashable, R] = OrderedDict()
    lock = Lock()  # tasks of two studies may ask in two threads

    @wraps(find)
    def looked_up(*trees: Any) -> R:
        leaves, structure = jax.tree.flatten(trees)
        key = structure, tuple((np.shape(leaf), getattr(leaf, "dtype", type(leaf))) for leaf in leaves)
        with lock:
            if key in known:
                known.move_to_end(key)
                return known[key]
        found = find(*trees)  # which may look up another function
        with lock:
            known[key] = found
            if len(known) > MOST:
                known.popitem(last=False)
        return found

    return looked_up
