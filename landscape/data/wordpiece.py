"""WordPiece: a vocabulary of words and parts of words, trained on a text, and the text as numbers of its tokens.

Both are kept in the folder `.tokenizers/` of the cache, under a hash of the text and of everything else that decides
the outcome. Words are normalised as by the uncased BERT (Devlin et al., 2019, arXiv 1810.04805).
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Int, Int32

from landscape.data.corpora import Corpus
from landscape.store.places import cache_folder
from landscape.store.sealed import DamagedEntry, Unwritable, discard, read_sealed, write_sealed
from landscape.study.sources import BERT_SPECIALS, Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIALS = ("[PAD]", "<unk>", "[CLS]", "[SEP]", "[MASK]")  # `<unk>` is WikiText's own mark
UNKNOWN = 1
RECIPE = 1  # part of the hash: to be raised whenever a change of this file gives the same text other tokens
LINES = 4096  # encoded at a time, so that memory holds few of the library's encodings, which are far larger

log = logging.getLogger(__name__)


class Specials(NamedTuple):
    """The numbers of the tokens that no text is made of; a vocabulary that is trained here begins with them."""

    pad: int = 0
    unknown: int = UNKNOWN
    cls: int = 2
    sep: int = 3
    mask: int = 4


OURS = Specials()


class Encoded(NamedTuple):
    """A corpus as numbers of tokens.

    Attributes:
      tokenizer: what the numbers were made by.
      train: the training text.
      validation: the validation text.
      specials: the numbers of the special tokens.
    """

    tokenizer: Tokenizer
    train: Int[np.ndarray, " tokens"]
    validation: Int[np.ndarray, " tokens"]
    specials: Specials = OURS

    @property
    def vocabulary(self) -> int:
        """The number of tokens, the special ones included."""
        return self.tokenizer.get_vocab_size()


def encoded(corpus: Corpus, size: int, tokens: Vocabulary | None = None) -> Encoded:
    """A corpus as numbers of tokens, in a vocabulary that is trained on its training text unless one is given.

    It is read from the cache if it is there and intact. If the cache cannot be written to, a warning is logged and the
    text is encoded again the next time.

    Args:
      corpus: the text.
      size: the greatest number of tokens in the vocabulary, or their number in `tokens`.
      tokens: the vocabulary of a published BERT.

    Raises:
      ValueError: if the file of `tokens` is not what it was, or holds another number of them.
    """
    given = _given(tokens, size) if tokens else None
    specials = Specials(*map(given.index, BERT_SPECIALS)) if given else OURS
    key = _key(corpus, size, tokens)
    folder = cache_folder() / ".tokenizers" / key
    if folder.exists():
        try:
            return _unpacked(read_sealed(folder)[1], specials)
        except DamagedEntry as damage:
            discard(folder, damage)
    tokenizer = published(given) if given else train(corpus.train, size)
    outcome = Encoded(tokenizer, encode(tokenizer, corpus.train), encode(tokenizer, corpus.validation), specials)
    try:
        write_sealed(folder, _packed(outcome), {"key": key, "tokenizers": version("tokenizers")})
    except Unwritable as error:
        log.warning("the vocabulary could not be kept: %s", error)
    return outcome


def train(lines: list[str], size: int) -> Tokenizer:
    """A WordPiece tokenizer with at most `size` tokens, or as many as the text has characters if these are more.

    The library's trainer numbers continuations (`##a`) in the order of a hash table, and breaks ties by number. Their
    numbers are fixed first, so that the same text gives the same vocabulary in every process.

    Example:
      >>> from landscape.data.wordpiece import encode, train
      >>> tokenizer = train(["a loss", "a loss landscape"], size=40)
      >>> tokenizer.decode(encode(tokenizer, ["a landscape"]).tolist())
      'a landscape'

    References:
      Wu et al., "Google's Neural Machine Translation System" (2016), arXiv 1609.08144, section 4.1.
    """
    lines = [line.replace(SPECIALS[UNKNOWN], " ") for line in lines]
    words = sorted({word for line in lines for word in line.split()})
    continuations = sorted(token for token in _trained(words, 1, SPECIALS) if _continues(token))
    return _tokenizer(_trained(lines, size, (*SPECIALS, *continuations)))


def published(tokens: Sequence[str]) -> Tokenizer:
    """The tokenizer of a published BERT from its tokens; it tells cases apart where they do.

    Example:
      >>> from landscape.data.wordpiece import encode, published
      >>> tokenizer = published(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hill", "##s"])
      >>> encode(tokenizer, ["Hills, <unk>"])
      array([5, 6, 1, 1], dtype=int32)

    References:
      Devlin et al. (2019), arXiv 1810.04805, and `BertTokenizer` of Hugging Face's transformers.
    """
    cased = not set(ascii_uppercase).isdisjoint(tokens)
    return _tokenizer({token: number for number, token in enumerate(tokens)}, "[UNK]", lowercase=not cased)


def _given(vocabulary: Vocabulary, size: int) -> tuple[str, ...]:
    tokens = vocabulary.tokens()
    if len(tokens) != size:
        raise ValueError(f"data.vocabulary: {Path(vocabulary.file).name} holds {len(tokens):,} tokens (given {size:,})")
    return tokens


def _continues(token: str) -> bool:
    return token.startswith("##") and len(token) > 2


def _trained(lines: list[str], size: int, first: tuple[str, ...]) -> dict[str, int]:
    """A vocabulary that is trained on lines of text: the number of each token. Those of `first` have the first ones."""
    from tokenizers.trainers import WordPieceTrainer

    tokenizer = _tokenizer({})
    settings: dict[str, Any] = {"vocab_size": size, "min_frequency": 2, "show_progress": False}
    tokenizer.train_from_iterator(lines, WordPieceTrainer(special_tokens=list(first), **settings))
    return tokenizer.get_vocab()


def _tokenizer(vocabulary: dict[str, int], unknown: str = SPECIALS[UNKNOWN], lowercase: bool = True) -> Tokenizer:
    """WordPiece as BERT has it; the unknown token is the only special one that a text may contain."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    if vocabulary:
        tokenizer.add_special_tokens([unknown])
    return tokenizer


def encode(tokenizer: Tokenizer, lines: list[str]) -> Int32[np.ndarray, " tokens"]:
    """The numbers of the tokens of all lines, one line after the other."""
    unknown = tokenizer.model.unk_token
    if unknown != SPECIALS[UNKNOWN]:
        lines = [line.replace(SPECIALS[UNKNOWN], unknown) for line in lines]
    batches = (lines[start : start + LINES] for start in range(0, len(lines), LINES))
    encodings = chain.from_iterable(tokenizer.encode_batch_fast(batch, add_special_tokens=False) for batch in batches)
    return np.fromiter(chain.from_iterable(encoding.ids for encoding in encodings), np.int32)


def _key(corpus: Corpus, size: int, tokens: Vocabulary | None) -> str:
    """A hash, in 16 hexadecimal digits, of the text and of everything else that decides its tokens."""
    digest = hashlib.sha256(f"{RECIPE} {version('tokenizers')} {size}".encode())
    if tokens:
        digest.update(tokens.sha256.encode())
    for lines in corpus:
        for line in lines:
            digest.update(line.encode() + b"\n")
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _packed(outcome: Encoded) -> dict[str, bytes]:
    return {
        "tokenizer.json": outcome.tokenizer.to_str().encode(),
        "train.npy": _saved(outcome.train),
        "validation.npy": _saved(outcome.validation),
    }


def _unpacked(files: dict[str, bytes], specials: Specials) -> Encoded:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
    return Encoded(tokenizer, _restored(files["train.npy"]), _restored(files["validation.npy"]), specials)


def _saved(tokens: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, tokens, allow_pickle=False)
    return buffer.getvalue()


def _restored(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)
