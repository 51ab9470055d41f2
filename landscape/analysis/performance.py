"""The performance A of a result's networks and the gain G of its candidates over their base (section 4.1).

Sections are those of Malviya et al. (2024), arXiv 2405.15895. What is missing is NaN, and so is what follows from it. A
network whose loss is not finite has no performance (`landscape.analysis.divergence` names it).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr

from landscape.store.derived import derived
from landscape.study.schema import study_of

Measure = Literal["accuracy", "negative log loss"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

# An exact expansion adds up the base's loss in another order, in float32: its logarithm moves by up to 2.7e-7 in the
# shipped studies, where the least change by training is 3e-5.
ROUNDING = 1e-6


def usual_measure(dataset: xr.Dataset) -> Measure:
    """The measure that the paper uses for the data of a result.

    Returns:
      "accuracy" for images and "negative log loss" for text.

    Example:
      >>> import landscape
      >>> from landscape.analysis.performance import usual_measure
      >>> usual_measure(landscape.open_study("tinybert"))
      'negative log loss'

    References:
      Malviya et al. (2024), sections 4.3 and 4.4.
    """
    return "negative log loss" if is_text(dataset) else "accuracy"


def is_text(dataset: xr.Dataset) -> bool:
    """Whether the models of a result are language models.

    Example:
      >>> import landscape
      >>> from landscape.analysis.performance import is_text
      >>> is_text(landscape.open_study("digits-mlp"))
      False
    """
    return study_of(dataset).data.modality == "text"


def performance(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    r"""The performance A(θ⁽ᵗ⁾) of every candidate on the validation examples, after each epoch t.

    .. math:: A = 100 \cdot \text{validation accuracy} \quad\text{or}\quad A = -\log(\text{validation loss})

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: "accuracy" (in percent) or "negative log loss" (of a loss in nats, so without a unit).

    Returns:
      A with dims (seed, candidate, epoch); epoch 0 is right after the expansion.

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> accuracy = landscape.performance(landscape.open_study("digits-mlp"), "accuracy")
      >>> accuracy.sel(candidate="hidden1 → 18", epoch=[0, 80]).mean("seed").round(1).values
      array([89.6, 93.4])

    References:
      Malviya et al. (2024), section 4.1.
    """
    return _measured(dataset["validation_accuracy"], dataset["validation_loss"], measure)


@derived
def base_performance(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    """The performance A(φ*) of the base, at the epoch that early stopping chose.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: as for `performance`.

    Returns:
      A(φ*) with dims (seed).

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> from landscape.analysis.performance import base_performance
      >>> base_performance(landscape.open_study("digits-mlp"), "accuracy").mean().round(1).item()
      89.6

    References:
      Malviya et al. (2024), section 4.1.
    """
    values = _measured(dataset["base_validation_accuracy"], dataset["base_validation_loss"], measure)
    return _at_base_stop(values, dataset)


@derived
def gain(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    r"""The performance gain G_t of every candidate over its base, after each epoch t.

    .. math:: G_t = A(\theta^{(t)}) - A(\phi^*)

    Gains of at most `ROUNDING` in size are set to 0, so that candidates that never gained are ties.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: as for `performance`.

    Returns:
      G_t in percentage points, or as a difference of −log(loss) without a unit; dims (seed, candidate, epoch).

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> gain = landscape.gain(landscape.open_study("digits-mlp"), "accuracy")
      >>> gain.sel(candidate="hidden1 → 18", epoch=[0, 80]).mean("seed").round(1).values
      array([0. , 3.8])

    References:
      Malviya et al. (2024), section 4.1.
    """
    grown = performance(dataset, measure) - base_performance(dataset, measure)
    grown = grown.where(~(abs(grown) <= ROUNDING), 0.0)
    units = "percentage points" if measure == "accuracy" else "1"
    return grown.rename("gain").assign_attrs(units=units, long_name=f"performance gain G_t in {measure}")


@derived
def best_gain(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    r"""The best gain G*_T of every candidate over the epochs that it has trained so far.

    .. math:: G^*_T = \max_{t \le T} G_t

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: as for `performance`.

    Returns:
      G*_T in the unit of `gain`, dims (seed, candidate); NaN for a candidate that has not trained an epoch, since an
      expansion alone gains nothing.

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> landscape.best_gain(landscape.open_study("digits-mlp"), "accuracy").mean("seed").round(1).values
      array([1.8, 2.7, 2.2, 2.8, 3.9])

    References:
      Malviya et al. (2024), section 4.2.
    """
    grown = gain(dataset, measure)
    trained = grown.sel(epoch=grown["epoch"] > 0).notnull().any("epoch")
    best = grown.max("epoch", keep_attrs=True).where(trained)
    return best.rename("best_gain").assign_attrs(long_name="best gain G*_T")


def best_epoch(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    r"""The epoch at which every candidate has its best gain G*_T, the first of several.

    .. math:: \operatorname{argmax}_{t \le T} G_t

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: as for `performance`.

    Returns:
      t in epochs, dims (seed, candidate); NaN where `best_gain` is.

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> from landscape.analysis.performance import best_epoch
      >>> digits = landscape.open_study("digits-mlp")
      >>> best_epoch(digits, "accuracy").sizes == landscape.best_gain(digits, "accuracy").sizes
      True

    References:
      Malviya et al. (2024), section 4.2.
    """
    best = best_gain(dataset, measure)
    reached = gain(dataset, measure) == best  # seed candidate epoch; where nothing is known, it is false everywhere
    first = dataset["epoch"].isel(epoch=reached.argmax("epoch")).drop_vars("epoch")
    return first.where(best.notnull()).rename("best_epoch").assign_attrs(units="epochs", long_name="epoch of G*_T")


def perplexity(dataset: xr.Dataset) -> xr.DataArray:
    r"""The perplexity of every candidate on the masked tokens of the validation text, after each epoch.

    .. math:: \exp(\text{validation loss in nats})

    Args:
      dataset: a result of language models, as `landscape.open_study` returns it.

    Returns:
      The perplexity with dims (seed, candidate, epoch).

    Example:
      >>> import landscape
      >>> from landscape.analysis.performance import perplexity
      >>> perplexity(landscape.open_study("tinybert")).isel(epoch=-1).mean("seed").round(1).values
      array([437.5, 437.2, 438.3, 436.7, 437.9])

    References:
      Devlin et al. (2019), arXiv 1810.04805, Table 6, for the perplexity of masked tokens.
    """
    return _perplexity(dataset["validation_loss"])


def base_perplexity(dataset: xr.Dataset) -> xr.DataArray:
    """The perplexity of the base φ*, at the epoch that early stopping chose, dims (seed).

    Example:
      >>> import landscape
      >>> from landscape.analysis.performance import base_perplexity
      >>> base_perplexity(landscape.open_study("tinybert")).mean().round(1).item()
      489.9

    References:
      Devlin et al. (2019), arXiv 1810.04805, Table 6, for the perplexity of masked tokens.
    """
    return _perplexity(_at_base_stop(dataset["base_validation_loss"], dataset))


def _at_base_stop(values: xr.DataArray, dataset: xr.Dataset) -> xr.DataArray:
    chosen = values.where(dataset["base_epoch"] == dataset["base_stop"])
    return chosen.max("base_epoch", keep_attrs=True)  # of one value and NaN


def _perplexity(loss: xr.DataArray) -> xr.DataArray:
    attrs = {"units": "1", "long_name": "perplexity on masked validation tokens, exp(validation loss)"}
    return loss.copy(data=np.exp(loss.values.astype(np.float64))).rename("perplexity").assign_attrs(attrs)


def _measured(accuracy: xr.DataArray, loss: xr.DataArray, measure: Measure) -> xr.DataArray:
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(map(repr, MEASURES))}; got {measure!r}")
    losses = loss.values.astype(np.float64)
    if measure == "accuracy":
        found = accuracy.copy(data=100 * accuracy.values.astype(np.float64))
        found = found.assign_attrs(units="%", long_name="validation accuracy")
    else:
        with np.errstate(divide="ignore", invalid="ignore"):  # of a loss of 0 it is infinite
            found = loss.copy(data=-np.log(losses)).assign_attrs(units="1", long_name="−log(validation loss)")
    return found.copy(data=np.where(np.isfinite(losses), found.values, np.nan))
