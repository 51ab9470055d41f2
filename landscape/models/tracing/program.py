"""A network's computation as one flat list of steps: its jaxpr with every call inlined, and without dead code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
from jax._src import source_info_util
from jax.extend import core

from landscape.numerics.convolution import convolution

CALLS = {  # primitives that run a function and do nothing else, with the parameter that holds it
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "eval_jaxpr": "jaxpr",
}
FLAX, ENTRY = str(Path(flax.__file__).parent), str(Path(__file__).parent)


@dataclass(frozen=True)
class Constant:
    """A value that is known when the network is traced."""

    value: Any


Operand = int | Constant  # a value of the program by its number


@dataclass(frozen=True)
class Step:
    """One operation. `avals` are the shapes and types of what it makes; `place` is the user's line of code."""

    primitive: Any
    params: dict[str, Any]
    operands: tuple[Operand, ...]
    results: tuple[int, ...]
    avals: tuple[Any, ...]
    place: str

    def evaluated(self, operands: Sequence[Any]) -> list[Any]:
        """What the step makes of these operands."""
        if self.primitive is jax.lax.conv_general_dilated_p:
            settings = {"strides" if name == "window_strides" else name: each for name, each in self.params.items()}
            return [convolution(*map(jnp.asarray, operands), **settings)]
        made = self.primitive.bind(*operands, **self.primitive.get_bind_params(self.params))
        return list(made) if self.primitive.multiple_results else [made]


@dataclass(frozen=True)
class Program:
    """Steps in order, from the values numbered `inputs` to `outputs`; `avals` are shapes and types of the inputs."""

    inputs: tuple[int, ...]
    avals: tuple[Any, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Operand, ...]

    @property
    def end(self) -> int:
        """The value that is returned. Raises ValueError where that is a constant."""
        (last,) = self.outputs
        if isinstance(last, Constant):
            raise ValueError("the outputs are the same for all inputs and arrays")
        return last

    def outline(self) -> tuple[Any, ...]:
        """What does not depend on sizes: which operations there are, and what each reads."""
        return tuple((s.primitive.name, tuple(o for o in s.operands if isinstance(o, int))) for s in self.steps)


def program(jaxpr: core.ClosedJaxpr) -> Program:
    """A jaxpr without its calls. Numbers of values are unique, however often a function is called."""
    steps: list[Step] = []
    numbers = iter(range(10**9))
    inputs = tuple(next(numbers) for _ in jaxpr.jaxpr.invars)
    outputs = _inline(jaxpr.jaxpr, jaxpr.consts, inputs, steps, numbers.__next__, "")
    return Program(inputs, tuple(var.aval for var in jaxpr.jaxpr.invars), tuple(_alive(steps, outputs)), outputs)


def _inline(
    jaxpr: Any,
    constants: Sequence[Any],
    operands: Sequence[Operand],
    steps: list[Step],
    number: Callable[[], int],
    place: str,
) -> tuple[Operand, ...]:
    """Append the steps of a function. Inside a call, the line is the caller's: JAX keeps the traces of its own."""
    values: dict[Any, Operand] = dict(zip(jaxpr.constvars, map(Constant, constants), strict=True))
    values |= zip(jaxpr.invars, operands, strict=True)

    def read(var: Any) -> Operand:
        return Constant(var.val) if isinstance(var, core.Literal) else values[var]

    for eqn in jaxpr.eqns:
        operands, line = tuple(map(read, eqn.invars)), place or user_line(eqn.source_info)
        called = eqn.params.get(CALLS.get(eqn.primitive.name, ""))
        if called is not None:
            inner, consts = closed(called)
            results = _inline(inner, consts, operands, steps, number, line)
        else:
            numbers = tuple(number() for _ in eqn.outvars)
            avals = tuple(var.aval for var in eqn.outvars)
            steps.append(Step(eqn.primitive, eqn.params, operands, numbers, avals, line))
            results = numbers
        values |= zip(eqn.outvars, results, strict=True)
    return tuple(map(read, jaxpr.outvars))


def closed(jaxpr: Any) -> tuple[Any, Sequence[Any]]:
    """A jaxpr and its constants."""
    return (jaxpr.jaxpr, jaxpr.consts) if isinstance(jaxpr, core.ClosedJaxpr) else (jaxpr, ())


def _alive(steps: Sequence[Step], outputs: Iterable[Operand]) -> list[Step]:
    """The steps on which the outputs depend."""
    needed, kept = {each for each in outputs if isinstance(each, int)}, []
    for step in reversed(steps):
        if needed & {*step.results}:
            kept.append(step)
            needed |= {each for each in step.operands if isinstance(each, int)}
    return kept[::-1]


def user_line(source: Any) -> str:
    """File and line of the user's code from which an equation comes; of a layer of Flax, if there is none."""
    every = source_info_util.user_frames(source.traceback)
    frames = list(takewhile(lambda frame: not frame.file_name.startswith(ENTRY), every))
    own = [frame for frame in frames if not frame.file_name.startswith(FLAX)] or frames
    return f"{Path(own[0].file_name).name}:{own[0].start_line}" if own else ""


def evaluate(steps: Iterable[Step], values: dict[int, Any]) -> dict[int, Any]:
    """Run steps on what is known, and add what they make."""
    for step in steps:
        operands = [each.value if isinstance(each, Constant) else values[each] for each in step.operands]
        values |= zip(step.results, step.evaluated(operands), strict=True)
    return values


def traced_program(function: Callable[..., Any], *arguments: Any) -> tuple[Program, Any]:
    """The program of a function, whose inputs are the leaves of these arguments, and the shapes of what it returns."""
    jaxpr, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    return program(jaxpr), shapes


def numbers(steps: Iterable[Step]) -> set[int]:
    """The values that some steps read."""
    return {each for step in steps for each in step.operands if isinstance(each, int)}


def results(steps: Iterable[Step]) -> set[int]:
    """The values that some steps make."""
    return {each for step in steps for each in step.results}


def dependent(steps: Sequence[Step], on: Collection[int]) -> list[bool]:
    """Which steps depend on these values."""
    known, found = {*on}, []
    for step in steps:
        found.append(bool(known & numbers([step])))
        known |= {*step.results} if found[-1] else set()
    return found


def behind(steps: Sequence[Step], number: int) -> list[int]:
    """The places of the steps on which a value depends, in order."""
    needed, found = {number}, []
    for place in range(len(steps) - 1, -1, -1):
        if needed & {*steps[place].results}:
            found.append(place)
            needed |= numbers([steps[place]])
    return found[::-1]
