"""Where a program is a chain at a group.

That is: a dense or convolution layer and its bias make z; operations that act on every unit alone make h of it, and of
arrays that have one number a unit, such as those of BatchNorm; one dense or convolution layer reads h, directly or
flattened; and nothing else reads z, h or the group's arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from landscape.models.tracing.analysis import EXAMPLES, Analysis
from landscape.models.tracing.axes import atoms, resolved
from landscape.models.tracing.inference import Value
from landscape.models.tracing.output_layer import SUMS, OutputLayer, output_layer
from landscape.models.tracing.program import Constant, Step, behind, dependent, numbers, results
from landscape.models.tracing.rules import elementwise, reductions

RESIZED = {"reshape": "new_sizes", "broadcast_in_dim": "shape", "slice": "limit_indices"}  # that hold a shape
UNITWISE = {*elementwise.RULES, *reductions.RULES, *RESIZED, "pad", "squeeze", "transpose"}
RENAMED = ("reshape", "broadcast_in_dim", "squeeze", "transpose", "convert_element_type", "copy")


class Chain(NamedTuple):
    """Where a program is cut, as places in its list of steps.

    z, h, y: the values there, by number; parameters: the arrays that the activation reads; activation: the steps from
    z to h, constants among them; flat: whether the layer behind reads h flattened; reader: the step that makes y;
    early: which steps run once; settling: the steps from y to where no images or tokens are left, the value `settled`;
    after: the steps behind it, up to the value `end`; layer: the output layer, if that is not among them.
    """

    z: int
    h: int
    y: int
    parameters: tuple[int, ...]
    activation: tuple[int, ...]
    flat: bool
    reader: int
    early: tuple[bool, ...]
    settling: tuple[int, ...]
    settled: int
    after: tuple[int, ...]
    end: int
    layer: OutputLayer | None


class _Finder:
    """Looks for the chain at one group of an analysed network."""

    def __init__(self, analysis: Analysis, group: str) -> None:
        self.analysis, self.group, self.steps = analysis, group, analysis.program.steps
        self.table, self.atom = analysis.table.groups[group], analysis.table.atoms[group]
        inputs = analysis.inputs()
        self.made = {inputs[axis.path] for axis in self.table.produces}
        self.read = {inputs[axis.path] for axis in self.table.consumes}
        self.maker = {result: i for i, step in enumerate(self.steps) for result in step.results}

    def found(self) -> Chain | None:
        reader, flat = self._reader()
        if reader is None:
            return None
        entering, from_made = self._operand(reader), dependent(self.steps, self.made)
        inside = [place for place in behind(self.steps, entering) if from_made[place]]
        region = inside[:-1] if flat else inside
        linear, z = self._linear(region)
        acting = [place for place in region if place not in linear]
        found = self._activation(acting, linear, z)
        if found is None or not self._alone(inside, reader):
            return None
        parameters, constants = found
        h = self._operand(self.maker[entering]) if flat else entering
        run = tuple(sorted({*acting, *constants}))
        early = tuple(not each or i in linear for i, each in enumerate(dependent(self.steps, self.made | self.read)))
        layer = output_layer(self.analysis, self.group)
        end = self.analysis.program.end if layer is None else layer.features
        y = self.steps[reader].results[0]
        return Chain(z, h, y, parameters, run, flat, reader, early, *self._settling(y, end), end, layer)

    def _operand(self, place: int) -> int:
        first = self.steps[place].operands[0]
        return first if isinstance(first, int) else -1

    def _value(self, number: int) -> Value:
        return self.analysis.values[number]

    def _by_unit(self, number: int) -> bool:
        """Whether the last axis of a value, and no other, is the group's units; the first is the examples."""
        *others, last = self._value(number).dims or (None,)
        if last is None or resolved(last.type) is not self.atom or not others:
            return False
        return others[0].size == EXAMPLES and all(self.atom not in atoms(dim.type) for dim in others)

    def _reader(self) -> tuple[int | None, bool]:
        """The one step that reads the units, and whether it reads them flattened."""
        places = [i for i, step in enumerate(self.steps) if self.read & numbers([step])]
        if len(places) != 1 or len(self.table.consumes) != 1 or self.table.consumes[0].segment:
            return None, False
        place = places[0]
        step, h = self.steps[place], self._operand(place)
        if h < 0 or not _is_plain(step, len(self._value(h).dims)) or step.operands[1] not in self.read:
            return None, False
        if self._by_unit(h):
            return place, False
        above = self.maker.get(h)
        flat = (
            above is not None and self.steps[above].primitive.name == "reshape" and self._by_unit(self._operand(above))
        )
        plain = step.primitive.name == "dot_general" and len(self._value(h).dims) == 2
        return (place, True) if flat and plain else (None, False)

    def _linear(self, region: Sequence[int]) -> tuple[list[int], int]:
        """The steps that make z of the group's incoming arrays, and z; -1 if they do not."""
        arrays, taken, z = {*self.made}, [], -1
        for place in region:
            step = self.steps[place]
            read, name = numbers([step]), step.primitive.name
            layer = z < 0 and name in PRODUCTS and step.operands[1] in arrays
            bias = z in read and read - {z} <= arrays and name in SUMS
            if read <= arrays and name in RENAMED:
                arrays |= {*step.results}
            elif layer or bias:
                z = step.results[0]
            elif z in read:
                break
            else:
                continue
            taken.append(place)
        needed = [place for place in behind(self.steps, z) if place in region]
        return needed, z if {*needed} <= {*taken} and z >= 0 and self._by_unit(z) else -1

    def _activation(
        self, acting: Sequence[int], linear: Sequence[int], z: int
    ) -> tuple[tuple[int, ...], set[int]] | None:
        """The arrays that the steps from z read, and the steps that make constants for them.

        None if these steps do not act on every unit alone.
        """
        own, steps = self.made - numbers(self._at(linear)), self._at(acting)
        parameters = tuple(sorted(own & numbers(steps)))
        outside = numbers(steps) - {z, *parameters} - results(steps)
        if not all(self._value(each).constant for each in outside):
            return None
        constants = {place for each in outside for place in behind(self.steps, each)}
        for step in (*steps, *self._at(sorted(constants))):
            given = [each.value for each in step.operands if isinstance(each, Constant)]
            if step.primitive.name not in UNITWISE or any(getattr(x, "ndim", 0) for x in given):
                return None
        made = (*parameters, *results(steps))
        return (parameters, constants) if all(self._by_unit(x) or self._one_a_unit(x) for x in made) else None

    def _at(self, places: Iterable[int]) -> list[Step]:
        return [self.steps[place] for place in places]

    def _one_a_unit(self, number: int) -> bool:
        """Whether a value has one number for each unit, the same for all examples and places."""
        *others, last = self._value(number).dims or (None,)
        return last is not None and resolved(last.type) is self.atom and all(dim.size == 1 for dim in others if dim)

    def _alone(self, places: Collection[int], reader: int) -> bool:
        """Whether no other step reads what these make, or the group's arrays."""
        hidden = results(self._at(places)) | self.made | self.read
        others = [step for i, step in enumerate(self.steps) if i not in (*places, reader)]
        return not {*numbers(others), *self.analysis.program.outputs} & hidden

    def _settling(self, y: int, end: int) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
        """Divide what comes behind y at the first vector of each example through which all else goes."""
        from_y = dependent(self.steps, {y})
        late = [place for place in behind(self.steps, end) if from_y[place]]
        if len(self._value(y).dims) <= 2:
            return (), y, tuple(late)
        made = {y}
        for j, place in enumerate(late):
            made |= {*self.steps[place].results}
            first, rest = self.steps[place].results[0], self._at(late[j + 1 :])
            if len(self._value(first).dims) <= 2 and numbers(rest) & made <= {first}:
                return tuple(late[: j + 1]), first, tuple(late[j + 1 :])
        return tuple(late), end, ()


