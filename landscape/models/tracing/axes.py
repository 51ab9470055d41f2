"""What an axis runs over, as a type that is inferred, and unification of two such types.

An axis of n entries is one of three things. An *atom* is n units that may be re-ordered at will. A *product* is blocks
within blocks, as the heads and their features in the columns of a query kernel, outermost first. A *sum* is parts side
by side, as in a concatenation. The inference starts with an atom for every axis of every parameter and only ever
refines: where an operation reads two axes by the same index, their types are unified, which splits atoms into smaller
ones until both agree; where it tells units apart, their atoms become *fixed*. What is left at the end is the finest
common reading of all axes, and each atom in it that is not fixed can be permuted everywhere at once.

This is unification as in the inference of types of Hindley (1969) and Milner (1978), over row-major axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Reason:
    """Why units are told apart: a phrase, and the operation that does it, by name and the user's line of code."""

    text: str
    operation: str = ""
    place: str = ""

    def __str__(self) -> str:
        by = f" by {self.operation}" if self.operation else ""
        return f"{self.text}{by}{f', at {self.place}' if self.place else ''}"


@dataclass(eq=False)
class Atom:
    """Units that are re-ordered alike wherever they occur, unless they are fixed.

    bound: what the atom has turned out to be, if it has been unified with a type or split.
    because: what split it.
    """

    size: int
    fixed: Reason | None = None
    bound: Type | None = field(default=None, repr=False)
    because: Reason | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Product:
    """Blocks within blocks, outermost first; without factors, an axis of one entry."""

    factors: tuple[Type, ...]


@dataclass(frozen=True)
class Sum:
    """Parts side by side."""

    parts: tuple[Type, ...]


Type = Atom | Product | Sum
ONE = Product(())
CUTS = 100  # pieces into which one operation may cut an axis


def extent(t: Type) -> int:
    """How many entries an axis of this type has."""
    match t:
        case Atom():
            return t.size
        case Product():
            return math.prod(map(extent, t.factors))
        case Sum():
            return sum(map(extent, t.parts))


def atoms(t: Type) -> Iterator[Atom]:
    """The atoms of a type, from left to right."""
    match resolved(t):
        case Atom() as atom:
            yield atom
        case Product(below) | Sum(below):
            for each in below:
                yield from atoms(each)


def resolved(t: Type) -> Type:
    """The type with every bound atom replaced, in normal form.

    That is an atom, `ONE`, a sum of types that are no sums, or a product of atoms of which only the last factor may be
    a sum: a sum in front of a factor distributes over it, since (a + b)·c and a·c + b·c are the same entries.
    """
    match t:
        case Atom(bound=None):
            return ONE if t.size == 1 else t
        case Atom(bound=(Atom() | Product() | Sum()) as bound):
            t.bound = resolved(bound)
            return t.bound
        case Product():
            return product(map(resolved, t.factors))
        case Sum():
            return total(map(resolved, t.parts))
    raise AssertionError(t)


def product(factors: Iterable[Type]) -> Type:
    """The normal form of a product of types in normal form."""
    behind: Type = ONE
    for factor in reversed(list(factors)):
        behind = _times(factor, behind)
    return behind


def _times(front: Type, behind: Type) -> Type:
    if ONE in (front, behind):
        return behind if front == ONE else front
    match front:
        case Sum():
            return total(_times(part, behind) for part in front.parts)
        case Product(factors=(*outer, last)) if isinstance(last, Sum):
            return product((*outer, _times(last, behind)))
        case Product():
            own = front.factors
        case Atom():
            own = (front,)
    return Product((*own, *(behind.factors if isinstance(behind, Product) else (behind,))))


def total(parts: Iterable[Type]) -> Type:
    """The normal form of a sum of types in normal form."""
    flat: list[Type] = []
    for part in parts:
        flat += part.parts if isinstance(part, Sum) else [part]
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


