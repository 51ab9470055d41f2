"""Networks of a result that diverged in training: their loss became infinite or NaN."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from landscape.analysis.wording import enumeration
from landscape.store.derived import derived
from landscape.study.schema import BASE, CONTROL, study_of


class Diverged(NamedTuple):
    """A network, and the first epoch after which its validation loss was not finite; `model` may be the control."""

    model: str
    seed: int
    epoch: int


@derived
def diverged(dataset: xr.Dataset) -> list[Diverged]:
    """The networks whose validation loss was not finite at some epoch: the base's first, then by model and seed.

    Such a network has no accuracy at these epochs, and is never chosen there. What has not been trained yet is not
    meant.

    Example:
      >>> import landscape
      >>> from landscape.analysis.divergence import diverged
      >>> diverged(landscape.open_study("digits-mlp"))
      []
    """
    lost = {BASE: _lost(dataset["base_validation_loss"], _base_epochs(dataset))}
    trained = dataset["seconds"].sel(phase="train").notnull()  # seed model
    for name in dataset["candidate"].values.tolist():
        lost[name] = _lost(dataset["validation_loss"].sel(candidate=name), trained.sel(model=name))
    trained_on = dataset["control_seconds"].sel(phase="train").notnull()
    lost[CONTROL] = _lost(dataset["control_validation_loss"], trained_on)
    return [
        Diverged(model, int(seed), int(np.argmax(row)))
        for model, rows in lost.items()
        for seed, row in zip(dataset["seed"].values, rows, strict=True)
        if row.any()
    ]


def divergence(dataset: xr.Dataset) -> str | None:
    """The networks that diverged, in a sentence; None where there are none.

    Example:
      >>> import landscape
      >>> from landscape.analysis.divergence import divergence
      >>> divergence(landscape.open_study("digits-mlp")) is None
      True
    """
    return in_words(diverged(dataset))


def in_words(found: list[Diverged]) -> str | None:
    """What `divergence` says of these networks.

    Example:
      >>> from landscape.analysis.divergence import Diverged, in_words
      >>> in_words([Diverged("base", 0, 3)])
      'Diverged, so without an accuracy from there on and never chosen: base of seed 0 (after epoch 3). Their loss was
      infinite or NaN.'
    """
    if not found:
        return None
    names = enumeration([f"{each.model} of seed {each.seed} (after epoch {each.epoch})" for each in found])
    return f"Diverged, so without an accuracy from there on and never chosen: {names}. Their loss was infinite or NaN."


def _base_epochs(dataset: xr.Dataset) -> xr.DataArray:
    """The epochs that each base trained before it was stopped, dims (seed, base_epoch)."""
    last = dataset["base_stop"] + study_of(dataset).training.patience
    return dataset["base_epoch"] <= last


def _lost(loss: xr.DataArray, trained: xr.DataArray) -> np.ndarray:
    """Where a loss was computed and is not finite, (seed, epochs)."""
    known = loss.where(trained, 0)
    return ~np.isfinite(known.transpose("seed", ...).values)
