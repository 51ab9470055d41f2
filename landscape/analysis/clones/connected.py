"""How many steps of a candidate's walk have no barrier, whatever was learnt: a lower bound of m by construction (ours).

A step that permutes copies of one unit changes nothing: their incoming weights are equal, and at the midpoint they send
on together what they did before. So b̂ = 0, and the step is an edge at every λ. The same holds for silent units, which
send nothing on. The expected share of such steps is exact where all swaps stay among them, so it is a lower bound of
the expected m right after the expansion.
"""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from functools import cache

import numpy as np
import xarray as xr

from landscape.analysis.clones.transpositions import share_of_copies, share_within
from landscape.analysis.metric import manifold_size, threshold
from landscape.analysis.walks import only_walks, prefix
from landscape.study import Study
from landscape.study.schema import study_of
from landscape.study.steps import Candidate, NewUnits, Widen

PERMUTED: dict[NewUnits, str] = {"copies": "copies of one unit", "silent": "silent units"}
LEAST = 1e-4  # a share that is said as a number; fewer steps than this, no walk of a study would show
MOST_UNITS = 32  # of a base; from more of them on, the share of copies is below 1e-7 and takes long to find


def connected(dataset: xr.Dataset) -> dict[str, float]:
    """The expected share of each candidate's steps, right after the expansion, that have no barrier by construction.

    Args:
      dataset: a result, as `landscape.open_study` returns it.

    Returns:
      The share from 0 to 1 by candidate. It is 0 where nothing follows from the construction: for noisy copies, random
      units, random starts, and candidates that leave the walked group as wide as it was. Candidates whose copies follow
      another law are left out, and so are all where the walk does: by `distinct` or from its first node.

    Example:
      >>> import landscape
      >>> from landscape.analysis.clones.connected import connected
      >>> found = connected(landscape.open_study("digits-mlp"))
      >>> {name: f"{share:.5f}" for name, share in found.items() if name in ("hidden1 → 8", "hidden1 → 18")}
      {'hidden1 → 8': '0.00051', 'hidden1 → 18': '0.00009'}

    References:
      The bound is ours; Malviya et al. (2024), A.2.1, for the steps; Chen et al. (2016), arXiv 1511.05641, for copies.
    """
    study = study_of(dataset)
    if study.model.kind == "own" or study.walk.distinct or study.walk.start == "first":
        return {}
    old = study.group_sizes()[0][study.walk.group]
    sizes = [each[study.walk.group] for each in study.group_sizes()[1:]]
    found = zip(study.labels, study.candidates, sizes, strict=True)
    shares = {name: _share(study, candidate, old, new) for name, candidate, new in found}
    return {name: share for name, share in shares.items() if share is not None}


def _share(study: Study, candidate: Candidate, old: int, new: int) -> float | None:
    if len(_widenings(study, candidate)) > 1:
        return None  # copies of copies
    return _of_units(_units(study, candidate), old, new)


def _widenings(study: Study, candidate: Candidate) -> list[Widen]:
    return [step for step in candidate if isinstance(step, Widen) and fnmatchcase(study.walk.group, step.widen)]


def _units(study: Study, candidate: Candidate) -> NewUnits | None:
    """What a candidate's new units of the walked group are, if it has any."""
    steps = _widenings(study, candidate)
    if not steps or study.expansion.start == "random":
        return None
    return steps[0].units or ("noisy copies" if study.expansion.noise else "copies")


@cache
def _of_units(units: NewUnits | None, old: int, new: int) -> float:
    swaps = math.ceil(math.log2(new))
    if units == "silent":
        return share_within([1] * old + [new - old], swaps)
    return share_of_copies(old, new, swaps) if units == "copies" and old <= MOST_UNITS else 0.0


def sentences(dataset: xr.Dataset, q: float, n: int) -> list[str]:
    """How much of m is owed to construction, in words: for copies and for silent units, the candidate with the most.

    Example:
      >>> import landscape
      >>> from landscape.analysis.clones.connected import sentences
      >>> sentences(landscape.open_study("digits-mlp"), q=0.4, n=1000)[0][-41:]
      'tes; m, with all of its edges, is 65.3 %.'

    References:
      Ours; m is that of Malviya et al. (2024), section 3.3.
    """
    study, shares = study_of(dataset), connected(dataset)
    sizes, found = _mean_sizes(dataset, q, n), []
    of = {name: _units(study, candidate) for name, candidate in zip(study.labels, study.candidates, strict=True)}
    for units, words in PERMUTED.items():
        mine = {name: share for name, share in shares.items() if of[name] == units and name in sizes}
        most = max(mine, key=lambda name: mine[name], default=None)
        if most and mine[most] > 0:
            found.append(
                f"Right after the expansion, some edges exist whatever was learnt: a step that only swaps {words} has "
                f"no barrier. {_percent(mine[most])} of the steps of {most} are expected to be of this kind"
                f"{', the most of all candidates' * (len(mine) > 1)}; m, with all of its edges, is "
                f"{100 * sizes[most]:.1f} %."
            )
    return found


def _percent(share: float) -> str:
    """A share to two digits; one that no walk would notice as what it is less than."""
    return f"{100 * share:.2g} %" if share >= LEAST else f"Less than {100 * LEAST:g} %"


def _mean_sizes(dataset: xr.Dataset, q: float, n: int) -> dict[str, float]:
    """m right after the expansion by candidate, the mean over seeds; without candidates that no seed has measured."""
    base, barriers = prefix(only_walks(dataset).isel(checkpoint=[0]), n)
    sizes = manifold_size(barriers[:, :, 0], threshold(base, q)[:, None])  # seed candidate
    known = {name: row[~np.isnan(row)] for name, row in zip(dataset["candidate"].values.tolist(), sizes.T, strict=True)}
    return {name: float(row.mean()) for name, row in known.items() if row.size}
