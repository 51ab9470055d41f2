"""The scorecard: a row for each claim and each study that tests it, computed from the results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan
from urllib.parse import urlencode

import xarray as xr

from landscape.analysis.scorecard.claims import CLAIMS, Claim
from landscape.analysis.scorecard.findings import rank_of
from landscape.analysis.scorecard.verdict import Finding, Verdict, verdict
from landscape.analysis.summary import Q
from landscape.analysis.walks import checked_n
from landscape.store.derived import keeping
from landscape.study.predictors import PARAMETERS
from landscape.study.schema import study_of

NETWORKS = {"data", "model", "candidates", "expansion", "training", "weights"}  # all that a study's networks depend on


@dataclass(frozen=True)
class Scale:
    """How large a study is. `examples` is None where it trains on all that there are.

    Example:
      >>> from landscape.analysis.scorecard import Scale
      >>> Scale(seeds=10, candidates=5, examples=1000, modality="images", epochs=80, n=1000).n
      1000

    References:
      Malviya et al. (2024), arXiv 2405.15895, section 4.1.
    """

    seeds: int
    candidates: int
    examples: int | None
    modality: str
    epochs: int
    n: int


@dataclass(frozen=True)
class Row:
    """What one study says of one claim; all but claim and verdict is None where no study tests the claim.

    Attributes:
      claim, verdict: what is claimed, and what follows by the rule of `landscape.analysis.scorecard.verdict`.
      study: the name of the study in lists and links.
      found: the figure.
      metric, parameters: τ of M₀ and of the parameter count with G*, where ranks are compared.
      scale: how large the study is.

    Example:
      >>> from landscape.analysis.scorecard import CLAIMS, Row
      >>> Row(CLAIMS[0], "no shipped study yet").address
      ''

    References:
      Malviya et al. (2024), arXiv 2405.15895.
    """

    claim: Claim
    verdict: Verdict
    study: str | None = None
    found: Finding | None = None
    metric: Finding | None = None
    parameters: Finding | None = None
    scale: Scale | None = None

    @property
    def address(self) -> str:
        """The page that shows the figure, with its settings, relative to the app; empty without a study."""
        if self.study is None or self.scale is None:
            return ""
        return f"{self.claim.page}?{urlencode({'study': self.study, 'q': Q, 'n': self.scale.n})}"


def scorecard(results: Mapping[str, xr.Dataset]) -> list[Row]:
    """Every claim of the paper with what each result says of it.

    Args:
      results: complete results, as `landscape.open_study` returns them, by the names of their studies.

    Returns:
      The rows, claim by claim in the order of `CLAIMS`, and within a claim in the order of the results. A claim that no
      result tests has one row, whose verdict says so. Of the results that train the same networks, the one answers
      that can give most verdicts, and of several of these the one with most seeds: the others would say it again.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard import scorecard
      >>> first = scorecard({"digits-mlp": landscape.open_study("digits-mlp")})[0]
      >>> round(first.found.low, 2), first.verdict, first.address
      (0.05, 'reproduced', 'predictors?study=digits-mlp&q=0.4&n=1000')

    References:
      Malviya et al. (2024), arXiv 2405.15895; each claim names its section.
    """
    with keeping():  # many claims ask for the same ranks
        return [row for claim in CLAIMS for row in _rows(claim, results)]


def nearest_to_the_paper(rows: Sequence[Row]) -> Row:
    """Of what several studies say of a claim, that of the one trained on the most examples, and then of most seeds.

    One that can give no verdict is passed over where another can.

    Example:
      >>> from landscape.analysis.scorecard import CLAIMS, Row
      >>> from landscape.analysis.scorecard.rows import nearest_to_the_paper
      >>> nearest_to_the_paper([Row(CLAIMS[0], "no shipped study yet")]).verdict
      'no shipped study yet'

    References:
      Malviya et al. (2024), arXiv 2405.15895, section 4.1: all training examples and 10 seeds.
    """
    return max(rows, key=_nearness)


def _nearness(row: Row) -> tuple[bool, float, int]:
    if row.found is None or row.scale is None:
        return False, 0, 0
    examples = inf if row.scale.examples is None else row.scale.examples
    return bool(_possible(row.found)), examples, row.scale.seeds


def _rows(claim: Claim, results: Mapping[str, xr.Dataset]) -> Iterator[Row]:
    found = {name: claim.measured(dataset) for name, dataset in results.items() if claim.tests(dataset)}
    if not found:
        yield Row(claim, "no shipped study yet")
    for name in _one_of_alike(found, results):
        dataset = results[name]
        metric = rank_of(dataset) if claim.ranks else None
        parameters = rank_of(dataset, PARAMETERS) if claim.ranks else None
        said = verdict(found[name], claim.claimed)
        yield Row(claim, said, name, found[name], metric, parameters, _scale(dataset))


def _one_of_alike(found: Mapping[str, Finding], results: Mapping[str, xr.Dataset]) -> list[str]:
    """The studies that answer: of those that train the same networks, the one that can say most, by most seeds."""
    chosen: dict[str, str] = {}
    for name in found:
        networks = study_of(results[name]).model_dump_json(include=NETWORKS)
        chosen[networks] = max(chosen.get(networks, name), name, key=lambda each: _says(found[each], results[each]))
    return [name for name in found if name in chosen.values()]


def _says(found: Finding, dataset: xr.Dataset) -> tuple[int, int, int]:
    """How much a study can say: how many verdicts it can give, then by how many seeds, then by how long walks."""
    study = study_of(dataset)
    return _possible(found), study.seeds, study.walk.permutations


def _possible(found: Finding) -> int:
    """How many verdicts a figure can give."""
    return 0 if isnan(found.value) else len(found.can_be)


def _scale(dataset: xr.Dataset) -> Scale:
    study = study_of(dataset)
    return Scale(
        seeds=study.seeds,
        candidates=len(study.candidates),
        examples=study.data.train_size,
        modality=study.data.modality,
        epochs=study.training.epochs,
        n=checked_n(dataset, None),
    )
