"""BERT's masked language modelling (Devlin et al., 2019, section 3.1 and appendix A.1)."""

from __future__ import annotations

import numpy as np

from landscape.data.split import Split
from landscape.data.wordpiece import MASK, SPECIALS

IGNORED = -1  # as in landscape.numerics.loss, which imports JAX
ROWS = 4096  # sequences masked at a time; part of what a seed means


def slots(length: int) -> int:
    """p = ⌈0.15 s⌉: the most positions that are chosen in a sequence of s tokens."""
    return -(-3 * length // 20)


def mask(tokens: np.ndarray, rng: np.random.Generator, vocabulary: int) -> Split:
    """Hide tokens (n, s) that a model is to predict, in a vocabulary of so many tokens.

    Of the m tokens of a sequence that are not special, 15 % (rounded, and at least one) are chosen uniformly;
    each chosen one becomes [MASK] with probability 0.8, a uniformly random ordinary token with probability 0.1,
    and stays with probability 0.1.

    Returns inputs {"tokens": (n, s), "positions": (n, p)}, positions ascending, and targets (n, p): the original
    tokens there. A sequence with fewer than p chosen positions ends in position 0 with target −1.
    """
    parts = [_masked(tokens[i : i + ROWS], rng, vocabulary) for i in range(0, max(len(tokens), 1), ROWS)]
    inputs = {name: np.concatenate([part.inputs[name] for part in parts]) for name in ("tokens", "positions")}
    return Split(inputs, np.concatenate([part.targets for part in parts]))


def _masked(tokens: np.ndarray, rng: np.random.Generator, vocabulary: int) -> Split:
    positions, chosen = _choose(tokens >= len(SPECIALS), rng)
    originals = np.take_along_axis(tokens, positions, axis=1)  # n p
    fate = rng.random(positions.shape)
    other = rng.integers(len(SPECIALS), vocabulary, positions.shape)
    shown = np.where(fate < 0.8, MASK, np.where(fate < 0.9, other, originals))
    hidden = tokens.astype(np.int32)
    rows, _ = np.nonzero(chosen)
    hidden[rows, positions[chosen]] = shown[chosen]
    targets = np.where(chosen, originals, IGNORED).astype(np.int32)
    return Split({"tokens": hidden, "positions": positions.astype(np.int32)}, targets)


def _choose(ordinary: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ascending positions (n, p) of 15 % of the ordinary tokens of each sequence, and which of them count."""
    length = ordinary.shape[1]
    size = slots(length)
    counts = ordinary.sum(1)
    counts = np.minimum(np.maximum((3 * counts + 10) // 20, 1), counts)  # n
    lots = np.where(ordinary, rng.random(ordinary.shape, np.float32), np.float32(2))
    lowest = np.argpartition(lots, size - 1, axis=1)[:, :size]  # n p
    order = np.argsort(np.take_along_axis(lots, lowest, axis=1), axis=1)
    drawn = np.take_along_axis(lowest, order, axis=1)
    chosen = np.arange(size) < counts[:, None]
    ascending = np.sort(np.where(chosen, drawn, length), axis=1)
    chosen = ascending < length
    return np.where(chosen, ascending, 0), chosen