class Unifier:
    """Unification of axes; `here` is the operation on whose account it happens."""

    def __init__(self) -> None:
        self.here = Reason("")

    def reason(self, text: str) -> Reason:
        """A reason that lies in the present operation."""
        return replace(self.here, text=text)

    def fix(self, t: Type, reason: Reason) -> None:
        """Nothing in t may be re-ordered. A reason that names no operation gets the present one."""
        if not reason.operation:
            reason = self.reason(reason.text)
        for atom in atoms(t):
            atom.fixed = atom.fixed or reason

    def unify(self, a: Type, b: Type) -> None:
        """Entry i of one axis belongs to entry i of the other, for all i."""
        a, b = resolved(a), resolved(b)
        if extent(a) != extent(b):
            raise AssertionError(f"axes of {extent(a)} and {extent(b)} entries are read by one index")
        if a == b:
            return
        match a, b:
            case Atom(fixed=Reason() as reason), _:
                self.fix(b, reason)
            case _, Atom(fixed=Reason() as reason):
                self.fix(a, reason)
            case Atom(), _:
                self._bind(a, b)
            case _, Atom():
                self._bind(b, a)
            case Product(), Product():
                self._unify_products(a, b)
            case _:
                self._unify_sums(a, b)

    def _bind(self, atom: Atom, t: Type) -> None:
        atom.bound, atom.because = t, self.reason("read in parts")

    def _unify_products(self, a: Product, b: Product) -> None:
        size = min(extent(a.factors[0]), extent(b.factors[0]))
        left, right = self.front(a, size), self.front(b, size)
        if left is None or right is None:
            return self._clash(a, b)
        for x, y in zip(left, right, strict=True):
            self.unify(x, y)

    def _unify_sums(self, a: Type, b: Type) -> None:
        """As long as one is a sum, the other is cut where this ends its first part.

        An axis that is read beside itself, shifted by some units, ends in single units; a long one is not taken so far.
        """
        whole, cuts = (a, b), 0
        while isinstance(a, Sum) or isinstance(b, Sum):
            first = [extent(t.parts[0]) if isinstance(t, Sum) else extent(t) for t in (a, b)]
            cuts += first[0] != first[1]
            if cuts > CUTS:
                return self._clash(*whole)
            (x, a), (y, b) = self.cut(a, min(first)), self.cut(b, min(first))
            self.unify(x, y)
            a, b = resolved(a), resolved(b)
        self.unify(a, b)

    def _clash(self, *types: Type) -> None:
        for t in types:
            self.fix(t, self.reason("read in blocks or at places that do not fit into each other"))

    def cut(self, t: Type, at: int) -> tuple[Type, Type]:
        """The first `at` entries of an axis and the others, both at least one."""
        match resolved(t):
            case Atom(fixed=Reason() as reason) as atom:
                return Atom(at, reason), Atom(atom.size - at, reason)
            case Atom() as atom:
                pieces = Atom(at), Atom(atom.size - at)
                self._bind(atom, Sum(pieces))
                return pieces
            case Sum() as whole:
                return self._cut_sum(whole, at)
            case Product((first, *rest)):
                return self._cut_product(first, product(rest), at)
        raise AssertionError("an axis of one entry cannot be cut")

    def _cut_sum(self, whole: Sum, at: int) -> tuple[Type, Type]:
        left: list[Type] = []
        for i, part in enumerate(whole.parts):
            size = extent(part)
            if at <= size:
                first, *second = (part,) if at == size else self.cut(part, at)
                return total((*left, first)), total((*second, *whole.parts[i + 1 :]))
            left, at = [*left, part], at - size
        raise AssertionError("a cut lies behind the end of the axis")

    def _cut_product(self, first: Type, rest: Type, at: int) -> tuple[Type, Type]:
        """Between two blocks, or inside one, which cuts every block there."""
        blocks, inside = divmod(at, extent(rest))
        before, behind = [], [resolved(first)]
        if blocks:
            left, right = self.cut(first, blocks)
            before, behind = [product((resolved(left), rest))], [right]
        if not inside:
            return before[0], product((resolved(behind[0]), rest))
        behind = list(self.cut(behind[0], 1))[1:] if extent(behind[0]) > 1 else []
        left, right = self.cut(rest, inside)
        tail = [product((resolved(each), resolved(rest))) for each in behind]
        return total((*map(resolved, before), resolved(left))), total((resolved(right), *tail))

    def front(self, t: Type, size: int) -> tuple[Type, Type] | None:
        """The axis as `size` blocks, and what each block is; None where that does not fit its type."""
        t = resolved(t)
        if size == extent(t):
            return t, ONE
        if size == 1:
            return ONE, t
        match t:
            case Atom():
                return self._halves(t, size)
            case Product((first, *rest)):
                return self._front_of_product(first, product(rest), size)
            case Sum():
                return self._front_of_sum(t, size)
        return None

    def _halves(self, atom: Atom, size: int) -> tuple[Type, Type] | None:
        if atom.size % size:
            return None
        pair = Atom(size, atom.fixed), Atom(atom.size // size, atom.fixed)
        if atom.fixed is None:
            self._bind(atom, Product(pair))
        return pair

    def _front_of_product(self, first: Type, rest: Type, size: int) -> tuple[Type, Type] | None:
        blocks = extent(first)
        if size < blocks:
            halves = self.front(first, size)
            return halves and (halves[0], product((resolved(halves[1]), rest)))
        inner = self.front(rest, size // blocks) if size % blocks == 0 else None
        return inner and (product((resolved(first), resolved(inner[0]))), inner[1])

    def _front_of_sum(self, t: Sum, size: int) -> tuple[Type, Type] | None:
        """Every part is made of such blocks, which then are alike."""
        block = extent(t) // size
        if extent(t) % size or any(extent(part) % block for part in t.parts):
            return None
        pairs = [self.front(part, extent(part) // block) for part in t.parts]
        if None in pairs:
            return None
        fronts, blocks = zip(*filter(None, pairs), strict=True)
        for each in blocks[1:]:
            self.unify(blocks[0], each)
        return total(map(resolved, fronts)), blocks[0]

    def regrouped(self, t: Type, sizes: Iterable[int]) -> list[Type]:
        """The axes of these sizes, outermost first, into which a reshape takes an axis apart."""
        found, behind = [], resolved(t)
        for size in sizes:
            pair = self.front(behind, size)
            if pair is None:
                self._clash(t)
                return [Atom(each, self.reason("reshaped across units")) for each in sizes]
            found.append(pair[0])
            behind = resolved(pair[1])
        return found
