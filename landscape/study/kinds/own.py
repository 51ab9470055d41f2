"""Modules of one's own: a Flax NNX network that a function of the user builds.

A description holds what looking at results needs to know of the network, as plain fields. So a stored result opens
everywhere, without the code, and nothing that reads a description runs any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, ClassVar, Literal, Self

from landscape.study.base import Frozen, written_as
from landscape.study.examples import Examples, Modality
from landscape.study.kinds.base import ModelSpec
from landscape.study.kinds.layers import Layer
from landscape.study.sources import Sourced, SourcePath, digest
from landscape.study.steps import Deepen, Widen

FUNCTION = "the path of a file of Python and the name of a function in it, as net.py:build"


class Units(Frozen):
    """A unit group of a network: its name and size, whether copies can widen it, and only all equally often."""

    name: str
    size: int
    widenable: bool = True
    even: bool = False


class Counted(Frozen):
    """What one network of a study costs: the sizes of its groups, parameters, and multiply-adds of one example."""

    sizes: tuple[tuple[str, int], ...]
    parameters: int
    multiply_adds: int


class FoundModule(Frozen):
    """What building and tracing a module has told.

    Attributes:
      groups: its unit groups.
      deepens: whether it can be deepened.
      batch_norm: whether it has BatchNorm.
      networks: the costs of the base and of each candidate.
    """

    groups: tuple[Units, ...]
    deepens: bool
    batch_norm: bool
    networks: tuple[Counted, ...] = ()


class OwnSpec(ModelSpec, Sourced, title="Own module"):
    """A Flax NNX module that a function of your own builds, `build(shape, classes, rngs)`.

    `module` is the path of a file of Python and the name of the function in it, as "net.py:build". It is empty for a
    function of a notebook, which `landscape.run` is given. `content` is a hash of the file and the name, or of the
    computation of the function.

    Example:
      >>> from landscape.study.kinds.own import OwnSpec
      >>> OwnSpec(module="net.py:build").path.name
      'net.py'
    """

    modality: ClassVar[Modality | None] = None
    located_by: ClassVar[str] = "module"
    unkeyed: ClassVar[frozenset[str]] = frozenset({"module", "found"})

    kind: Literal["own"] = "own"
    module: Annotated[SourcePath, written_as(r"(.*\.py:[A-Za-z_]\w*)?", FUNCTION)] = ""
    found: FoundModule | None = None

    @property
    def path(self) -> Path:
        """The file of the code."""
        return Path(self.module.rpartition(":")[0])

    @property
    def builder(self) -> str:
        """The name of the function in the file."""
        return self.module.rpartition(":")[2]

    @property
    def unread(self) -> bool:
        """Whether the module has a file, and its hash is not known yet."""
        return bool(self.module) and self.content is None

    def identified(self) -> Self:
        """The same with a hash of the file as it is now. Raises ValueError where it cannot be read."""
        return self.model_copy(update={"content": module_digest(digest(self.path), self.builder), "found": None})

    @property
    def described(self) -> bool:
        """Whether the module has been built and traced."""
        return self.found is not None

    @property
    def batch_norm(self) -> bool:  # type: ignore[override]  # of other kinds, all networks have it or none
        """Whether the module has BatchNorm."""
        return self.facts.batch_norm

    @property
    def refusal(self) -> str:
        """Why the app and workers elsewhere do not compute a study of this network."""
        if not self.module:
            return (
                "its model names no `module` such as net.py:build, so only `landscape.run(study, build=…)` computes it"
            )
        return (
            "its network is code of one's own, which runs only by `python -m landscape run STUDY.toml`, with the "
            f"file of the study that names {self.module}, or in a notebook by `landscape.run`"
        )

    @property
    def facts(self) -> FoundModule:
        """What is known of the module. Raises ValueError before it has been built."""
        if self.found is None:
            raise ValueError(f"the groups of {self.module or 'the module'} are not known before it is built")
        return self.found

    def group_sizes(self) -> dict[str, int]:
        """The size of each group that was found, or that the module's own table lists."""
        return {units.name: units.size for units in self.facts.groups}

    def with_sizes(self, sizes: Mapping[str, int]) -> OwnSpec:
        """The module itself. Raises ValueError for other sizes, which its function does not take."""
        if dict(sizes) != self.group_sizes():
            raise ValueError(
                "a module of your own has one width, so none is drawn wider: neither expansion.start = 'random' nor "
                "units = 'silent' or 'random' is for it"
            )
        return self

    def check_step(self, step: Widen | Deepen, sizes: Mapping[str, int]) -> None:
        """Raise ValueError for groups that copies do not widen, or not to any size, and for a module of fixed depth."""
        if isinstance(step, Deepen):
            if not self.facts.deepens:
                raise ValueError(f"deepen {step.deepen!r}: the module has no method `deepened`")
            return
        for units in self.facts.groups:
            if fnmatchcase(units.name, step.widen):
                self._check_widening(units, step, sizes)

    def _check_widening(self, units: Units, step: Widen, sizes: Mapping[str, int]) -> None:
        if not units.widenable:
            allowed = ", ".join(each.name for each in self.facts.groups if each.widenable) or "none"
            reason = "copying its units changes the function, or a layer keeps sizes that are not known"
            raise ValueError(f"{units.name} cannot be widened: {reason}; {allowed} can")
        old = sizes[units.name]
        new = step.model_copy(update={"widen": units.name}).apply({units.name: old})[units.name]
        if units.even and new % old:
            reason = "only copying each unit equally often preserves the function"
            raise ValueError(f"{units.name} = {new} is no whole multiple of {old}: {reason}")

    def linear_layers(self, sizes: Mapping[str, int], examples: Examples) -> list[Layer]:
        """The counts of a network of the study, as one layer of all products and one of all parameters.

        Raises ValueError for sizes that no network of the study has.
        """
        found = next((each for each in self.facts.networks if dict(each.sizes) == dict(sizes)), None)
        if found is None:
            raise ValueError("the multiply-adds of a module of your own are known once its study is computed")
        products = Layer("products", found.multiply_adds, 1, 1, own=False, beside=0)
        return [products, Layer("parameters", found.parameters, 0, 0)]

    def build(self, shape: tuple[int, ...], classes: int, rngs: Any) -> Any:
        """The network of the function, where the command line or a notebook has handed it over.

        Raises ValueError elsewhere: a description does not bring the code with it, and is never followed to it.
        """
        return resolve_name("landscape.models.own:built")(self, shape, classes, rngs)


def module_digest(file: str, builder: str) -> str:
    """The SHA-256 that names a function in a file, from that of the file."""
    return hashlib.sha256(f"{file}:{builder}".encode()).hexdigest()
