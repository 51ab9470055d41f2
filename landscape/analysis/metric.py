"""The manifold metric M and the performance gain G of a result, for any quantile q and number of nodes n.

One walk of the greatest n serves every (q, n): the value for a smaller n comes from the prefix of each
sequence of barriers (A.2.2). Missing barriers or accuracies are NaN, and so is what follows from them.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from landscape.study.schema import study_of
from landscape.study.spec import TextSpec

Measure = Literal["accuracy", "negative log loss"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

# An exact expansion adds up the base's loss in another order, in float32: its logarithm moves by up to 2.7e-7 in the
# shipped studies, where the least change by training is 3e-5.
ROUNDING = 1e-6

PAPER_QUANTILES = (0.05, 0.1, 0.2, 0.4)  # Q and N of the grid search (A.2.2)
PAPER_SIZES = (50, 100, 250, 500, 1000)


def threshold(base_barriers: ArrayLike, q: ArrayLike) -> np.ndarray:
    """λ = B*_q: the q-quantile of the base's own barriers along the last axis, in their unit (section 3.3).

    Between two order statistics it is interpolated linearly, as by `numpy.quantile`. For an array q of shape
    (k,) the result gains a last axis of k. Raises ValueError for q outside (0, 1) or no barriers at all.
    """
    barriers = np.asarray(base_barriers, np.float64)
    if barriers.ndim == 0 or barriers.shape[-1] == 0:
        raise ValueError("a threshold needs at least one barrier of the base")
    quantiles = np.quantile(barriers, _checked_quantiles(q), axis=-1)
    return np.moveaxis(quantiles, 0, -1) if np.ndim(q) else quantiles


def manifold_size(barriers: ArrayLike, threshold: ArrayLike) -> np.ndarray:
    """m(θ, λ, n): the share of the n barriers on the last axis that are ≤ λ, from 0 to 1 (Algorithm 1).

    λ broadcasts against the axes before the last. NaN where a barrier or λ is missing.
    """
    barriers, limit = np.asarray(barriers), np.asarray(threshold, np.float64)
    if barriers.ndim == 0 or barriers.shape[-1] == 0:
        raise ValueError("a manifold size needs at least one barrier")
    share = np.mean(barriers <= limit[..., None], axis=-1)
    missing = np.isnan(barriers).any(-1) | np.isnan(limit)
    return np.where(missing, np.nan, share)


def manifold_metric(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    """M_t = m(θ⁽ᵗ⁾, B*_q, n) − m(φ*, B*_q, n) in percent, dims (seed, candidate, checkpoint) (eq. 2).

    λ and n stay the base's for all of its candidates; both use the first n barriers of each walk.
    Raises ValueError for q outside (0, 1) or n that is not in 1..computed.
    """
    base, barriers = prefix(dataset, n)
    limit = threshold(base, q)
    size = manifold_size(barriers, limit[:, None, None])
    values = 100 * (size - manifold_size(base, limit)[:, None, None])
    return _metric_array(dataset["barrier"].isel(permutation=0, drop=True), values, q, n)


def initial_metric(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    """M₀ in percent, right after the expansion, dims (seed, candidate). Raises as `manifold_metric` does."""
    return manifold_metric(dataset.isel(checkpoint=[0]), q, n).isel(checkpoint=0, drop=True)


def own_metric(dataset: xr.Dataset, q: float, n: int, checkpoint: int) -> xr.DataArray:
    """m(θ⁽ᵗ⁾, λ, n) − m(θ⁽ᶜ⁾, λ, n) in percent with λ the q-quantile of the candidate's own barriers at checkpoint c.

    What the paper follows where training starts from random weights, with c = 1 (A.2.7, figure 11 (i)); dims
    (seed, candidate, checkpoint). Raises ValueError as `manifold_metric` does, and for a checkpoint that was not
    measured.
    """
    epochs = dataset["checkpoint"].values.tolist()
    if checkpoint not in epochs:
        raise ValueError(f"checkpoint must be one of {', '.join(map(str, epochs))}; got {checkpoint}")
    _, barriers = prefix(dataset, n)
    reference = barriers[:, :, epochs.index(checkpoint)]
    limit = threshold(reference, q)
    values = 100 * (manifold_size(barriers, limit[..., None]) - manifold_size(reference, limit)[..., None])
    return _metric_array(dataset["barrier"].isel(permutation=0, drop=True), values, q, n)


def at_ceiling(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    """Where every one of the n edges exists, so that M = 1 − m(φ*) ≈ 1 − q and cannot tell candidates apart.

    Boolean, dims (seed, candidate, checkpoint). Raises ValueError as `manifold_metric` does.
    """
    base, barriers = prefix(dataset, n)
    full = manifold_size(barriers, threshold(base, q)[:, None, None]) == 1
    return dataset["barrier"].isel(permutation=0, drop=True).copy(data=full)


def metric_grid(dataset: xr.Dataset, qs: Sequence[float], ns: Sequence[int]) -> xr.DataArray:
    """M₀ in percent for every q and n at once, dims (seed, candidate, q, n); equals `manifold_metric` in each.

    One sort a prefix answers all of its thresholds. Raises ValueError for a q or n out of range.
    """
    first = dataset.isel(checkpoint=[0])
    values = np.stack([_metric_of_prefix(first, np.asarray(qs, np.float64), n) for n in ns], axis=-1)
    template = first["barrier"].isel(permutation=0, checkpoint=0, drop=True)
    coords = {**template.coords, "q": list(qs), "n": list(ns)}
    return xr.DataArray(values, coords, ("seed", "candidate", "q", "n"), "metric", dict(METRIC_ATTRIBUTES))


def usual_measure(dataset: xr.Dataset) -> Measure:
    """The paper's A for the data of a result: accuracy for images, −log(validation loss) for text (section 4.1)."""
    return "negative log loss" if is_text(dataset) else "accuracy"


