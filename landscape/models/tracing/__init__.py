"""Permutation symmetries found by tracing: which axes of which arrays index the units of one layer.

`program` is a network's computation as a flat list of steps. `axes` is what an axis runs over, as a type that is
inferred by unification; `inference` walks a program by the `rules` of its primitives; `table` reads off the groups.
`analysis` does all this for a network on shapes alone; `certificate` tries the groups out; `module` attaches them.
"""