PRODUCTS = ("dot_general", "conv_general_dilated")


def _is_plain(step: Step, ndim: int) -> bool:
    """Whether a step is a dense layer, or a convolution without groups, with units last in what it reads."""
    if step.primitive.name == "dot_general":
        return step.params["dimension_numbers"] == (((ndim - 1,), (0,)), ((), ()))
    if step.primitive.name != "conv_general_dilated" or step.params["feature_group_count"] > 1:
        return False
    numbers = step.params["dimension_numbers"]
    places = (numbers.lhs_spec[:2], numbers.rhs_spec[1], numbers.out_spec[:2])
    return step.params["batch_group_count"] == 1 and places == ((0, ndim - 1), ndim - 2, (0, ndim - 1))


def chain_at(analysis: Analysis, group: str) -> Chain | None:
    """The chain at a group, if there is one."""
    return _Finder(analysis, group).found()


def resized(analysis: Analysis, group: str, step: Step, units: int) -> Step:
    """A step of the activation on so many units."""
    name, dims = RESIZED.get(step.primitive.name), analysis.values[step.results[0]].dims
    if name is None or not dims or resolved(dims[-1].type) is not analysis.table.atoms[group]:
        return step
    return replace(step, params={**step.params, name: (*step.params[name][:-1], units)})
