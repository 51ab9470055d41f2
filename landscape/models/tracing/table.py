"""From inferred axes to unit groups: where each atom lies in each parameter, who makes its units and who reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

from landscape.models.symmetry import Axis, Group
from landscape.models.tracing.axes import ONE, Atom, Product, Reason, Sum, Type, atoms, extent, resolved
from landscape.models.tracing.inference import Marks, Origin

UNUSED = "the outputs do not depend on it"


class Place(NamedTuple):
    """Where an atom lies along an axis: in entries start to stop of each of `runs` runs, `inner` neighbours a unit."""

    atom: Atom
    runs: int
    start: int
    stop: int
    inner: int

    def axis(self, origin: Origin, length: int) -> Axis:
        """The axis of a table."""
        whole = (self.runs, self.start, self.stop) == (1, 0, length)
        return Axis(*origin, self.inner, None if whole else (self.start, self.stop), self.runs)


def places(t: Type) -> list[Place]:
    """Every place of every atom of an axis."""
    return list(_places(resolved(t), 1, 0, extent(t)))


def _places(t: Type, runs: int, start: int, run: int) -> Iterator[Place]:
    match t:
        case Sum():
            for part, count in ((part, len(list(alike))) for part, alike in groupby(t.parts)):
                yield from _repeated(part, count, runs, start, run)
                start += count * extent(part)
        case _ if t != ONE:
            yield from _repeated(t, 1, runs, start, run)


def _repeated(t: Type, count: int, runs: int, start: int, run: int) -> Iterator[Place]:
    """A type that comes `count` times in a row within each run."""
    stop = start + count * extent(t)
    factors = t.factors if isinstance(t, Product) else (t,)
    inner = extent(t)
    for factor in factors:
        inner //= extent(factor)
        if isinstance(factor, Atom):
            yield Place(factor, runs, start, stop, inner)
        else:
            yield from _parts_in_blocks(factor, (runs, start, stop, run))


def _parts_in_blocks(parts: Type, within: tuple[int, int, int, int]) -> Iterator[Place]:
    """Parts of the innermost block: they lie in shorter runs, or one by one where the runs are not the whole axis."""
    runs, start, stop, run = within
    block = extent(parts)
    if (start, stop) == (0, run):
        yield from _places(parts, runs * (run // block), 0, block)
    else:
        for first in range(start, stop, block):
            yield from _places(parts, runs, first, run)


@dataclass
class Found:
    """A class of tied axes: where they lie, and which of them only read the units."""

    made: list[Axis] = field(default_factory=list)
    read: list[Axis] = field(default_factory=list)
    both: bool = False

    def axes(self) -> tuple[Axis, ...]:
        """All of them."""
        return (*self.made, *self.read)


class Table(NamedTuple):
    """The unit groups by name with their atoms; why other axes are fixed; and why some groups cannot be widened."""

    groups: dict[str, Group]
    fixed: dict[Axis, str]
    rigid: dict[str, str]
    atoms: dict[str, Atom]


def tabulated(types: Mapping[Origin, Type], marks: Marks, lengths: Mapping[Origin, int]) -> Table:
    """The table of all parameters whose axes were inferred, in the order of their use."""
    made, read = _atoms_of(marks.made), _atoms_of(marks.read)
    used = list(dict.fromkeys(origin for origin, _ in (*marks.made, *marks.read)))
    rank = {path: i for i, path in enumerate(dict.fromkeys(path for path, _ in used))}
    found: dict[Atom, Found] = defaultdict(Found)
    for origin in sorted(types, key=lambda origin: (rank.get(origin[0], len(rank)), origin[1])):
        if origin[0] in rank:
            for place in places(types[origin]):
                _enter(found, place, origin, lengths[origin], made, read)
    kept = {atom: each for atom, each in found.items() if atom.fixed is None and len(each.axes()) > 1}
    names = _names({atom: each.axes()[0] for atom, each in kept.items()})
    merged, met = (_reasons(each) for each in (marks.merged, marks.met))
    groups: dict[str, Group] = {}
    rigid: dict[str, str] = {}
    for atom, each in kept.items():
        reason = _rigid(atom, each, met)
        groups[names[atom]] = _group(atom, each, lengths, reason is None, atom in merged)
        rigid |= {names[atom]: reason} if reason else {}
    return Table(groups, dict(_fixed(types, lengths, {*kept}, {*rank})), rigid, {names[atom]: atom for atom in kept})


def _atoms_of(entries: list[tuple[Origin, Type]]) -> set[tuple[Origin, Atom]]:
    return {(origin, atom) for origin, t in entries for atom in atoms(t)}


def _reasons(entries: list[tuple[Type, Reason]]) -> dict[Atom, Reason]:
    return {atom: reason for t, reason in reversed(entries) for atom in atoms(t)}


def _enter(
    found: dict[Atom, Found],
    place: Place,
    origin: Origin,
    length: int,
    made: set[tuple[Origin, Atom]],
    read: set[tuple[Origin, Atom]],
) -> None:
    each, key = found[place.atom], (origin, place.atom)
    only = key in read and key not in made
    each.both |= key in read and key in made
    (each.read if only else each.made).append(place.axis(origin, length))


def _rigid(atom: Atom, found: Found, met: Mapping[Atom, Reason]) -> str | None:
    """Why copies of units would change the function, as far as the computation tells."""
    if found.both:
        return "an array both makes and reads the units"
    if not found.made:
        return "no array makes the units"
    if _interwoven(found.axes()):
        return "an array has the units in blocks within blocks of one axis"
    return str(met[atom]) if atom in met else None


def _interwoven(axes: Sequence[Axis]) -> bool:
    """Whether an axis has the units twice in the same entries, or in several parts of each run."""
    several = [axis for axis in axes if sum((axis.path, axis.axis) == (each.path, each.axis) for each in axes) > 1]
    return len({(axis.path, axis.axis, axis.segment) for axis in several}) < len(several) or any(
        axis.runs > 1 for axis in several
    )


def _group(atom: Atom, found: Found, lengths: Mapping[Origin, int], widenable: bool, even: bool) -> Group:
    first, *_ = found.axes()
    start, stop = first.segment or (0, lengths[first.path, first.axis])
    repeats = (stop - start) * first.runs // (first.inner * atom.size)
    makers, readers = (found.made, found.read) if found.made else (found.read, [])
    return Group(tuple(makers), tuple(readers), widenable, repeats, even)


def _names(firsts: Mapping[Atom, Axis]) -> dict[Atom, str]:
    """Each group is named after the layer of its first array; several of one layer have an ending."""
    by_layer: dict[str, dict[Atom, Axis]] = defaultdict(dict)
    for atom, axis in firsts.items():
        by_layer[axis.path.rpartition(".")[0] or axis.path][atom] = axis
    return {
        atom: f"{layer}{ending}"
        for layer, group in by_layer.items()
        for atom, ending in zip(group, _endings(list(group.values())), strict=True)
    }


def _endings(axes: Sequence[Axis]) -> list[str]:
    """Blocks and what lies within them, if there are only these; otherwise numbers, in the order of the entries."""
    if len(axes) == 1:
        return [""]
    if len(axes) == 2 and axes[0].segment == axes[1].segment:
        return [".blocks", ".within"]
    return [f".{i}" for i in range(1, len(axes) + 1)]


def _fixed(
    types: Mapping[Origin, Type], lengths: Mapping[Origin, int], kept: set[Atom], used: set[str]
) -> Iterator[tuple[Axis, str]]:
    """Each axis of several entries that is in no group, even in part, with the reason."""
    for origin, t in types.items():
        if lengths[origin] > 1 and not kept & {*atoms(t)}:
            yield Axis(*origin), UNUSED if origin[0] not in used else _why(t)


def _why(t: Type) -> str:
    because = t.because if isinstance(t, Atom) else None
    reasons = [atom.fixed for atom in atoms(t) if atom.fixed is not None]
    if reasons:
        return str(reasons[0] if reasons[0].operation or not because else replace(because, text=reasons[0].text))
    loose = next(atoms(t), None)
    if loose is not None:
        return "no other array is indexed together with it"
    return str(because) if because else "its entries are read one by one"


def shape_lengths(shapes: Mapping[str, Any]) -> dict[Origin, int]:
    """How many entries each axis of each array has."""
    return {(path, i): size for path, leaf in shapes.items() for i, size in enumerate(leaf.shape)}