def is_text(dataset: xr.Dataset) -> bool:
    """Whether the models of a result are language models."""
    return isinstance(study_of(dataset).data, TextSpec)


def perplexity(dataset: xr.Dataset) -> xr.DataArray:
    """exp(validation loss) of each language model, dims (seed, candidate, epoch), over masked tokens."""
    return _perplexity(dataset["validation_loss"])


def base_perplexity(dataset: xr.Dataset) -> xr.DataArray:
    """exp(validation loss) of the base φ*, dims (seed)."""
    chosen = dataset["base_validation_loss"].where(dataset["base_epoch"] == dataset["base_stop"]).max("base_epoch")
    return _perplexity(chosen)


def _perplexity(loss: xr.DataArray) -> xr.DataArray:
    attrs = {"units": "1", "long_name": "perplexity on masked validation tokens, exp(validation loss)"}
    return loss.copy(data=np.exp(loss.values.astype(np.float64))).rename("perplexity").assign_attrs(attrs)


def performance(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    """A(θ⁽ᵗ⁾), dims (seed, candidate, epoch): validation accuracy in percent, or −log(validation loss).

    Raises ValueError for another measure.
    """
    return _measured(dataset["validation_accuracy"], dataset["validation_loss"], measure)


def base_performance(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    """A(φ*), dims (seed): the base's performance at the epoch that early stopping chose."""
    values = _measured(dataset["base_validation_accuracy"], dataset["base_validation_loss"], measure)
    chosen = values.where(dataset["base_epoch"] == dataset["base_stop"])
    return chosen.max("base_epoch", keep_attrs=True)


def gain(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    """G_t = A(θ⁽ᵗ⁾) − A(φ*), dims (seed, candidate, epoch), in percentage points or as a difference of −log loss.

    Gains of at most `ROUNDING` in size are 0: candidates that never gained are ties. Raises ValueError for another
    measure.
    """
    grown = performance(dataset, measure) - base_performance(dataset, measure)
    grown = grown.where(~(abs(grown) <= ROUNDING), 0.0)
    units = "percentage points" if measure == "accuracy" else "1"
    return grown.rename("gain").assign_attrs(units=units, long_name=f"performance gain G_t in {measure}")


def best_gain(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    """G*_T = max over t ≤ T of G_t, dims (seed, candidate), of the epochs that are there; in the unit of the gain.

    NaN where no epoch of training is: an expansion alone gains nothing.
    """
    grown = gain(dataset, measure)
    trained = grown.sel(epoch=grown["epoch"] > 0).notnull().any("epoch")
    best = grown.max("epoch", keep_attrs=True).where(trained)
    return best.rename("best_gain").assign_attrs(long_name="best gain G*_T")


def checked_size(dataset: xr.Dataset, n: int) -> int:
    """n as an int. Raises ValueError unless it is a whole number from 1 to the permutations computed."""
    computed = dataset.sizes["permutation"]
    try:
        whole = operator.index(n)
    except TypeError:
        raise ValueError(f"n must be a whole number from 1 to {computed}; got {n!r}") from None
    if not 1 <= whole <= computed:
        raise ValueError(f"n must be from 1 to {computed}, the permutations computed; got {n}")
    return whole


def prefix(dataset: xr.Dataset, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first n barriers of the base, (seed, n), and of the candidates, (seed, candidate, checkpoint, n)."""
    whole = checked_size(dataset, n)
    barriers = dataset["barrier"].transpose("seed", "candidate", "checkpoint", "permutation")
    base = dataset["base_barrier"].transpose("seed", "permutation")
    return base.values[..., :whole], barriers.values[..., :whole]


def walked(dataset: xr.Dataset) -> int:
    """The greatest n that every walk has reached which has begun; all of its steps where none has.

    While a study is being computed its walks grow in stages, and up to this n the picture is whole.
    """
    steps = dataset["permutation"].size
    reached = [
        (np.arange(1, steps + 1) * dataset[name].notnull().transpose(..., "permutation").values).max(-1).ravel()
        for name in ("base_barrier", "barrier")
    ]
    begun = np.concatenate(reached)
    return int(begun[begun > 0].min(initial=steps))


def edges(ordered: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """How many values of each sorted row (s, r, n) are ≤ each of the limits (s, k) of its s: (s, r, k)."""
    pairs = zip(ordered, limits, strict=True)
    return np.array([[np.searchsorted(row, limit, "right") for row in rows] for rows, limit in pairs])


METRIC_ATTRIBUTES = {"units": "%", "long_name": "manifold metric M_t = m(θ, λ, n) − m(φ*, λ, n)"}


def _metric_array(template: xr.DataArray, values: np.ndarray, q: float, n: int) -> xr.DataArray:
    return template.copy(data=values).rename("metric").drop_attrs().assign_attrs(METRIC_ATTRIBUTES, q=q, n=n)


def _metric_of_prefix(dataset: xr.Dataset, qs: np.ndarray, n: int) -> np.ndarray:
    """M₀ of one n for all q, (seed, candidate, q)."""
    base, barriers = prefix(dataset, n)
    limits = threshold(base, qs)  # seed q
    walks = np.concatenate([base[:, None], barriers[:, :, 0]], axis=1)  # seed 1+candidate n
    sizes = _sizes(walks, limits)
    return 100 * (sizes[:, 1:] - sizes[:, :1])


def _sizes(barriers: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """`manifold_size` of each walk (seed, model, n) under each of its seed's limits (seed, q): (seed, model, q)."""
    ordered = np.sort(barriers.astype(np.float64), axis=-1)  # NaN last
    missing = np.isnan(ordered[..., -1:]) | np.isnan(limits)[:, None]
    return np.where(missing, np.nan, edges(ordered, limits) / barriers.shape[-1])


def _measured(accuracy: xr.DataArray, loss: xr.DataArray, measure: Measure) -> xr.DataArray:
    if measure == "accuracy":
        return (100 * accuracy.astype(np.float64)).assign_attrs(units="%", long_name="validation accuracy")
    if measure == "negative log loss":
        logs = loss.copy(data=-np.log(loss.values.astype(np.float64)))
        return logs.assign_attrs(units="1", long_name="−log(validation loss)")
    raise ValueError(f"measure must be one of {', '.join(map(repr, MEASURES))}; got {measure!r}")


def _checked_quantiles(q: ArrayLike) -> np.ndarray:
    quantiles = np.asarray(q, np.float64)
    outside = quantiles[~((quantiles > 0) & (quantiles < 1))]
    if outside.size:
        raise ValueError(f"q must lie strictly between 0 and 1; got {outside.flat[0]:g}")
    return quantiles
