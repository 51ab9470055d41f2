"""WordPiece: a vocabulary of words and parts of words, trained on a text, and the text in its tokens.

Both are kept in `.tokenizers/` of the cache, under a hash of the text and of all that decides the outcome.
The normalisation is that of the uncased BERT (Devlin et al., 2019).
"""

from __future__ import annotations

import hashlib
import io
import logging
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from landscape.data.corpora import Corpus

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIALS = ("[PAD]", "<unk>", "[CLS]", "[SEP]", "[MASK]")  # `<unk>` is WikiText's own mark
UNKNOWN, CLS, SEP, MASK = 1, 2, 3, 4
RECIPE = 1  # raise it whenever the same text would give other tokens
LINES = 4096  # encoded at a time

log = logging.getLogger(__name__)


class Encoded(NamedTuple):
    """Token numbers (tokens,) of the training and the validation text, and the tokenizer that made them."""

    tokenizer: Tokenizer
    train: np.ndarray
    validation: np.ndarray

    @property
    def vocabulary(self) -> int:
        """How many tokens there are; the first `len(SPECIALS)` are special."""
        return self.tokenizer.get_vocab_size()


def encoded(corpus: Corpus, size: int) -> Encoded:
    """The corpus in tokens, with a vocabulary of at most `size` trained on its training text.

    Comes from the cache where it is there and intact; a cache that cannot be written to costs time only.
    """
    from landscape.store.places import cache_folder
    from landscape.store.sealed import DamagedEntry, Unwritable, discard, read_sealed, write_sealed

    key = _key(corpus, size)
    folder = cache_folder() / ".tokenizers" / key
    if folder.exists():
        try:
            return _unpacked(read_sealed(folder)[1])
        except DamagedEntry as damage:
            discard(folder, damage)
    tokenizer = train(corpus.train, size)
    outcome = Encoded(tokenizer, *(encode(tokenizer, lines) for lines in corpus))
    try:
        write_sealed(folder, _packed(outcome), {"key": key, "tokenizers": version("tokenizers")})
    except Unwritable as error:
        log.warning("the vocabulary is not kept: %s", error)
    return outcome


def train(lines: list[str], size: int) -> Tokenizer:
    """A WordPiece tokenizer of at most `size` tokens, but of no fewer than the characters of the text.

    The trainer numbers continuations (`##a`) in the order of a hash table and breaks ties by number; fixing
    their numbers first makes the same text give the same vocabulary in every process.
    """
    lines = [line.replace(SPECIALS[UNKNOWN], " ") for line in lines]
    words = sorted({word for line in lines for word in line.split()})
    continuations = sorted(token for token in _trained(words, 1, SPECIALS) if _continues(token))
    return _tokenizer(_trained(lines, size, (*SPECIALS, *continuations)))


def _continues(token: str) -> bool:
    return token.startswith("##") and len(token) > 2


def _trained(lines: list[str], size: int, first: tuple[str, ...]) -> dict[str, int]:
    """Numbers by token; `first` get the first ones."""
    from tokenizers.trainers import WordPieceTrainer

    tokenizer = _tokenizer({})
    settings: dict[str, Any] = {"vocab_size": size, "min_frequency": 2, "show_progress": False}
    tokenizer.train_from_iterator(lines, WordPieceTrainer(special_tokens=list(first), **settings))
    return tokenizer.get_vocab()


def _tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=SPECIALS[UNKNOWN]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    if vocabulary:
        tokenizer.add_special_tokens([SPECIALS[UNKNOWN]])  # the only special token that a text may contain
    return tokenizer


def encode(tokenizer: Tokenizer, lines: list[str]) -> np.ndarray:
    """The token numbers of all lines, one after the other: (tokens,)."""
    batches = (lines[start : start + LINES] for start in range(0, len(lines), LINES))
    encodings = chain.from_iterable(tokenizer.encode_batch_fast(batch, add_special_tokens=False) for batch in batches)
    return np.fromiter(chain.from_iterable(encoding.ids for encoding in encodings), np.int32)


def _key(corpus: Corpus, size: int) -> str:
    """16 hexadecimal digits of the text and of what decides its tokens."""
    digest = hashlib.sha256(f"{RECIPE} {version('tokenizers')} {size}".encode())
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


def _unpacked(files: dict[str, bytes]) -> Encoded:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
    return Encoded(tokenizer, _restored(files["train.npy"]), _restored(files["validation.npy"]))


def _saved(tokens: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, tokens, allow_pickle=False)
    return buffer.getvalue()


def _restored(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)
