"""The best candidate against each of the others, seed by seed: candidates of one seed share their base."""

from __future__ import annotations

import xarray as xr

from landscape.analysis.intervals import over_seeds


def leads(values: xr.DataArray) -> xr.Dataset:
    """How far the candidate of the greatest mean is ahead of each of the others, in the unit of the values.

    Values have dims (seed, candidate). Of the differences within each seed: mean, std, count, and the bounds low and
    high of their mean (`over_seeds`, each at 95 % by itself); `tied` where they are 0 in every seed. Dim (candidate),
    the others in their order; the coordinate `best` names the best one, the first of several. Candidates without a
    value are left out. Raises ValueError where none has one.
    """
    known = values.dropna("candidate", how="all")
    if known.size == 0:
        raise ValueError("no candidate has a value in any seed")
    best = known["candidate"].values[int(known.mean("seed").argmax("candidate"))]
    lead = known.sel(candidate=best, drop=True) - known.drop_sel(candidate=best)
    return over_seeds(lead).assign(tied=abs(lead).max("seed") == 0).assign_coords(best=best)
