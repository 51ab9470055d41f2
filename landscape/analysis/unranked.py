"""Why candidates have no rank correlation, in words."""

from __future__ import annotations

import xarray as xr


def why_unranked(scores: xr.DataArray, best: xr.DataArray, name: str = "M₀") -> str:
    """Why no seed has a correlation of the scores (…, seed, candidate) with the best gain G*_T (seed, candidate).

    `name` is what the sentence calls the scores.
    """
    scores, best = xr.broadcast(scores, best)
    both = scores.notnull() & best.notnull()
    enough = both.sum("candidate") > 1
    if not enough.any():
        return "No rank correlation: it needs two trained candidates of one seed."
    equal = {name: _equal(scores.where(both)), "the best gain G*": _equal(best.where(both))}
    always = [what for what, everywhere in equal.items() if everywhere.where(enough, True).all()]
    told = always[0] if always else " or ".join(equal)
    return f"No rank correlation: in every seed {told} is equal for all candidates."


def _equal(values: xr.DataArray) -> xr.DataArray:
    return values.max("candidate") == values.min("candidate")
