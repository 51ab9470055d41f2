"""Text for masked language modelling: sequences of tokens from a corpus, with masks."""

from __future__ import annotations

from functools import partial

import numpy as np
from jaxtyping import Int

from landscape.data import corpora
from landscape.data.masking import mask
from landscape.data.own import prose
from landscape.data.split import Data
from landscape.data.wordpiece import OURS, Specials, encoded
from landscape.study.examples import ProseSpec, TextSpec


def load(spec: TextSpec) -> Data:
    """Masked sequences of a specification, drawn by its seed from the training text and from the validation text.

    The masks are fixed; `Data.remask` draws new ones for the training sequences.

    Raises:
      ValueError: if the corpus is not on this computer, if a text is too short for one sequence, or if there are fewer
        training sequences than the specification asks for; or for a vocabulary that is not what it should be.
    """
    lines = prose.read(spec.unchanged_path()) if isinstance(spec, ProseSpec) else corpora.read(spec.name)
    corpus = encoded(lines, spec.vocabulary, spec.tokens)
    packed = partial(pack, length=spec.sequence_length, specials=corpus.specials)
    train, validation = packed(corpus.train), packed(corpus.validation)
    for text, tokens, sequences in (("training", corpus.train, train), ("validation", corpus.validation, validation)):
        if len(sequences) == 0:
            raise ValueError(
                f"the {text} text of {spec.name} has {len(tokens)} tokens; a sequence of length "
                f"{spec.sequence_length} takes {spec.sequence_length - 2}"
            )
    if (spec.train_size or 1) > len(train):
        raise ValueError(
            f"{spec.name} has {len(train)} training sequences of length {spec.sequence_length}; "
            f"{spec.train_size} were asked for"
        )
    rng = np.random.default_rng(spec.seed)
    chosen = validation[rng.permutation(len(validation))[: spec.validation_size]]
    fixed = mask(chosen, rng, corpus.vocabulary, corpus.specials)
    chosen = train[rng.permutation(len(train))[: spec.train_size]]
    remask = partial(mask, chosen, vocabulary=corpus.vocabulary, specials=corpus.specials)
    return Data(remask(rng), fixed, corpus.vocabulary, remask)


def pack(tokens: Int[np.ndarray, " tokens"], length: int, specials: Specials = OURS) -> Int[np.ndarray, "n {length}"]:
    """A text as sequences of equal length: [CLS], length − 2 tokens and [SEP].

    The tokens that do not fill a last sequence are left out.

    Example:
      >>> import numpy as np
      >>> from landscape.data.text import pack
      >>> pack(np.array([10, 11, 12, 13, 14]), length=4)
      array([[ 2, 10, 11,  3],
             [ 2, 12, 13,  3]])

    References:
      Devlin et al. (2019), arXiv 1810.04805, section 3, for [CLS] and [SEP].
    """
    inner = length - 2
    body = tokens[: len(tokens) // inner * inner].reshape(-1, inner)  # n length-2
    return np.pad(body, ((0, 0), (1, 1)), constant_values=((0, 0), (specials.cls, specials.sep)))
