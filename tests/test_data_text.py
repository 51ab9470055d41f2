"""Text: the vocabulary, packing, masks, and what is said of a text that cannot be used."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from prepared_sets import TEXT, write_set

from landscape.data import available, load, prepare, status, wordpiece
from landscape.data.corpora import Corpus, read
from landscape.data.masking import ROWS, mask, max_predictions
from landscape.data.split import IGNORED
from landscape.data.text import pack
from landscape.data.wordpiece import SPECIALS, UNKNOWN, Specials, encode, encoded, published, train
from landscape.study.examples import TextSpec
from landscape.study.sources import BERT_SPECIALS, Vocabulary, tokens_in

REAL = os.environ.get("TFDS_DATA_DIR")
real = pytest.mark.skipif(
    REAL is None or not (Path(REAL) / "wikitext" / "wikitext-2-v1").is_dir(),
    reason="needs wikitext/wikitext-2-v1 in a folder named by TFDS_DATA_DIR",
)

SENTENCES = [
    " = A Title = ",
    " ",
    " the quick brown fox <unk> over the lazy dog , and the dog sleeps . ",
    " Senjō no Valkyria 3 : a role @-@ playing game , sold 1 @,@ 000 @,@ 000 times . ",
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No set but what a test makes, and a cache of its own."""
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv("WIKITEXT_DIR", raising=False)


