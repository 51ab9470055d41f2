"""The claims of the paper, and ours beside them: what each says of a figure, and which studies test it.

Claims that are ours say what would have to hold if M₀ were more than size, and no artefact of copying units.
Sections are those of Malviya et al. (2024), arXiv 2405.15895. Of its second version (June 2025) only the abstract is
known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

import xarray as xr

from landscape.analysis.scorecard import findings, open_questions
from landscape.analysis.scorecard.verdict import Finding, Range
from landscape.study import Study
from landscape.study.predictors import SOTL_E
from landscape.study.schema import study_of
from landscape.study.steps import Deepen, NewUnits, Widen

NEAR = 0.1  # how far behind the strongest baseline τ may be and still count as near it
FLAT = 5.0  # percent of all steps by which M may change and still count as the same
EQUAL = 1.02  # the greatest parameter count over the least that still count as equal: ±1 %

POSITIVE: Range = (0, inf)
NEGATIVE: Range = (-inf, 0)


@dataclass(frozen=True)
class Claim:
    """A claim about one figure of a study.

    Attributes:
      text: the claim.
      section: where the paper makes it, or "ours".
      figure: what the figure is, and its unit.
      measured: the figure of a result.
      claimed: the range in which the claim puts the figure, bounds excluded.
      tests: whether a result tests the claim at all.
      page: the page that shows the figure.
      ranks: whether the figure compares ranks, so that τ of M₀ and of the parameter count stand beside it.
      form: the format of the figure as a number.

    Example:
      >>> from landscape.analysis.scorecard import CLAIMS
      >>> CLAIMS[0].section, CLAIMS[0].claimed
      ('4.2, figure 2', (0, inf))

    References:
      Malviya et al. (2024), arXiv 2405.15895.
    """

    text: str
    section: str
    figure: str
    measured: Callable[[xr.Dataset], Finding]
    claimed: Range
    tests: Callable[[xr.Dataset], bool]
    page: str
    ranks: bool = True
    form: str = "+.2f"


def _expanded(dataset: xr.Dataset) -> bool:
    """Whether all candidates are expanded in the paper's way."""
    study = study_of(dataset)
    return study.expansion.start == "expanded" and not any(isinstance(s, Widen) and s.units for s in _steps(study))


def _steps(study: Study) -> list[Widen | Deepen]:
    return [step for candidate in study.candidates for step in candidate]


def _images(dataset: xr.Dataset) -> bool:
    return _expanded(dataset) and study_of(dataset).data.modality == "images"


def _with_sharpness(dataset: xr.Dataset) -> bool:
    return _images(dataset) and bool(dataset["sharpness"].notnull().any())


def _walks_ffn(study: Study) -> bool:
    return study.walk.group.startswith("ffn")


def _transformer(dataset: xr.Dataset) -> bool:
    study = study_of(dataset)
    return _expanded(dataset) and study.model.kind == "bert" and _walks_ffn(study)


def _attention(dataset: xr.Dataset) -> bool:
    study = study_of(dataset)
    return _expanded(dataset) and study.model.kind == "bert" and not _walks_ffn(study)


def _from_scratch(dataset: xr.Dataset) -> bool:
    study = study_of(dataset)
    return study.expansion.start == "random" and study.model.kind == "bert"


def _all_convolutions(dataset: xr.Dataset) -> bool:
    study = study_of(dataset)
    widened = all(isinstance(step, Widen) and step.widen == "conv*" for step in _steps(study))
    return study.model.kind == "cnn" and widened


def _deeper(dataset: xr.Dataset) -> bool:
    study = study_of(dataset)
    return study.model.kind == "cnn" and all(isinstance(step, Deepen) for step in _steps(study))


def _resnet(dataset: xr.Dataset) -> bool:
    return study_of(dataset).model.kind == "resnet18"


def _equal_size(dataset: xr.Dataset) -> bool:
    counts = dataset["parameters"].sel(model=dataset["candidate"].values).values
    return counts.size > 1 and bool(counts.min() > 0 and counts.max() <= EQUAL * counts.min())


def _unequal_size(dataset: xr.Dataset) -> bool:
    return _expanded(dataset) and not _equal_size(dataset)


def _has(units: NewUnits, dataset: xr.Dataset) -> bool:
    """Whether a study has the same widening by copies and by other new units."""
    return bool(open_questions.twins(dataset, units))


TAU, AHEAD = "τ of M₀ with G*", "τ of M₀ minus that of the strongest baseline"
OURS = "ours"

