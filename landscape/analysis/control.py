"""The control: what the base gains by training on for as long as its candidates, without being expanded (ours).

A candidate trains for T epochs more than its base, with a restarted optimiser and schedule, and either can bring a gain
by itself. What it gains beyond the control is not owed to them. What is missing is NaN, and so is what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from landscape.analysis.intervals import over_seeds
from landscape.analysis.performance import Measure, best_gain
from landscape.store.derived import derived
from landscape.study.schema import CONTROL, VARIABLES, study_of


def has_control(dataset: xr.Dataset) -> bool:
    """Whether a control belongs to the study of a result, be it trained yet or not.

    Example:
      >>> import landscape
      >>> from landscape.analysis.control import has_control
      >>> has_control(landscape.open_study("digits-mlp"))
      True

    References:
      Malviya et al. (2024), section 4.1, whose candidates train on from the base; the control is ours.
    """
    return study_of(dataset).has_control


@derived
def control_as_candidate(dataset: xr.Dataset) -> xr.Dataset:
    """A result whose only candidate is the control: its gain, metric and perplexity are those of any candidate.

    Args:
      dataset: a result, as `landscape.open_study` returns it.

    Returns:
      The variables of the base and those of the control, which have the names of a candidate's. They are NaN where the
      study has no control.

    Example:
      >>> import landscape
      >>> from landscape.analysis.control import control_as_candidate
      >>> alone = control_as_candidate(landscape.open_study("digits-mlp"))
      >>> alone["candidate"].values.tolist(), dict(landscape.gain(alone, "accuracy").sizes)
      (['control'], {'seed': 10, 'candidate': 1, 'epoch': 81})

    References:
      Malviya et al. (2024), section 4.1, whose candidates train on from the base; the control is ours.
    """
    own = {name.removeprefix(f"{CONTROL}_"): dataset[name] for name in VARIABLES if name.startswith(f"{CONTROL}_")}
    of_candidate = {
        name: values.expand_dims(candidate=[CONTROL], axis=1)
        for name, values in own.items()
        if "candidate" in VARIABLES[name].dims
    }
    return dataset.drop_dims("candidate").assign(of_candidate)


def beside_control(quantity: Callable[[xr.Dataset], xr.DataArray], dataset: xr.Dataset) -> xr.DataArray:
    """A quantity of every candidate and, behind the last of them, of the control.

    Args:
      quantity: a function of a result whose value has the dimension `candidate`, as `landscape.analysis.gain` is.
      dataset: a result, as `landscape.open_study` returns it.

    Example:
      >>> import landscape
      >>> from landscape.analysis.control import beside_control
      >>> found = beside_control(lambda d: landscape.best_gain(d, "accuracy"), landscape.open_study("mlp-cifar10"))
      >>> found["candidate"].values.tolist()
      ['hidden1 → 40', 'hidden1 → 60', 'control']

    References:
      Malviya et al. (2024), section 4.1, whose candidates train on from the base; the control is ours.
    """
    return xr.concat([quantity(dataset), quantity(control_as_candidate(dataset))], "candidate")


@derived
def control_gain(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    """The best gain G*_T of the control over the base, with dims (seed), in the unit of `landscape.gain`.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: as for `landscape.performance`.

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> from landscape.analysis.control import control_gain
      >>> control_gain(landscape.open_study("digits-mlp"), "accuracy").mean().round(2).item()  # points
      1.46

    References:
      Malviya et al. (2024), section 4.2, for G*_T; the control is ours.
    """
    return best_gain(control_as_candidate(dataset), measure).isel(candidate=0, drop=True)


@derived
def excess_gain(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    r"""The best gain of every candidate beyond that of the control of the same seed.

    .. math:: G^*_T - \max_{t \le T} \left[A(\phi^{(t)}) - A(\phi^*)\right]

    Here :math:`\phi^{(t)}` is the base trained on for t epochs. Within a seed the excess differs from G*_T by a
    constant, so that every predictor's correlation with it over candidates is that with G*_T.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: as for `landscape.performance`.

    Returns:
      The excess in the unit of `landscape.gain`, dims (seed, candidate).

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> landscape.excess_gain(landscape.open_study("digits-mlp"), "accuracy").mean("seed").round(1).values.tolist()
      [0.4, 1.2, 0.7, 1.3, 2.5]

    References:
      Malviya et al. (2024), section 4.2, for G*_T; the control is ours.
    """
    excess = best_gain(dataset, measure) - control_gain(dataset, measure)
    units = "percentage points" if measure == "accuracy" else "1"
    return excess.rename("excess_gain").assign_attrs(units=units, long_name="best gain beyond the control's")


def not_above_control(excess: xr.DataArray) -> list[str]:
    """The candidates whose mean excess does not exclude 0 or less: those whose 95 % interval does not lie above it.

    Args:
      excess: with dims (seed, candidate). Candidates without a value are left out.

    Example:
      >>> import xarray as xr
      >>> from landscape.analysis.control import not_above_control
      >>> excess = xr.DataArray([[1.0, 1.0], [1.1, -1.0]], {"candidate": ["A", "B"]}, ("seed", "candidate"))
      >>> not_above_control(excess)
      ['B']

    References:
      Student, "The probable error of a mean", Biometrika 6 (1908), for paired differences.
    """
    known = over_seeds(excess.dropna("candidate", how="all"))
    return known["candidate"].values[~(known["low"] > 0).values].tolist()
