"""What every symbol and every term of the pages means: one vocabulary, for the glossary, the help and the lessons.

Sections are those of Malviya et al. (2024), arXiv 2405.15895.
"""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """A term: how it is written, what it is called, what it is in one sentence, its unit, and where it is from.

    `lesson` is the file in `pages/learn` that introduces it.
    """

    symbol: str
    name: str
    definition: str
    unit: str
    source: str
    lesson: str


TERMS = (
    Term("θ", "parameters", "All the numbers that training sets in a network: a point in parameter space.", "1",
         "section 3.1", "copies"),
    Term("l", "width", "The number of units of the layer that is permuted and expanded.", "units", "A.2.1", "copies"),
    Term("π", "permutation", "An order of the units of a layer; each unit takes all its connections along.", "1",
         "section 3.2", "copies"),
    Term("P(θ, π)", "permuted copy", "The network whose units stand in the order π, with the same function.", "1",
         "section 3.2", "copies"),
    Term("L", "loss", "How surprised a network is by the right answers: its mean cross-entropy. With probability p for "
         "a right answer, that is −ln p nats.", "nats", "section 3.1", "line"),
    Term("α", "place on the line", "How far a mixture of two networks has gone from the first to the second.", "1",
         "equation 1", "line"),
    Term("b", "barrier", "How far the loss between two networks rises above the chord, the straight line between their "
         "losses.", "nats", "equation 1", "line"),
    Term("b̂", "midpoint barrier", "How far the loss in the middle between two networks is from the mean of theirs.",
         "nats", "section 3.2", "line"),
    Term("n", "permutations", "The number of steps of the walk, each of which leads to another permuted copy.", "steps",
         "Algorithm 1", "walk"),
    Term("edge", "edge", "A step of the walk whose midpoint barrier is at most λ: its two copies are connected.", "1",
         "section 3.2", "walk"),
    Term("m", "size of the manifold", "The fraction of the walk's steps that are edges.", "%", "Algorithm 1", "walk"),
    Term("interval", "95 % interval", "A range that holds the true value in 95 of 100 repetitions.", "as the value",
         "ours", "walk"),
    Term("φ*", "base", "The small network that was trained until it stopped improving, before any expansion.", "1",
         "section 3.3", "threshold"),
    Term("candidate", "candidate", "The base with more units or layers that compute the same function at first.", "1",
         "section 3.3", "threshold"),
    Term("q", "quantile", "The fraction of the base's own barriers that are at most λ.", "1",
         "section 3.3", "threshold"),
    Term("B*", "barriers of the base", "The midpoint barriers of all steps of the base's walk.", "nats",
         "section 3.3", "threshold"),
    Term("λ", "threshold", "The q-quantile of B*: the highest barrier that counts as low.", "nats",
         "section 3.3", "threshold"),
    Term("M", "manifold metric", "How much larger the manifold of a candidate is than that of the base: the difference "
         "of their m.", "%", "equation 2", "threshold"),
    Term("1 − q", "ceiling", "The greatest value that M can have, since m is at most 1.", "%", "ours", "threshold"),
    Term("M₀", "manifold metric before training", "M of a candidate right after its expansion, before it is trained.",
         "%", "section 4.1", "widening"),
    Term("parameter count", "parameter count", "How many numbers a candidate has: a predictor that costs nothing.", "1",
         "ours", "widening"),
    Term("τ", "Kendall's τ", "How well two orders agree: 1 if all pairs stand alike, −1 if all stand the other way.",
         "1", "section 4.2", "widening"),
    Term("ρ", "Spearman's ρ", "The correlation of two orders by their ranks.", "1", "A.2.4", "widening"),
    Term("r", "Pearson's r", "The correlation of two sets of values.", "1", "A.2.4", "widening"),
    Term("A", "performance", "Accuracy on validation data or, for text, −log of the validation loss.",
         "% or −log(loss)", "section 4.1", "training"),
    Term("t", "epoch", "How many times a candidate has been trained on all examples since its expansion.", "epochs",
         "section 4.1", "training"),
    Term("T", "last epoch", "How long the candidates are trained.", "epochs", "section 4.1", "training"),
    Term("Gₜ", "gain", "How much better a candidate is after t epochs than the base.",
         "percentage points or −log(loss)", "section 4.1", "training"),
    Term("G*", "best gain", "The greatest gain up to epoch T.", "percentage points or −log(loss)", "section 4.1",
         "training"),
    Term("Mₜ", "manifold metric in training", "M of a candidate after t epochs of training.", "%", "section 4.1",
         "training"),
    Term("control", "control", "The base trained on for as long without expansion: what training alone gains.",
         "as the gain", "ours", "training"),
    Term("regret", "regret", "The gain lost by taking the candidate that a predictor picks instead of the best one.",
         "as the gain", "ours", "training"),
    Term("aligned", "aligned", "Said of a network whose units are permuted to resemble those of another.", "1",
         "Ainsworth et al. (2022)", "seeds"),
    Term("seed", "seed", "The number that decides the start and the order of a training run.", "1", "section 4.1",
         "seeds"),
)  # fmt: skip


def term(symbol: str) -> Term:
    """The term that is written like that.

    Raises:
      ValueError: if the glossary does not have it.

    Example:
      >>> from landscape.analysis.glossary import term
      >>> term("λ").name
      'threshold'

    References:
      Malviya et al. (2024), arXiv 2405.15895; each term has its place in it as `source`.
    """
    found = {each.symbol: each for each in TERMS}
    if symbol not in found:
        raise ValueError(f"the glossary has no {symbol!r}; it has {', '.join(found)}")
    return found[symbol]


def explained(*symbols: str) -> str:
    """What some symbols mean, for help beside a control or a column.

    Raises:
      ValueError: if the glossary does not have one of them.

    Example:
      >>> from landscape.analysis.glossary import explained
      >>> explained("n")
      'n: the number of steps of the walk, each of which leads to another permuted copy.'

    References:
      Malviya et al. (2024), arXiv 2405.15895.
    """
    terms = map(term, symbols)
    return " ".join(f"{each.symbol}: {each.definition[0].lower()}{each.definition[1:]}" for each in terms)
