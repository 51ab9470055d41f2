"""The masks of BERT's masked language modelling.

They follow Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (2019), arXiv 1810.04805, section
3.1 and appendix A.1.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from landscape.data.split import IGNORED, Split
from landscape.data.wordpiece import OURS, Specials

ROWS = 4096  # sequences masked at a time, to bound memory; another number would give other masks for the same seed


def max_predictions(length: int) -> int:
    """The greatest number p of positions that are masked in a sequence of s tokens: ⌈0.15 s⌉.

    Example:
      >>> from landscape.data.masking import max_predictions
      >>> max_predictions(128)
      20
    """
    return -(-3 * length // 20)


def mask(tokens: Int[np.ndarray, "n s"], rng: np.random.Generator, vocabulary: int, specials: Specials = OURS) -> Split:
    """Hide some tokens of each sequence, which a model is to predict.

    Of the tokens of a sequence that are not special, 15 % (rounded, but at least one) are chosen uniformly. Each
    chosen token becomes [MASK] with probability 0.8, becomes a uniformly random ordinary token with probability 0.1,
    and stays as it is with probability 0.1.

    Args:
      tokens: the sequences, as numbers below `vocabulary`.
      rng: the generator of random numbers, which is advanced.
      vocabulary: how many tokens there are, the special ones included.
      specials: the numbers of those; the others are ordinary.

    Returns:
      inputs {"tokens": (n, s), "positions": (n, p)} with ascending positions, and targets (n, p), the original tokens
      at these positions. A sequence with fewer than p chosen tokens is filled up with position 0 and target `IGNORED`.

    Example:
      >>> import numpy as np
      >>> from landscape.data.masking import mask
      >>> split = mask(np.full((2, 20), 7), np.random.default_rng(0), vocabulary=100)
      >>> split.inputs["positions"].shape, split.targets
      ((2, 3), array([[7, 7, 7],
             [7, 7, 7]], dtype=int32))

    References:
      Devlin et al. (2019), arXiv 1810.04805, section 3.1.
    """
    others = np.setdiff1d(np.arange(vocabulary), specials)
    numbers = np.concatenate([specials, others])  # the special ones first
    parts = [_masked(tokens[i : i + ROWS], rng, numbers, specials) for i in range(0, max(len(tokens), 1), ROWS)]
    inputs = {name: np.concatenate([part.inputs[name] for part in parts]) for name in ("tokens", "positions")}
    return Split(inputs, np.concatenate([part.targets for part in parts]))


def _masked(tokens: np.ndarray, rng: np.random.Generator, numbers: np.ndarray, specials: Specials) -> Split:
    positions, chosen = _choose(~np.isin(tokens, specials), rng)  # n p
    originals = np.take_along_axis(tokens, positions, axis=1)  # n p
    draws = rng.random(positions.shape)  # n p
    substitutes = numbers[rng.integers(len(specials), len(numbers), positions.shape)]  # n p
    shown = np.where(draws < 0.8, specials.mask, np.where(draws < 0.9, substitutes, originals))  # n p
    hidden = tokens.astype(np.int32)  # n s
    rows, _ = np.nonzero(chosen)
    hidden[rows, positions[chosen]] = shown[chosen]
    targets = np.where(chosen, originals, IGNORED).astype(np.int32)  # n p
    return Split({"tokens": hidden, "positions": positions.astype(np.int32)}, targets)


def _choose(
    ordinary: Bool[np.ndarray, "n s"], rng: np.random.Generator
) -> tuple[Int[np.ndarray, "n p"], Bool[np.ndarray, "n p"]]:
    """Ascending positions of 15 % of the ordinary tokens of each sequence, and which of the positions count.

    Every ordinary token draws a lot in [0, 1); those with the lowest lots are chosen. Special tokens get 2.
    """
    length = ordinary.shape[1]
    size = max_predictions(length)
    counts = ordinary.sum(1)
    counts = np.minimum(np.maximum((3 * counts + 10) // 20, 1), counts)  # n
    lots = np.where(ordinary, rng.random(ordinary.shape, np.float32), np.float32(2))  # n s
    lowest = np.argpartition(lots, size - 1, axis=1)[:, :size]  # n p
    order = np.argsort(np.take_along_axis(lots, lowest, axis=1), axis=1)  # n p
    drawn = np.take_along_axis(lowest, order, axis=1)  # n p
    chosen = np.arange(size) < counts[:, None]  # n p
    ascending = np.sort(np.where(chosen, drawn, length), axis=1)  # n p, those that do not count last
    chosen = ascending < length
    return np.where(chosen, ascending, 0), chosen
