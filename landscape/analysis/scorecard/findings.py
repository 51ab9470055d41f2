"""The figures of the scorecard: functions of a result, each with its mean over seeds and the interval of the mean.

All take the same `settings`. Sections are those of Malviya et al. (2024), arXiv 2405.15895.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import xarray as xr

from landscape.analysis.mechanism.sharpness import correlation_with_metric
from landscape.analysis.metric import PAPER_PERMUTATIONS, PAPER_QUANTILES, manifold_metric
from landscape.analysis.performance import Measure, usual_measure
from landscape.analysis.ranking.correlation import RANGE, predictor_correlation, sensitivity
from landscape.analysis.scorecard.verdict import BOTH, Finding, Range, Verdicts, least_over_the_seeds, over_the_seeds
from landscape.analysis.summary import Q
from landscape.analysis.walks import checked_n
from landscape.store.derived import derived
from landscape.study.predictors import METRIC, predictor_named
from landscape.study.schema import study_of

PAPER_BASELINES = ("grad_norm", "snip", "grasp", "synflow", "jacov")  # those of Figure 2 and Table 4
EARLY = 20  # epochs for which M_t stays constant (4.3)
LONG_ENOUGH = 15  # epochs that a study must show to confirm it
PAPER_EPOCHS = {"images": 500, "text": 15}  # after the expansion (4.3, 4.4)
DIFFERENCE: Range = (-2, 2)  # of two correlations

NOTHING = Finding(math.nan, math.nan, math.nan, 0)
NO_WALK = f"no walk near t = {EARLY}"


def settings(dataset: xr.Dataset) -> tuple[float, int, Measure]:
    """What every figure is computed with: q, n and the measure of the performance.

    They are q = 0.4, as in the paper's main figures, every step of the walks, and the measure that the paper uses for
    the data.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import settings
      >>> settings(landscape.open_study("digits-mlp"))
      (0.4, 1000, 'accuracy')

    References:
      Malviya et al. (2024), sections 4.1 to 4.4.
    """
    return Q, checked_n(dataset, None), usual_measure(dataset)


def ranks(dataset: xr.Dataset) -> xr.DataArray:
    """Kendall's τ of each predictor with G*, dims (predictor, seed).

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import ranks
      >>> ranks(landscape.open_study("digits-mlp")).sel(predictor="M0")[:3].round(2).values
      array([0.8 , 0.95, 0.74])

    References:
      Malviya et al. (2024), section 4.2 and Figure 2.
    """
    return predictor_correlation(dataset, *settings(dataset))


@derived
def rank_of(dataset: xr.Dataset, predictor: str = METRIC) -> Finding:
    """Kendall's τ of one predictor with G*.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import rank_of
      >>> round(rank_of(landscape.open_study("digits-mlp")).value, 2)
      0.41

    References:
      Malviya et al. (2024), section 4.2 and Figure 2.
    """
    return over_the_seeds(ranks(dataset).sel(predictor=predictor), RANGE)


def ahead_of_the_strongest(dataset: xr.Dataset) -> Finding:
    """τ of M₀ minus that of the paper's baseline that it leads least, seed by seed.

    A baseline that gives no ranking, since exact widening does not change it, has no τ and is left out.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import ahead_of_the_strongest
      >>> ahead_of_the_strongest(landscape.open_study("digits-mlp")).note
      'against GradNorm'

    References:
      Malviya et al. (2024), section 4.2 and Figure 2.
    """
    found = ranks(dataset)
    rivals = found.sel(predictor=found["predictor"].isin(PAPER_BASELINES))
    least = least_over_the_seeds(found.sel(predictor=METRIC, drop=True) - rivals, DIFFERENCE)
    return replace(least[1], note=f"against {predictor_named(least[0]).name}") if least else NOTHING


def growth_with_n(dataset: xr.Dataset) -> Finding:
    """τ of M₀ by all steps of the walks minus that by the paper's least n, seed by seed.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import growth_with_n
      >>> growth_with_n(landscape.open_study("digits-mlp")).note
      'n = 1000 against 50'

    References:
      Malviya et al. (2024), section 4.5 and Figure 6.
    """
    (q, most, measure), least = settings(dataset), PAPER_PERMUTATIONS[0]
    if most <= least:
        return NOTHING
    found = sensitivity(dataset, [q], [least, most], measure).isel(q=0)
    change = found.sel(n=most, drop=True) - found.sel(n=least, drop=True)
    return replace(over_the_seeds(change, DIFFERENCE), note=f"n = {most} against {least}")


def growth_with_q(dataset: xr.Dataset) -> Finding:
    """τ of M₀ at q = 0.4 minus its mean over the paper's lower quantiles, seed by seed.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import growth_with_q
      >>> round(growth_with_q(landscape.open_study("digits-mlp")).value, 2)
      0.03

    References:
      Malviya et al. (2024), section 4.5 and Figure 6.
    """
    q, n, measure = settings(dataset)
    lower = [each for each in PAPER_QUANTILES if each < q]
    found = sensitivity(dataset, [*lower, q], [n], measure).isel(n=0)
    change = found.sel(q=q, drop=True) - found.sel(q=lower).mean("q", skipna=False)
    return replace(over_the_seeds(change, DIFFERENCE), note=f"q = {q:g} against the mean of lower ones")


def early_change(dataset: xr.Dataset) -> Finding:
    """M_t − M₀ in percent at the checkpoint nearest to t = 20, averaged over candidates.

    A study that ends long before t = 20 can contradict that M_t stays constant until then, but not confirm it.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import early_change
      >>> round(early_change(landscape.open_study("digits-mlp")).value, 1)
      -3.7

    References:
      Malviya et al. (2024), section 4.3 and Figure 3.
    """
    t = _nearest_checkpoint(dataset)
    if t == 0:
        return replace(NOTHING, note=NO_WALK)
    found = over_the_seeds(_metric(dataset, t) - _metric(dataset, 0))
    can_be: Verdicts = BOTH if t >= LONG_ENOUGH else ("contradicted",)
    return replace(found, note=f"t = {t}", can_be=can_be)


def late_change(dataset: xr.Dataset) -> Finding:
    """M_T − M_t in percent from the checkpoint nearest to t = 20 to the end, averaged over candidates.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import late_change
      >>> late_change(landscape.open_study("digits-mlp")).note
      't = 23 to 80'

    References:
      Malviya et al. (2024), section 4.3 and Figure 3.
    """
    t = _nearest_checkpoint(dataset)
    found = _until_the_end(dataset, t)
    late = t >= LONG_ENOUGH or math.isnan(found.value)
    return found if late else replace(NOTHING, note=NO_WALK)


def whole_change(dataset: xr.Dataset, first: int = 0) -> Finding:
    """M_T − M_t in percent, averaged over candidates, where t is checkpoint number `first`: 0 is the expansion.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import whole_change
      >>> round(whole_change(landscape.open_study("tinybert")).value, 1)
      -6.2

    References:
      Malviya et al. (2024), section 4.4, Figure 5; A.2.7, Figure 11, from epoch 1 on.
    """
    return _until_the_end(dataset, int(dataset["checkpoint"][: first + 1].max()))


def rise_of_sharpness(dataset: xr.Dataset) -> Finding:
    """λ_max of the Hessian at the end over that at the checkpoint nearest to t = 20, the geometric mean of candidates.

    The mean over seeds is geometric too.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import rise_of_sharpness
      >>> rise_of_sharpness(landscape.open_study("digits-mlp")).count
      0

    References:
      Malviya et al. (2024), section 4.3.
    """
    start, end = _nearest_checkpoint(dataset), int(dataset["checkpoint"].max())
    if end == start:
        return replace(NOTHING, note=f"the study ends at t = {end}")
    logs = xr.DataArray(np.log(dataset["sharpness"].where(dataset["sharpness"] > 0)))
    rise = (logs.sel(checkpoint=end, drop=True) - logs.sel(checkpoint=start, drop=True)).mean("candidate", skipna=False)
    found = over_the_seeds(rise)
    value, low, high = (math.exp(each) for each in (found.value, found.low, found.high))
    return Finding(value, low, high, found.count, f"t = {start} to {end}")


def metric_by_sharpness(dataset: xr.Dataset) -> Finding:
    """Kendall's τ over checkpoints of λ_max of the Hessian with M_t, averaged over candidates.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import metric_by_sharpness
      >>> metric_by_sharpness(landscape.open_study("digits-mlp")).count
      0

    References:
      Malviya et al. (2024), section 4.3.
    """
    q, n, _ = settings(dataset)
    found = correlation_with_metric(dataset, q, n)
    return over_the_seeds(found.mean("candidate"), RANGE)


def time_of_the_walk(dataset: xr.Dataset) -> Finding:
    """How many times as long as the fastest baseline the walk takes on the greatest candidate, compilation apart.

    The mean over seeds is geometric. The fastest is the baseline of the paper that the walk takes longest against.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.findings import time_of_the_walk
      >>> time_of_the_walk(landscape.open_study("digits-mlp")).note
      'against SynFlow'

    References:
      Malviya et al. (2024), section A.2.3 and Table 4.
    """
    study = study_of(dataset)
    units = [sum(sizes.values()) for sizes in study.group_sizes()[1:]]
    greatest = study.labels[max(range(len(units)), key=lambda i: (units[i], i))]
    at = dataset[["proxy_seconds", "walk_seconds"]].sel(candidate=greatest)
    baselines = at["proxy_seconds"].sel(predictor=at["predictor"].isin(PAPER_BASELINES)).transpose("predictor", "seed")
    quicker = xr.DataArray(np.log(baselines)) - np.log(at["walk_seconds"])  # the least is that of the fastest
    least = least_over_the_seeds(quicker)
    if least is None:
        return NOTHING
    name, found = least
    value, low, high = (math.exp(-bound) for bound in (found.value, found.high, found.low))
    return Finding(value, low, high, found.count, f"against {predictor_named(name).name}")


def _nearest_checkpoint(dataset: xr.Dataset) -> int:
    return min(dataset["checkpoint"].values.tolist(), key=lambda t: abs(t - EARLY))


def _metric(dataset: xr.Dataset, checkpoint: int) -> xr.DataArray:
    """M_t in percent, averaged over candidates, dims (seed)."""
    q, n, _ = settings(dataset)
    metric = manifold_metric(dataset, q, n)
    return metric.sel(checkpoint=checkpoint, drop=True).mean("candidate", skipna=False)


def _until_the_end(dataset: xr.Dataset, start: int) -> Finding:
    """The change of M_t from a checkpoint to the last one.

    A study of few epochs can confirm that M_t falls, but only one as long as the paper's can refute it.
    """
    end = int(dataset["checkpoint"].max())
    if end == start:
        return replace(NOTHING, note=f"the study ends at t = {end}")
    found = over_the_seeds(_metric(dataset, end) - _metric(dataset, start))
    can_be: Verdicts = BOTH if end >= PAPER_EPOCHS[study_of(dataset).data.modality] else ("reproduced",)
    return replace(found, note=f"t = {start} to {end}", can_be=can_be)
