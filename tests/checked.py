"""Types and shapes are checked while tests run; a function that names no shape takes a tenth of the time so."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from functools import partial
from typing import Any, ParamSpecArgs, get_type_hints

import jaxtyping

whole = jaxtyping.jaxtyped


def check(modules: Iterable[str]) -> None:
    """Has what is annotated in these modules checked from when they are imported.

    For each call jaxtyping binds arguments to the signature, keeps sizes by name and checks all arguments twice, as
    sizes ask for. Where no shape is named, the checker of types alone gives the same verdict.
    """
    jaxtyping.jaxtyped = lambda *, typechecker: partial(checked, check=typechecker)  # what the hook writes into modules
    with warnings.catch_warnings():
        jaxtyping.install_import_hook([*modules], "beartype.beartype")


def checked(made: Any, check: Callable[[Any], Any]) -> Any:
    """A function or a data class as jaxtyping has it checked, or quicker where it names no shape."""
    if inspect.isfunction(made) and not names_a_shape(made):
        return check(made)
    if inspect.isclass(made) and is_dataclass(made) and not names_a_shape(made.__init__):
        made.__init__ = check(made.__init__)
        return made
    return whole(made, typechecker=check)


def names_a_shape(function: Callable[..., Any]) -> bool:
    """Whether a type of jaxtyping, or one that is made of some, stands in its annotations.

    So it is said also of what jaxtyping reads and beartype does not: `P.args`, and what cannot be evaluated.
    """
    try:
        hints = get_type_hints(function).values()
    except (AttributeError, NameError):
        return True
    return any("jaxtyping." in repr(hint) or isinstance(hint, ParamSpecArgs) for hint in hints)
