"""Warnings about limits that the numbers themselves do not show."""

from __future__ import annotations

import numpy as np
import streamlit as st
import xarray as xr

from landscape.analysis.clones import unmoved
from landscape.analysis.metric import at_ceiling, manifold_metric, manifold_size, threshold
from landscape.analysis.walks import only_walks, prefix
from landscape.analysis.wording import counted, enumeration, part_of, together
from landscape.store.derived import derived
from landscape.study import Study
from landscape.study.predictors import predictor_named
from landscape.study.schema import study_of
from pages.shared.show import escaped

FEW = 0.25  # distinct barriers, as a fraction of n, below which λ jumps noticeably


def beside(dataset: xr.Dataset, q: float, n: int, checkpoint: int = 0) -> None:
    """Write the warnings that apply."""
    built = unmoved.sentence(study_of(dataset)) if checkpoint == 0 else None
    for sentence in (built, ceiling(dataset, q, n, checkpoint), few_barriers(dataset, q, n)):
        if sentence:
            st.caption(escaped(sentence))


@derived
def limits(dataset: xr.Dataset) -> list[str]:
    """What the numbers of a study do not say, a sentence or two each."""
    study = study_of(dataset)
    found = [
        "The same validation data choose φ* and the epoch of G*, so both are optimistic: they are maxima over epochs, "
        "and no further data confirm them.",
        not_stopped(dataset),
        f"{differences(study)} They share the split of the data and the batch on which barriers are measured, so an "
        "interval over seeds includes neither. Another batch would move M₀ too.",
        "A step that is the identity, which has no barrier, is drawn again: the paper asks for a new permutation.",
    ]
    if study.model.kind == "bert":
        found.append("BERT is trained without dropout here, since losses of one fixed function are compared.")
    return [sentence for sentence in found if sentence]


def differences(study: Study) -> str:
    """In what the seeds of a study differ."""
    if study.weights is None:
        return "Seeds differ in their initial weights, the order of training and the permutations."
    return (
        "All seeds start from the one network whose weights were given, and differ in the copies that expansions draw, "
        "the order of training and the permutations: no interval says what another base would show."
    )


def not_stopped(dataset: xr.Dataset) -> str | None:
    """In how many seeds the base ran out of epochs before early stopping ended its training; None if in none."""
    study, stop = study_of(dataset), dataset["base_stop"].dropna("seed")
    if study.weights:
        return None
    training = study.training
    ended = int((stop + training.patience > training.base_epochs).sum())
    if not ended:
        return None
    return (
        f"In {part_of(ended, stop.sizes['seed'], 'seed')}, the base stopped training because its "
        f"{training.base_epochs} epochs were over, not by early stopping: φ* may be short of its best, and what "
        "candidates gain may come from that."
    )


@derived
def undefined(dataset: xr.Dataset) -> str | None:
    """Which proxies were computed and are not a number, where others of the same candidate are; None if none is."""
    missing = dataset["proxy"].isnull() & dataset["proxy"].notnull().any("predictor")
    counts = missing.sum(("seed", "candidate")).to_series()
    computed = int(dataset["proxy"].notnull().any("predictor").sum())
    names = [
        f"{predictor_named(str(name)).name} in {count} of {counted(computed, 'value')}"
        for name, count in counts[(counts > 0) & (counts < computed)].items()
    ]
    if not names:
        return None
    reason = (
        " Jacov is undefined where an example leaves every unit of a relu layer off: the gradient with respect to that "
        "example is 0, and has no correlation with others."
    )
    return f"Undefined: {enumeration(names)}.{reason if any(name.startswith('Jacov') for name in names) else ''}"


@derived
def ceiling(dataset: xr.Dataset, q: float, n: int, checkpoint: int = 0) -> str | None:
    """Which candidates reach the ceiling of M, where they tie; None if no two of them do in the same seed."""
    at = only_walks(dataset).sel(checkpoint=[checkpoint])
    full = (at_ceiling(at, q, n) & manifold_metric(at, q, n).notnull()).isel(checkpoint=0, drop=True)
    several = full.sum("candidate") > 1
    if not several.any():
        return None
    names = ", ".join(full["candidate"].values[(full & several).any("seed").values])
    return (
        f"Ceiling: m is at most 1, so M is at most about 1 − q = {100 * (1 - q):.0f} %. In "
        f"{part_of(int(several.sum()), full.sizes['seed'], 'seed')}, several candidates reach it ({names}), so that M "
        "ranks them equally."
    )


@derived
def few_barriers(dataset: xr.Dataset, q: float, n: int) -> str | None:
    """How few distinct barriers the base has, if they are so few that λ jumps noticeably."""
    base, _ = prefix(dataset, n)
    base = base[~np.isnan(base).any(-1)]
    if not len(base):
        return None
    counts = [len(np.unique(row)) for row in base]
    if np.median(counts) >= FEW * n:
        return None
    sizes = 100 * manifold_size(base, threshold(base, q))
    return (
        f"Few distinct barriers: depending on the seed, the base's {n} barriers have only {min(counts)} to "
        f"{max(counts)} different values. As q changes, λ therefore jumps, and m(φ*) is {sizes.min():.1f} to "
        f"{sizes.max():.1f} % instead of {together(f'q = {100 * q:g} %')}."
    )
