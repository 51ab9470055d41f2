"""What each primitive of JAX does to axes, one family of primitives a file."""

from __future__ import annotations

from collections.abc import Mapping

from landscape.models.tracing.inference import Rule
from landscape.models.tracing.rules import control_flow, elementwise, indexing, linear, parts, reductions, shapes

RULES: Mapping[str, Rule] = {
    name: rule
    for family in (elementwise, shapes, linear, reductions, parts, indexing, control_flow)
    for name, rule in family.RULES.items()
}
