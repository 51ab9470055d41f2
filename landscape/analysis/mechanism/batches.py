"""How much of M₀ is owed to the batch on which barriers are measured (ours)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from landscape.analysis.metric import manifold_size, threshold
from landscape.analysis.walks import checked_n
from landscape.store.derived import derived


@derived
def batch_metric(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    """M₀ in percent on each further batch: the same steps, and λ by the base on that batch.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.

    Returns:
      M₀ in percent, with dims (seed, candidate, split, batch_size, batch); NaN where the examples fill no such batch.

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.mechanism.batches import batch_metric
      >>> batch_metric(landscape.open_study("digits-mlp"), 0.4, 1000).sizes["batch_size"]  # it has no further batches
      0

    References:
      Malviya et al. (2024), equation 2 with t = 0, on other batches.
    """
    whole, order = checked_n(dataset, n), ("seed", "split", "batch_size", "batch", "permutation")
    base = dataset["base_batch_barrier"].transpose(*order).values[..., :whole]
    barriers = dataset["batch_barrier"].transpose("candidate", *order)
    limit = threshold(base, q)  # seed split size batch
    sizes = manifold_size(barriers.values[..., :whole], limit) - manifold_size(base, limit)  # candidate seed ...
    found = barriers.isel(permutation=0, drop=True).copy(data=100 * sizes).rename("metric").drop_attrs()
    return found.transpose("seed", "candidate", ...)


def variances(values: xr.DataArray) -> xr.Dataset:
    r"""How far seeds, batches and what depends on both move a quantity: a two-way analysis of variance.

    With every seed s measured on every batch b,

    .. math:: x_{sb} = \mu + \sigma_s + \beta_b + \epsilon_{sb},

    the mean over S seeds on one batch has the variance (Var σ + Var ε) / S + Var β. An interval over seeds holds the
    first term alone; the second is what another batch would add to it.

    Args:
      values: with dims (seed, batch) and any others; batches that lack a seed are left out.

    Returns:
      `seed`, `batch` and `both`: the variances of σ, β and ε by their mean squares, in the square of the unit of the
      values, and at least 0; `share`: Var β over the variance of a mean over seeds on one batch; `batches`: how many
      there are. All but the last are NaN for fewer than two seeds or batches.

    Example:
      >>> import xarray as xr
      >>> from landscape.analysis.mechanism.batches import variances
      >>> found = variances(xr.DataArray([[1.0, 3.0], [2.0, 4.0]], dims=("seed", "batch")))
      >>> found["batch"].item(), found["seed"].item(), found["both"].item()
      (2.0, 0.5, 0.0)

    References:
      Searle, Casella and McCulloch, "Variance Components" (1992), section 4.4: two-way crossed classification.
    """
    x = values.transpose("seed", "batch", ...).dropna("seed", how="all")
    x = x.where(x.notnull().all("seed"))
    count, seeds = x.notnull().all("seed").sum("batch"), x.sizes["seed"]
    batches = count.where((count > 1) & (seeds > 1))
    mean, by_seed, by_batch = x.mean(("seed", "batch")), x.mean("batch"), x.mean("seed")
    of_seed = batches * ((by_seed - mean) ** 2).sum("seed") / max(seeds - 1, 1)
    of_batch = seeds * ((by_batch - mean) ** 2).sum("batch") / (batches - 1)
    rest = ((x - by_seed - by_batch + mean) ** 2).sum(("seed", "batch")) / ((batches - 1) * max(seeds - 1, 1))
    seed, batch = ((of_seed - rest) / batches).clip(min=0), ((of_batch - rest) / max(seeds, 1)).clip(min=0)
    whole = (seed + rest) / max(seeds, 1) + batch
    share = (batch / whole).where(whole > 0)
    return xr.Dataset({"seed": seed, "batch": batch, "both": rest, "share": share, "batches": count})


def best_known_batches(values: xr.DataArray) -> tuple[str, int] | None:
    """The split and size of which there are the most batches, the largest of several; None where none has two.

    Example:
      >>> import landscape
      >>> from landscape.analysis.mechanism.batches import batch_metric, best_known_batches
      >>> best_known_batches(batch_metric(landscape.open_study("digits-mlp"), 0.4, 1000)) is None
      True

    References:
      Ours; M₀ on one fixed batch is that of Malviya et al. (2024), section 3.3.
    """
    counts = values.notnull().any(("seed", "candidate")).sum("batch")
    found = [
        (int(counts.sel(split=split, batch_size=size)), int(size), str(split))
        for split in counts["split"].values
        for size in np.sort(counts["batch_size"].values)
    ]
    count, size, split = max(found, default=(0, 0, ""))
    return (split, size) if count > 1 else None
