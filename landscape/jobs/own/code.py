"""The one place that runs code of one's own: a file that the command line or a notebook was given.

A study that was stored, sent or uploaded names such a file too, and never comes here: it is described already, and
`described` refuses it.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from landscape.study.kinds.own import OwnSpec, module_digest
from landscape.study.user_files import content_of


def builder(spec: OwnSpec) -> Callable[..., Any]:
    """The function of a file, which is run from what was hashed.

    Raises ValueError where the file cannot be read, has changed since it was hashed, reads another file beside it,
    fails, or has no such function.
    """
    path = spec.path
    try:
        source = content_of(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if module_digest(hashlib.sha256(source).hexdigest(), spec.builder) != spec.content:
        raise ValueError(f"{path} has changed since the study was read; read the study again")
    module = _run(path, source)
    function = getattr(module, spec.builder, None)
    if not callable(function):
        raise ValueError(f"{path} has no function {spec.builder}(shape, classes, rngs)")
    return function


def _run(path: Path, source: bytes) -> ModuleType:
    module = ModuleType(f"own_{hashlib.sha256(source).hexdigest()[:16]}")
    module.__file__ = str(path)
    try:
        tree = ast.parse(source, str(path))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is not Python: {error}") from None
    _check_alone(path, tree)
    sys.modules[module.__name__] = module  # where dataclasses look for the module of a class
    try:
        exec(compile(tree, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path} cannot be imported: {type(error).__name__}: {first}") from error
    return module


def _check_alone(path: Path, tree: ast.Module) -> None:
    """The study's key has a hash of this file only, so what it computes must not lie in another one beside it."""
    imported = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    imported += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for name in imported:
        top = name.partition(".")[0]
        if top == "landscape":  # which lies beside a file at the top of a checkout
            continue
        if (path.parent / f"{top}.py").exists() or (path.parent / top / "__init__.py").exists() or not top:
            raise ValueError(
                f"{path} imports {name or 'a module'} from beside it, and a study knows one file only: put all into it"
            )
