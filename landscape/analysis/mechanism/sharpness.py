"""Whether M_t is small where the loss is sharp, as section 4.3 of the paper says (arXiv 2405.15895)."""

from __future__ import annotations

import xarray as xr

from landscape.analysis.metric import manifold_metric
from landscape.analysis.ranking.correlation import Kind, correlation
from landscape.study.schema import CONTROL

MEASURES = ("sharpness", "hessian_trace")  # of the Hessian: its largest eigenvalue, its trace


def with_control(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """A quantity of the Hessian at every checkpoint, in nats; the control is the last of the candidates.

    Example:
      >>> import landscape
      >>> from landscape.analysis.mechanism.sharpness import with_control
      >>> with_control(landscape.open_study("digits-mlp"), "sharpness")["candidate"].values[-1]
      'control'

    References:
      Malviya et al. (2024), section 4.3.
    """
    control = dataset[f"control_{name}"].expand_dims(candidate=[CONTROL])
    return xr.concat([dataset[name], control], "candidate").transpose("seed", "candidate", "checkpoint")


def correlation_with_metric(
    dataset: xr.Dataset, q: float, n: int, name: str = "sharpness", kind: Kind = "kendall"
) -> xr.DataArray:
    r"""The rank correlation over checkpoints of a quantity of the Hessian with M_t, within candidate and seed.

    .. math:: \tau\left(\lambda_{\max}(\theta^{(t)}), M_t\right) \text{ over } t

    It is negative where M_t is smaller the sharper the loss is.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.
      name: one of `MEASURES`.
      kind: as for `landscape.analysis.ranking.correlation.correlation`.

    Returns:
      Correlations from −1 to 1, with dims (seed, candidate); NaN where fewer than two checkpoints have both.

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.mechanism.sharpness import correlation_with_metric
      >>> correlation_with_metric(landscape.open_study("digits-mlp"), 0.4, 1000).dims
      ('seed', 'candidate')

    References:
      Malviya et al. (2024), section 4.3; Kendall (1945).
    """
    metric = manifold_metric(dataset, q, n)
    found = correlation(dataset[name].transpose(*metric.dims).values, metric.values, kind)
    return metric.isel(checkpoint=0, drop=True).copy(data=found).drop_attrs()
