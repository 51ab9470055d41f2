"""The files of a network of one's own: their fields, and what they are checked for before they are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

from landscape.analysis.wording import size_in_words
from landscape.models.weights.bert import check_vocabulary
from landscape.models.weights.reader import tensors_of
from landscape.store.results import Store
from landscape.store.sealed import Unwritable
from landscape.store.uploads import keep, kept, origin
from landscape.study.sources import Brought, Vocabulary, Weights, tokens_in
from pages.shared.show import plain
from pages.shared.widgets import choose

DIGITS = 12  # of a SHA-256, by which links call a file
TOLD = 6  # of these, as many as tell two files of one name apart in a list
WHEN = "%Y-%m-%d %H:%M UTC"
COMMAND_LINE = (
    "Data of your own (an `.npz` file, a folder of images, a text) and modules of your own are for the command line: "
    "`python -m landscape run FILE.toml`. The README shows how, under *A study of your own network and data*."
)
UPLOAD, TOKENS = "upload", "upload of tokens"

File = TypeVar("File", bound=Brought)
Use = tuple[str, Callable[[bytes], None]]  # the control that chooses the file, and what raises ValueError for a bad one


def weights() -> dict[str, Weights]:
    """A field for a network, and the networks that are kept, by what links call them."""
    _field(
        UPLOAD,
        "Weights, as safetensors",
        Weights,
        ("net", _check_numbers),
        "The state dictionary of an MLP, a CNN or torchvision's ResNet18 (3×3 stem) from PyTorch, Hugging Face's "
        "BertForMaskedLM, or what `landscape.save_weights` wrote. Nothing in it is run.",
    )
    return _by_digits(Weights)


def vocabularies(known: int) -> dict[str, Vocabulary]:
    """A field for the vocabulary of a BERT that knows so many tokens, and those that are kept and have as many."""

    def check(content: bytes) -> None:
        check_vocabulary(known, len(tokens_in(content)))

    _field(
        TOKENS,
        "Its vocabulary, vocab.txt",
        Vocabulary,
        ("net_tokens", check),
        "In UTF-8, with a token a line, as it is published beside the weights of a BERT. Without it, the text is in "
        "tokens that this network has never seen.",
    )
    return {digits: file for digits, file in _by_digits(Vocabulary).items() if len(file.tokens()) == known}


def _field(field: str, label: str, kind: type[Brought], use: Use, text: str) -> None:
    """A field for a file, which is looked at and kept under the hash of its content, whatever it is called."""
    most = kind.most_bytes // 2**20
    suffix = kind.suffix.removeprefix(".")
    st.file_uploader(
        label, suffix, key=field, on_change=_take, args=(field, kind, use), max_upload_size=most, help=text
    )
    if fault := st.session_state.get(f"fault of {field}"):
        st.error(plain(f"This file cannot be used: {fault}. The page stays as it was."), icon=":material/error:")


def _take(field: str, kind: type[Brought], use: Use) -> None:
    """Keep the file of a field, and let a control choose it; or keep what is wrong with it, to be shown."""
    st.session_state.pop(f"fault of {field}", None)
    file, (control, check) = st.session_state[field], use
    if file is None:
        return
    try:
        content = file.getvalue()
        check(content)
        choose(control, keep(Store().root, kind, content, file.name).sha256[:DIGITS])
    except (ValueError, Unwritable) as error:
        st.session_state[f"fault of {field}"] = str(error)


def _check_numbers(content: bytes) -> None:
    for tensor in tensors_of(content).values():
        if tensor.is_real:
            tensor.array()


def listed(files: Mapping[str, Brought]) -> dict[str, str]:
    """What a list shows of files: the name of each, its size, and when it came; its digits where two share a name."""
    found = {digits: origin(file) for digits, file in files.items()}
    names = Counter(each.name for each in found.values())
    return {
        digits: f"{name}{f' {digits[:TOLD]}' if names[name] > 1 else ''}, {size_in_words(size)}, {when:{WHEN}}"
        for digits, (name, size, when) in found.items()
    }


def _by_digits(kind: type[File]) -> dict[str, File]:
    return {sha256[:DIGITS]: file for sha256, file in kept(Store().root, kind).items()}
