"""Ready-made sets of candidates for any base model, found by asking its description which steps it can take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from pydantic import TypeAdapter

from landscape.study.examples import Examples
from landscape.study.kinds import ModelSpec
from landscape.study.steps import Candidate, Deepen, Widen

FACTORS = (1.25, 1.5, 2.0, 3.0)
LAYERS = (1, 2, 4)
EQUAL = "equal parameter counts"
NEAR = 0.05  # how far the parameter counts of a set may differ from its first one and still be called equal
MOST_EQUAL = 6  # candidates of such a set

STEPS: TypeAdapter[tuple[Widen | Deepen, ...]] = TypeAdapter(Candidate)

Sizes = dict[str, int]
Step = Widen | Deepen
Candidates = list[list[dict[str, Any]]]


def ways(model: ModelSpec, examples: Examples | None = None) -> dict[str, Candidates]:
    """Sets of candidates by what they do to the base: one group wider, several at once, deeper, or all equally large.

    Args:
      model: the base.
      examples: what one example looks like, for the set of equal parameter counts; without it, that set is left out.

    Returns:
      Candidates as a study's file holds them. A set has only steps that the model can take.

    Example:
      >>> from landscape.study.kinds import MlpSpec
      >>> from landscape.study.writing.ways import ways
      >>> found = ways(MlpSpec(hidden=(12, 12)))
      >>> list(found)
      ['hidden1 wider', 'hidden2 wider', 'hidden* wider', 'deeper after hidden1', 'deeper after hidden2']
      >>> found["hidden1 wider"][0]
      [{'widen': 'hidden1', 'factor': 1.25}]
    """
    base = model.group_sizes()
    wider = {f"{name} wider": [Widen(widen=name, factor=factor) for factor in FACTORS] for name in _patterns(base)}
    deeper = {f"deeper after {name}": [Deepen(deepen=name, layers=count) for count in LAYERS] for name in base}
    found = {name: _distinct(model, steps) for name, steps in (wider | deeper).items()}
    equal = list(_equal(model, examples)) if examples else []
    return {name: each for name, each in found.items() if each} | ({EQUAL: equal} if len(equal) > 1 else {})


def expanded(model: ModelSpec, *steps: Step) -> Sizes | None:
    """The group sizes of the model after these steps, or None if it cannot take one of them."""
    sizes = model.group_sizes()
    try:
        for step in steps:
            model.check_step(step, sizes)
            sizes = step.apply(sizes)
    except ValueError:
        return None
    return sizes


def sizes_after(model: ModelSpec, candidate: list[dict[str, Any]]) -> Sizes | None:
    """The group sizes of a candidate that a study's file describes, or None if the model cannot take it.

    Example:
      >>> from landscape.study.kinds import MlpSpec
      >>> from landscape.study.writing.ways import sizes_after
      >>> sizes_after(MlpSpec(hidden=(6,)), [{"widen": "hidden1", "size": 9}])
      {'hidden1': 9}
    """
    try:
        return expanded(model, *STEPS.validate_python(candidate))
    except ValueError:  # pydantic's ValidationError is one
        return None


def _patterns(sizes: Sizes) -> list[str]:
    """The groups, then the patterns that match several: those of one family, such as `conv*`, and all."""
    families = [re.sub(r"\d.*", "", name) + "*" for name in sizes]
    matched: dict[tuple[str, ...], str] = {}
    for pattern in [*sizes, *families, "*"]:
        matched.setdefault(tuple(name for name in sizes if fnmatchcase(name, pattern)), pattern)
    return list(matched.values())


def _distinct(model: ModelSpec, steps: Iterable[Step]) -> Candidates:
    """The steps that the model can take, each as a candidate; of several that end in one network, the first."""
    networks: list[Sizes] = []
    found: Candidates = []
    for step in steps:
        sizes = expanded(model, step)
        if sizes is not None and sizes not in networks:
            networks.append(sizes)
            found.append([_dumped(step)])
    return found


def _equal(model: ModelSpec, examples: Examples) -> Iterator[list[dict[str, Any]]]:
    """Candidates that all have about as many parameters as the base with its first group doubled."""
    base = model.group_sizes()
    doubled = expanded(model, Widen(widen=next(iter(base)), factor=2.0))
    if doubled is None:
        return
    target, count = _parameters(model, doubled, examples), 0
    for steps in (*map(_sizes_of, base), *map(_factors_of, _patterns(base)[len(base) :]), *map(_layers_of, base)):
        step = _nearest(model, steps, target, examples)
        if step is not None and count < MOST_EQUAL:
            count += 1
            yield [_dumped(step)]


def _sizes_of(group: str) -> Any:
    return lambda i: Widen(widen=group, size=i)


def _factors_of(pattern: str) -> Any:
    return lambda i: Widen(widen=pattern, factor=1 + i / 100)


def _layers_of(group: str) -> Any:
    return lambda i: Deepen(deepen=group, layers=i)


def _nearest(model: ModelSpec, steps: Any, target: int, examples: Examples) -> Step | None:
    """Of the steps of a growing sequence, the one whose network is nearest to the target; None if none is near."""
    low, high = 1, 2**16

    def count(i: int) -> float:
        try:
            sizes = expanded(model, steps(i))
        except ValueError:  # beyond what a step allows
            return float("inf")
        return 0 if sizes is None else _parameters(model, sizes, examples)

    while low < high:  # the first step with at least as many parameters
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= target else (middle + 1, high)
    best = min((max(low - 1, 1), low), key=lambda i: abs(count(i) - target))
    return steps(best) if abs(count(best) - target) <= NEAR * target else None


def _parameters(model: ModelSpec, sizes: Sizes, examples: Examples) -> int:
    return sum(layer.parameters for layer in model.linear_layers(sizes, examples))


def _dumped(step: Step) -> dict[str, Any]:
    return step.model_dump(mode="json", exclude_none=True)
