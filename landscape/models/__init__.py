"""Flax NNX networks, each with its table of unit groups, their symmetries and exact expansions.

A model joins the explorer by one method, `groups()`, which lists its unit groups (`symmetry.Group`); `tracing` finds
them where nobody wrote them down. Three more methods are optional: `cut(group)` opens the network at a group where an
exact fast barrier exists, or returns None (`cut.Cut`); `opened(group)` tells which part of a network without a cut the
group touches; `deepened(after, name)` inserts a layer or block that leaves the function unchanged.
`landscape.study.kinds` describes the kinds of models that studies name.
Imports `study`.
"""