CLAIMS = (
    Claim(
        "M₀ is positively correlated with the gain G* in every setting.",
        "4.2, figure 2", TAU, findings.rank_of, POSITIVE, _expanded, "predictors",
    ),
    Claim(
        f"M₀ is the best predictor or near it: less than {NEAR:g} behind the strongest zero-cost baseline.",
        "4.2, figure 2", AHEAD, findings.ahead_of_the_strongest, (-NEAR, inf), _expanded, "predictors",
    ),
    Claim(
        f"Mₜ stays constant at first, until t ≈ {findings.EARLY}: it changes by less than {FLAT:g} %.",
        "4.3, figure 3", "change of Mₜ in %", findings.early_change, (-FLAT, FLAT), _images,
        "trajectories", False, "+.1f",
    ),
    Claim(
        "Mₜ falls in the later phase of training.",
        "4.3, figure 3", "change of Mₜ in %", findings.late_change, NEGATIVE, _images, "trajectories", False, "+.1f",
    ),
    Claim(
        "The parameters enter a sharper region in the later phase of training: the Hessian's largest eigenvalue rises.",
        "4.3", "largest eigenvalue at the end over that at t ≈ 20", findings.rise_of_sharpness, (1, inf),
        _with_sharpness, "sharpness", False, ".2f",
    ),
    Claim(
        "Mₜ is smaller where the loss is sharper, which is why it falls.",
        "4.3", "τ of the largest eigenvalue with Mₜ over checkpoints", findings.metric_by_sharpness, NEGATIVE,
        _with_sharpness, "sharpness", False,
    ),
    Claim(
        "More permutations n give a higher correlation.",
        "4.5, figure 6", "change of τ of M₀", findings.growth_with_n, POSITIVE, _expanded, "sensitivity",
    ),
    Claim(
        "A higher quantile q gives a higher correlation.",
        "4.5, figure 6", "change of τ of M₀", findings.growth_with_q, POSITIVE, _expanded, "sensitivity",
    ),
    Claim(
        "SoTL-E is negatively correlated with G* at first (−SoTL-E, so that fewer losses promise more).",
        "4.3, 4.4, figures 3 and 5", "τ of −SoTL-E with G*", partial(findings.rank_of, predictor=SOTL_E), NEGATIVE,
        _expanded, "trajectories",
    ),
    Claim(
        "The manifold of a Transformer shrinks as it trains.",
        "4.4, figure 5", "change of Mₜ in %", findings.whole_change, NEGATIVE, _transformer,
        "trajectories", False, "+.1f",
    ),
    Claim(
        "The manifold of a Transformer also shrinks as it trains from random weights, from epoch 1 on.",
        "A.2.7, figure 11", "change of Mₜ in %", partial(findings.whole_change, first=1), NEGATIVE, _from_scratch,
        "trajectories", False, "+.1f",
    ),
    Claim(
        "The manifold of a Transformer also shrinks where attention is permuted instead of the FFN.",
        "A.2.7, figure 11", "change of Mₜ in %", findings.whole_change, NEGATIVE, _attention,
        "trajectories", False, "+.1f",
    ),
    Claim(
        "M₀ is positively correlated with G* when all convolutions are widened.",
        "4.3.1, figure 4", TAU, findings.rank_of, POSITIVE, _all_convolutions, "predictors",
    ),
    Claim(
        "M₀ is positively correlated with G* when a CNN is made deeper.",
        "4.3.1, figure 4", TAU, findings.rank_of, POSITIVE, _deeper, "predictors",
    ),
    Claim(
        "M₀ is positively correlated with G* when ResNet18 is widened.",
        "4.3.1, figure 4", TAU, findings.rank_of, POSITIVE, _resnet, "predictors",
    ),
    Claim(
        "M₀ takes less time than every zero-cost baseline.",
        "A.2.3, table 4", "time of the walk over that of the fastest baseline", findings.time_of_the_walk,
        (0, 1), _expanded, "predictors", False, ",.1f",
    ),
    Claim(
        "M₀ is a better predictor than the baselines also among candidates of equal parameter count.",
        "version 2, abstract", AHEAD, findings.ahead_of_the_strongest, POSITIVE, _equal_size, "predictors",
    ),
    Claim(
        "M₀ is positively correlated with G* among candidates of equal parameter count.",
        OURS, TAU, findings.rank_of, POSITIVE, _equal_size, "predictors",
    ),
    Claim(
        "M₀ says more of G* than the parameter count does.",
        OURS, "τ of M₀ with G* given the parameter count", open_questions.beyond_the_size, POSITIVE, _unequal_size,
        "predictors",
    ),
    Claim(
        "Training the candidate that M₀ picks loses less gain than training any.",
        OURS, "regret of M₀ minus that of a random pick", open_questions.against_chance, NEGATIVE, _expanded,
        "predictors",
    ),
    Claim(
        f"M₀ is no artefact of copying: silent units give no less, to within {FLAT:g} %.",
        OURS, "M₀ of silent units minus that of copies, in %", partial(open_questions.against_copies, units="silent"),
        (-FLAT, inf), partial(_has, "silent"), "study", False, "+.1f",
    ),
    Claim(
        f"M₀ is no artefact of copying: random units give no less, to within {FLAT:g} %.",
        OURS, "M₀ of random units minus that of copies, in %", partial(open_questions.against_copies, units="random"),
        (-FLAT, inf), partial(_has, "random"), "study", False, "+.1f",
    ),
)  # fmt: skip
