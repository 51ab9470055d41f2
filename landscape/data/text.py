"""Text for masked language modelling: sequences of tokens from a corpus, with masks."""

from __future__ import annotations

from functools import partial

import numpy as np

from landscape.data.corpora import read
from landscape.data.masking import mask
from landscape.data.split import Data
from landscape.data.wordpiece import CLS, SEP, encoded
from landscape.study.examples import TextSpec


def load(spec: TextSpec) -> Data:
    """Sequences drawn by the seed from the training text and from the validation text, with fixed masks.

    `Data.remask` draws the training masks anew. Raises ValueError for a corpus that is not here, a text too
    short for one sequence, and more training sequences than there are.
    """
    corpus = encoded(read(spec.name), spec.vocabulary)
    train, validation = (pack(tokens, spec.sequence_length) for tokens in (corpus.train, corpus.validation))
    for text, tokens, sequences in (("training", corpus.train, train), ("validation", corpus.validation, validation)):
        if len(sequences) == 0:
            raise ValueError(
                f"{spec.name}: its {text} text has {len(tokens)} tokens; a sequence of length "
                f"{spec.sequence_length} takes {spec.sequence_length - 2}"
            )
    if (spec.train_size or 1) > len(train):
        raise ValueError(
            f"{spec.name} has {len(train)} training sequences of length {spec.sequence_length}; "
            f"{spec.train_size} were asked for"
        )
    rng = np.random.default_rng(spec.seed)
    chosen = validation[rng.permutation(len(validation))[: spec.validation_size]]
    fixed = mask(chosen, rng, corpus.vocabulary)
    chosen = train[rng.permutation(len(train))[: spec.train_size]]
    remask = partial(mask, chosen, vocabulary=corpus.vocabulary)
    return Data(remask(rng), fixed, corpus.vocabulary, remask)


def pack(tokens: np.ndarray, length: int) -> np.ndarray:
    """Tokens (tokens,) as sequences (n, length) of [CLS], length − 2 tokens and [SEP]; the tail is left out."""
    inner = length - 2
    body = tokens[: len(tokens) // inner * inner].reshape(-1, inner)
    return np.pad(body, ((0, 0), (1, 1)), constant_values=((0, 0), (CLS, SEP)))
