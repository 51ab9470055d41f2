"""Why candidates have no rank correlation, in words."""

from __future__ import annotations

import xarray as xr


def why_unranked(scores: xr.DataArray, best: xr.DataArray, name: str = "M₀") -> str:
    """The reason why no seed has a correlation of its candidates' scores with their best gains, as a sentence.

    Args:
      scores: of any dimensions, with seed and candidate among them.
      best: the best gain G*_T, with dims (seed, candidate).
      name: what the sentence calls the scores.

    Example:
      >>> import xarray as xr
      >>> from landscape.analysis.ranking.unranked import why_unranked
      >>> scores = xr.DataArray([[3.0, 3.0]], dims=("seed", "candidate"))
      >>> why_unranked(scores, best=xr.DataArray([[0.1, 0.2]], dims=("seed", "candidate")))
      'No rank correlation: in every seed M₀ is equal for all candidates.'
    """
    scores, best = xr.broadcast(scores, best)
    both = scores.notnull() & best.notnull()
    enough = both.sum("candidate") > 1
    if not enough.any():
        return "No rank correlation: it needs two trained candidates of one seed."
    equal = {name: _equal(scores.where(both)), "the best gain G*": _equal(best.where(both))}
    always = [what for what, everywhere in equal.items() if everywhere.where(enough, True).all()]
    subject = always[0] if always else " or ".join(equal)
    return f"No rank correlation: in every seed {subject} is equal for all candidates."


def _equal(values: xr.DataArray) -> xr.DataArray:
    return values.max("candidate") == values.min("candidate")