@pytest.fixture
def wiki(tmp_path, monkeypatch):
    """A function that places raw files."""

    def place(train: str | bytes, validation: str | bytes, under: str = "") -> Path:
        folder = tmp_path / "wiki" / under
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("wiki.train.tokens", train), ("wiki.valid.tokens", validation)):
            (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
        monkeypatch.setenv("WIKITEXT_DIR", str(tmp_path / "wiki"))
        return folder

    return place


@pytest.fixture(scope="module")
def manual():
    """The embedded text and a tokenizer trained on it."""
    corpus = read("python-docs")
    return corpus, train(corpus.train, 2000)


# Vocabulary


def greedy(word: str, vocabulary: dict[str, int]) -> list[int]:
    """WordPiece as defined: the longest token that begins what is left of a word, or the unknown token."""
    numbers, start = [], 0
    while start < len(word):
        mark = "##" if start else ""
        ends = [end for end in range(len(word), start, -1) if mark + word[start:end] in vocabulary]
        if not ends:
            return [UNKNOWN]
        numbers.append(vocabulary[mark + word[start : ends[0]]])
        start = ends[0]
    return numbers


WORDS = st.lists(st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz_.,7éж"), min_size=1, max_size=12), min_size=1)


@given(WORDS)
def test_tokens_are_the_longest_matches(manual, words):
    _, tokenizer = manual
    vocabulary = tokenizer.get_vocab()
    pieces = re.findall(r"[^\W_]+|[^\w\s]|_", " ".join(words).replace("é", "e"))
    expected = [number for piece in pieces for number in greedy(piece, vocabulary)]
    assert encode(tokenizer, [" ".join(words)]).tolist() == expected


@given(st.lists(st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=12), min_size=1))
def test_plain_text_comes_back(manual, words):
    _, tokenizer = manual
    assert tokenizer.decode(encode(tokenizer, [" ".join(words)]).tolist()) == " ".join(words)


def test_lines_are_encoded_one_after_the_other(manual, monkeypatch):
    corpus, tokenizer = manual
    monkeypatch.setattr(wordpiece, "LINES", 7)
    expected = [number for line in corpus.train[:50] for number in encode(tokenizer, [line])]
    assert encode(tokenizer, corpus.train[:50]).tolist() == expected
    assert encode(tokenizer, []).shape == (0,)


def test_special_tokens_come_first_and_only_unknown_can_be_written(manual):
    _, tokenizer = manual
    assert [tokenizer.token_to_id(token) for token in SPECIALS] == list(range(len(SPECIALS)))
    assert encode(tokenizer, ["<unk>", "a <unk> b"]).tolist().count(UNKNOWN) == 2
    written = encode(tokenizer, [token for token in SPECIALS if token != "<unk>"])
    assert written.min() >= len(SPECIALS)


def test_vocabulary_is_as_large_as_asked_and_knows_its_text(manual):
    corpus, tokenizer = manual
    assert tokenizer.get_vocab_size() == 2000
    tokens = encode(tokenizer, corpus.train)
    assert UNKNOWN not in tokens
    assert len(np.unique(tokens)) > 1500  # the rest are steps towards longer ones


def digest(code: str, tmp_path: Path, **environment: str) -> str:
    environment |= {"LANDSCAPE_CACHE": str(tmp_path / "other"), "PATH": os.environ["PATH"]}
    python = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return python.stdout.strip()


@pytest.mark.parametrize("environment", [{"PYTHONHASHSEED": "1"}, {"RAYON_NUM_THREADS": "1"}])
def test_same_text_gives_the_same_examples_in_a_new_process(tmp_path, environment):
    code = """
import hashlib
from landscape.data import load
from landscape.study.examples import TextSpec
data = load(TextSpec(name="python-docs", sequence_length=64, vocabulary=2000, train_size=200, seed=3))
arrays = [*data.train.inputs.values(), data.train.targets, *data.validation.inputs.values(), data.validation.targets]
print(data.classes, hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""
    assert digest(code, tmp_path / "a", **environment) == digest(code, tmp_path / "b", PYTHONHASHSEED="2")


# Cache


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / ".tokenizers").glob("[!.]*"))


CORPUS = Corpus(["a few words of text", "and a few more"], ["some words"])


def test_second_time_comes_from_the_cache(tmp_path, monkeypatch):
    first = encoded(CORPUS, 300)
    monkeypatch.setattr(wordpiece, "train", pytest.fail)
    assert_same(encoded(CORPUS, 300), first)
    assert len(cached(tmp_path)) == 1
    assert not any(b"pickle" in path.read_bytes() for path in cached(tmp_path)[0].iterdir())


def assert_same(one: wordpiece.Encoded, other: wordpiece.Encoded) -> None:
    np.testing.assert_array_equal(one.train, other.train)
    np.testing.assert_array_equal(one.validation, other.validation)
    assert one.tokenizer.to_str() == other.tokenizer.to_str()


def test_another_text_or_size_is_another_entry(tmp_path):
    moved = Corpus(CORPUS.train[:1], CORPUS.train[1:] + CORPUS.validation)
    joined = Corpus(["".join(CORPUS.train)], CORPUS.validation)
    for corpus, size in ((CORPUS, 300), (CORPUS, 301), (moved, 300), (joined, 300)):
        encoded(corpus, size)
    assert len(cached(tmp_path)) == 4


@pytest.mark.parametrize("name", ["tokenizer.json", "train.npy", "validation.npy", "record.json"])
@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: b"", None])
def test_damaged_cache_is_made_again(tmp_path, monkeypatch, name, damage):
    first = encoded(CORPUS, 300)
    (folder,) = cached(tmp_path)
    file = folder / name
    file.write_bytes(damage(file.read_bytes())) if damage else file.unlink()
    assert_same(encoded(CORPUS, 300), first)
    monkeypatch.setattr(wordpiece, "train", pytest.fail)
    assert_same(encoded(CORPUS, 300), first)


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch, caplog):
    first = encoded(CORPUS, 300)
    (tmp_path / "file").touch()
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path / "file"))
    assert_same(encoded(CORPUS, 300), first)
    assert "the vocabulary could not be kept: cannot write to" in caplog.text


# Packing


@given(st.integers(0, 200), st.integers(3, 40))
def test_packing_loses_the_tail_only(count, length):
    tokens = np.arange(count, dtype=np.int32) + len(SPECIALS)
    sequences = pack(tokens, length)
    body = sequences[:, 1:-1].ravel()
    np.testing.assert_array_equal(body, tokens[: len(body)])
    assert count - len(body) < length - 2
    assert sequences.shape[1] == length
    assert sequences.dtype == np.int32
    assert set(sequences[:, 0]) <= {Specials().cls}
    assert set(sequences[:, -1]) <= {Specials().sep}


# Masks


VOCABULARY = 30
SEQUENCES = st.tuples(st.integers(0, 5), st.integers(2, 40)).flatmap(
    lambda shape: arrays(np.int32, shape, elements=st.integers(0, VOCABULARY - 1))
)


@given(SEQUENCES, st.integers(0, 99))
def test_laws_of_masking(tokens, seed):
    before = tokens.copy()
    inputs, targets = mask(tokens, np.random.default_rng(seed), VOCABULARY)
    hidden, positions = inputs["tokens"], inputs["positions"]
    np.testing.assert_array_equal(tokens, before)
    assert positions.shape == targets.shape == (len(tokens), math.ceil(Fraction(15, 100) * tokens.shape[1]))
    assert {hidden.dtype, positions.dtype, targets.dtype} == {np.dtype(np.int32)}
    for row, shown, places, wanted in zip(tokens, hidden, positions, targets, strict=True):
        ordinary = np.flatnonzero(row >= len(SPECIALS))
        count = min(max(math.floor(Fraction(15, 100) * len(ordinary) + Fraction(1, 2)), 1), len(ordinary))
        chosen = places[:count]
        assert (np.diff(chosen) > 0).all()
        assert set(chosen) <= set(ordinary)
        np.testing.assert_array_equal(wanted[:count], row[chosen])
        assert (wanted[count:] == IGNORED).all()
        assert (places[count:] == 0).all()
        others = np.setdiff1d(np.arange(len(row)), chosen)
        np.testing.assert_array_equal(shown[others], row[others])
        assert ((shown[chosen] == Specials().mask) | (shown[chosen] >= len(SPECIALS))).all()
        assert (shown[chosen] < VOCABULARY).all()


@given(SEQUENCES, st.integers(0, 99))
def test_masks_are_those_of_the_seed(tokens, seed):
    one, other = (mask(tokens, np.random.default_rng(seed), VOCABULARY) for _ in range(2))
    np.testing.assert_array_equal(one.inputs["tokens"], other.inputs["tokens"])
    np.testing.assert_array_equal(one.targets, other.targets)


def within(count: float, trials: int, probability: float) -> bool:
    """Within five standard deviations of a binomial law."""
    return abs(count - trials * probability) < 5 * math.sqrt(trials * probability * (1 - probability))


def test_rates_of_masking():
    length, vocabulary = 42, 1005
    rng = np.random.default_rng(0)
    tokens = pack(rng.integers(len(SPECIALS), vocabulary, (ROWS + 900) * (length - 2), np.int32), length)
    inputs, targets = mask(tokens, rng, vocabulary)
    assert max_predictions(length) == 7
    chosen = targets != IGNORED
    assert (chosen.sum(1) == 6).all()  # 15 % of 40
    trials = int(chosen.sum())
    shown = np.take_along_axis(inputs["tokens"], inputs["positions"], 1)[chosen]
    kept = (shown == targets[chosen]).sum()
    masked = (shown == Specials().mask).sum()
    assert within(masked, trials, 0.8)
    assert within(kept, trials, 0.1 + 0.1 / 1000)
    assert within(trials - masked - kept, trials, 0.1 * 0.999)
    replaced = shown[(shown != Specials().mask) & (shown != targets[chosen])]
    assert within((replaced < len(SPECIALS) + 500).sum(), len(replaced), 0.5)
    counts = np.bincount(inputs["positions"][chosen], minlength=length)
    assert counts[0] == counts[-1] == 0
    assert all(within(count, len(tokens), 0.15) for count in counts[1:-1])


# Data


def test_sequences_of_a_specification():
    spec = TextSpec(name="python-docs", sequence_length=32, vocabulary=1000, train_size=100, validation_size=20, seed=2)
    data = load(spec)
    corpus = encoded(read("python-docs"), 1000)
    assert data.classes == corpus.vocabulary == 1000
    assert (len(data.train), len(data.validation)) == (100, 20)
    for part, tokens in ((data.train, corpus.train), (data.validation, corpus.validation)):
        rows = [tuple(row) for row in original(part)]
        everything = [tuple(row) for row in pack(tokens, 32)]
        assert all(rows.count(row) <= everything.count(row) for row in rows)


def original(part) -> np.ndarray:
    """The tokens before they were masked."""
    tokens = part.inputs["tokens"].copy()
    for row, places, wanted in zip(tokens, part.inputs["positions"], part.targets, strict=True):
        row[places[wanted != IGNORED]] = wanted[wanted != IGNORED]
    return tokens


def test_masks_are_fixed_until_drawn_anew():
    spec = TextSpec(name="python-docs", sequence_length=32, vocabulary=1000, train_size=50)
    data, again = load(spec), load(spec)
    np.testing.assert_array_equal(data.train.inputs["tokens"], again.train.inputs["tokens"])
    epochs = [data.remask(np.random.default_rng(epoch)) for epoch in (1, 2, 2)]
    for epoch in epochs:
        np.testing.assert_array_equal(original(epoch), original(data.train))
    assert (epochs[0].inputs["positions"] != epochs[1].inputs["positions"]).any()
    np.testing.assert_array_equal(epochs[1].inputs["tokens"], epochs[2].inputs["tokens"])


def test_validation_does_not_depend_on_the_training_size():
    sizes = {"sequence_length": 32, "vocabulary": 1000, "validation_size": 30}
    small, large = (load(TextSpec(name="python-docs", train_size=size, **sizes)) for size in (10, 90))
    np.testing.assert_array_equal(small.validation.inputs["tokens"], large.validation.inputs["tokens"])
    np.testing.assert_array_equal(original(small.train), original(large.train)[:10])


def test_manual_is_split_by_topic():
    corpus = read("python-docs")
    share = sum(map(len, corpus.validation)) / sum(map(len, corpus.train + corpus.validation))
    assert 0.05 < share < 0.25
    assert not [line for line in corpus.train + corpus.validation if line != line.strip() or not line]


@pytest.mark.parametrize("under", ["", "wikitext-2", "wikitext-103"])
def test_raw_files_and_prepared_set_hold_the_same_text(wiki, tmp_path, monkeypatch, under):
    name = under or "wikitext-2"
    wiki("\n".join(SENTENCES), "\n".join(SENTENCES[2:]), under)
    raw = read(name)
    assert raw == Corpus([line.strip() for line in SENTENCES if line.strip()], [line.strip() for line in SENTENCES[2:]])
    monkeypatch.delenv("WIKITEXT_DIR")
    assert name not in available()
    splits = {"train": SENTENCES, "validation": SENTENCES[2:]}
    records = {split: [{"text": line.encode()} for line in lines] for split, lines in splits.items()}
    write_set(tmp_path / "tfds" / "wikitext" / f"{name}-v1" / "1.0.0", "wikitext", TEXT, records)
    assert name in available()
    assert read(name) == raw


def test_each_wikitext_has_its_own_folder(wiki):
    wiki("two", "two", "wikitext-2")
    wiki("a hundred", "a hundred", "wikitext-103")
    assert read("wikitext-2").train == ["two"]
    assert read("wikitext-103").train == ["a hundred"]


def test_missing_text_says_where_to_place_it(tmp_path):
    present, text = status("wikitext-103")
    assert not present
    prepared = tmp_path / "tfds" / "wikitext" / "wikitext-103-v1"
    for words in ("wiki.train.tokens and wiki.valid.tokens", "WIKITEXT_DIR", "wikitext-103/", "not set", str(prepared)):
        assert words in text
    for act in (lambda: load(TextSpec(name="wikitext-103")), lambda: prepare("wikitext-103")):
        with pytest.raises(ValueError, match="wikitext-103 was not found"):
            act()


def test_half_a_text_is_none(wiki):
    (wiki("words", "words") / "wiki.valid.tokens").unlink()
    assert not status("wikitext-2").present


@pytest.mark.parametrize("file", ["wiki.train.tokens", "wiki.valid.tokens"])
@pytest.mark.parametrize(("content", "byte"), [(b"fine so far \xff\xfe", 12), ("é".encode("latin-1"), 0)])
def test_text_that_is_not_utf8(wiki, file, content, byte):
    (wiki("words", "words") / file).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{file} is not UTF-8 text: .* at byte {byte}"):
        load(TextSpec(name="wikitext-2"))


@pytest.mark.parametrize(("split", "texts"), [("training", ("a b c", "a " * 40)), ("validation", ("a " * 40, " \n"))])
def test_text_too_short_for_one_sequence(wiki, split, texts):
    wiki(*texts)
    with pytest.raises(ValueError, match=f"the {split} text of wikitext-2 has [03] tokens; .* length 16 takes 14"):
        load(TextSpec(name="wikitext-2", sequence_length=16))


def test_more_sequences_than_there_are(wiki):
    wiki("word " * 60, "word " * 20)
    data = load(TextSpec(name="wikitext-2", sequence_length=12, train_size=6))
    assert (len(data.train), len(data.validation)) == (6, 2)
    with pytest.raises(ValueError, match="wikitext-2 has 6 training sequences of length 12; 7 were asked for"):
        load(TextSpec(name="wikitext-2", sequence_length=12, train_size=7))


@pytest.mark.slow
@real
def test_wikitext_2(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", REAL)
    spec = TextSpec(name="wikitext-2", sequence_length=128, vocabulary=2000, train_size=64, validation_size=32)
    data = load(spec)
    assert data.train.inputs["tokens"].shape == (64, 128)
    assert data.validation.inputs["positions"].shape == (32, 20)
    corpus = read("wikitext-2")
    tokens = encoded(corpus, spec.vocabulary).validation
    assert (tokens == UNKNOWN).sum() == sum(line.count("<unk>") for line in corpus.validation) > 1000
    assert len(corpus.train) == 23767  # lines of text among the 36,718 of the file


# Published vocabularies

PUBLISHED = ("[PAD]", *(f"[unused{i}]" for i in range(9)), "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "hill", "##s", ",")


@given(st.lists(st.text(st.sampled_from("ahils,"), min_size=1, max_size=8), min_size=1))
def test_a_published_vocabulary_has_its_own_numbers(words):
    numbers = {token: number for number, token in enumerate(PUBLISHED)}
    pieces = re.findall(r"[^\W_]+|[^\w\s]|_", " ".join(words))
    known = {token: number for token, number in numbers.items() if token not in BERT_SPECIALS}
    greedily = [number for piece in pieces for number in greedy(piece, known)]
    expected = [numbers["[UNK]"] if number == UNKNOWN else number for number in greedily]
    assert encode(published(PUBLISHED), [" ".join(words)]).tolist() == expected


def test_a_published_vocabulary_tells_cases_apart_where_it_has_capitals():
    unknown, hill = PUBLISHED.index("[UNK]"), PUBLISHED.index("hill")
    assert encode(published(PUBLISHED), ["Hill <unk>"]).tolist() == [hill, unknown]
    assert encode(published([*PUBLISHED, "H", "##ill"]), ["Hill hill"]).tolist() == [len(PUBLISHED), 19, hill]


def test_text_in_a_published_vocabulary_is_framed_and_masked_by_its_tokens(tmp_path):
    file = tmp_path / "vocab.txt"
    words = sorted({word for line in read("python-docs").train for word in re.findall("[a-z]+", line.lower())})
    file.write_text("\r\n".join([*PUBLISHED, *(word for word in words if word not in PUBLISHED), ""]))
    tokens = Vocabulary.of(file)
    sizes = {"sequence_length": 16, "train_size": 64, "validation_size": 8}
    data = load(TextSpec(name="python-docs", vocabulary=len(tokens.tokens()), tokens=tokens, **sizes))
    specials = Specials(*map(PUBLISHED.index, BERT_SPECIALS))
    shown, targets = data.train.inputs["tokens"], data.train.targets
    assert (shown[:, 0] == specials.cls).all() and (shown[:, -1] == specials.sep).all()
    assert data.classes == len(tokens.tokens()) and (shown == specials.mask).any()
    assert not np.isin(targets[targets != IGNORED], specials).any()
    with pytest.raises(ValueError, match=r"data.vocabulary: vocab.txt holds .* tokens \(given 300\)"):
        load(TextSpec(name="python-docs", vocabulary=300, tokens=tokens, **sizes))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x80\x04pickle", "is not UTF-8: invalid start byte at byte 0"),
        (b"[PAD]\n\nhill\n", "line 2 of the vocabulary is not one token: ''"),
        (b"[PAD]\na hill\n", "line 2 of the vocabulary is not one token: 'a hill'"),
        (b"[PAD]\nhill\n[PAD]\n", r"has the token \[PAD\] in line 1 and in line 3"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n", r"lacks \[MASK\], so it is none of a BERT"),
    ],
)
def test_what_is_no_vocabulary_says_why(content, told):
    with pytest.raises(ValueError, match=told):
        tokens_in(content)
