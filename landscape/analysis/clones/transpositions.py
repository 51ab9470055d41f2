r"""How often a random product of swaps moves units only within classes, and not all of them back: exact laws (ours).

A step of a walk swaps k pairs of l units, each drawn uniformly from all pairs, and is drawn again if it moves nothing
(A.2.1). With N_l(k) the number of ways in which k swaps of l units move nothing, l^{(2)} = l (l − 1) / 2, and classes
of n_1, n_2, … units, the probability that all swaps stay within classes is

.. math::
    p = \frac{\left(\sum_c n_c^{(2)}\right)^k - k! \, [x^k] \prod_c \sum_j N_{n_c}(j) \, x^j / j!}
             {\left(l^{(2)}\right)^k - N_l(k)}.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy import special

Cycles = tuple[int, ...]  # the lengths of a permutation's cycles in ascending order, without those of a single unit


@cache
def returns(units: int, most: int) -> tuple[int, ...]:
    """In how many ways j swaps of so many units move nothing, for j from 0 to `most`.

    Swaps are multiplied one by one, and of their product only the lengths of its cycles are kept: a swap joins two
    cycles or splits one.

    Example:
      >>> from landscape.analysis.clones.transpositions import returns
      >>> returns(4, 4)  # one of 6 swaps twice, and so on
      (1, 0, 6, 0, 120)

    References:
      Goupil and Schaeffer, "Factoring n-cycles and counting maps of given genus" (1998), on cycles that join.
    """
    products: Counter[Cycles] = Counter({(): 1})
    counts = [1]
    for _ in range(most):
        products = _multiplied(products, units)
        counts.append(products[()])
    return tuple(counts)


def _multiplied(products: Counter[Cycles], units: int) -> Counter[Cycles]:
    longer: Counter[Cycles] = Counter()
    for cycles, count in products.items():
        for others, ways in _one_more(cycles, units - sum(cycles)):
            if ways:
                longer[others] += count * ways
    return longer


def _one_more(cycles: Cycles, still: int) -> Iterator[tuple[Cycles, int]]:
    """The cycles after one more swap, and by how many swaps; `still` units have not moved."""
    yield _sorted((*cycles, 2)), math.comb(still, 2)
    for i, a in enumerate(cycles):
        others = cycles[:i] + cycles[i + 1 :]
        yield _sorted((*others, a + 1)), still * a
        for part in range(1, a // 2 + 1):  # a swaps split it at each distance, but half as many into halves
            yield _sorted((*others, part, a - part)), a if 2 * part < a else a // 2
        for j in range(i + 1, len(cycles)):
            yield _sorted((*cycles[:i], *cycles[i + 1 : j], *cycles[j + 1 :], a + cycles[j])), a * cycles[j]


def _sorted(cycles: Iterable[int]) -> Cycles:
    return tuple(sorted(length for length in cycles if length > 1))


def share_within(classes: Sequence[int], swaps: int) -> float:
    """The probability that all swaps of a step are within classes of these sizes, which all units are divided into.

    Example:
      >>> from landscape.analysis.clones.transpositions import share_within
      >>> share_within([2, 1, 1], swaps=1)  # one of six pairs
      0.16666666666666666
      >>> share_within([2, 1, 1], swaps=2)  # the same pair twice moves nothing
      0.0

    References:
      The law is this module's; Malviya et al. (2024), A.2.1, for the step.
    """
    product = np.eye(1, swaps + 1)[0]
    for size in classes:
        product = np.convolve(product, _moving_nothing(size, swaps))[: swaps + 1]
    return _probability(_staying(classes, swaps), product[swaps], sum(classes), swaps)


def share_of_copies(old: int, new: int, swaps: int) -> float:
    """The same for the copies of Net2Net: the mean over which of `old` units are copied, to be `new` with the copies.

    Copies are drawn uniformly, so the classes have one unit and a multinomial number of copies each.

    Example:
      >>> from landscape.analysis.clones.transpositions import share_of_copies, share_within
      >>> share_of_copies(4, 5, swaps=3) == share_within([2, 1, 1, 1], swaps=3)
      True
      >>> f"{share_of_copies(6, 18, swaps=5):.1e}"
      '9.3e-05'

    References:
      The law is this module's; Chen et al. (2016), arXiv 1511.05641, section 2.3, for the copies.
    """
    added = new - old
    copies = range(added + 1)
    weights = _poisson(np.array(copies), added / old)[:, None]  # conditioned on their sum, such numbers are multinomial
    within = weights * [_series([math.comb(1 + r, 2) ** j for j in range(swaps + 1)]) for r in copies]
    still = weights * [_moving_nothing(1 + r, swaps) for r in copies]
    certain = _poisson(np.array(added), added)  # the probability of the sum on which all is conditioned
    stay, nothing = (_power(law, old)[added, swaps] / certain for law in (within, still))
    return _probability(stay, nothing, new, swaps)


def _probability(within: float, still: float, units: int, swaps: int) -> float:
    """From the two series at k: the ways to stay within classes, and those of them that move nothing, both over k!."""
    moving = math.comb(units, 2) ** swaps - returns(units, swaps)[swaps]
    return max(float(within - still), 0.0) * math.factorial(swaps) / moving


def _staying(classes: Sequence[int], swaps: int) -> float:
    return sum(math.comb(size, 2) for size in classes) ** swaps / math.factorial(swaps)


def _moving_nothing(size: int, swaps: int) -> Float[np.ndarray, " swaps+1"]:
    return _series(returns(size, swaps))


def _series(counts: Sequence[int]) -> Float[np.ndarray, " swaps+1"]:
    """Σ counts_j x^j / j!."""
    return np.array([count / math.factorial(j) for j, count in enumerate(counts)])


def _poisson(counts: Float[np.ndarray, ...], mean: float) -> Float[np.ndarray, ...]:
    return np.exp(special.xlogy(counts, mean) - mean - special.gammaln(counts + 1.0))


def _power(law: Float[np.ndarray, "a b"], exponent: int) -> Float[np.ndarray, "a b"]:
    """A polynomial in two variables to a power, cut to its own degrees."""
    result = np.zeros_like(law)
    result[0, 0] = 1
    while exponent:
        if exponent & 1:
            result = _times(result, law)
        law, exponent = _times(law, law), exponent >> 1
    return result


def _times(a: Float[np.ndarray, "a b"], b: Float[np.ndarray, "a b"]) -> Float[np.ndarray, "a b"]:
    rows, columns = a.shape
    found = np.zeros_like(a)
    for i in range(columns):
        for j in range(columns - i):
            found[:, i + j] += np.convolve(a[:, i], b[:, j])[:rows]
    return found
