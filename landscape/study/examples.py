"""The specification of a study's data: which images or which text, and what one example looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from landscape.study.base import Frozen, written_as
from landscape.study.limits import MOST_EXAMPLES
from landscape.study.sources import Sourced, SourcePath, Vocabulary

Modality = Literal["images", "text"]

SET = "the name of a data set, as digits, or that of a set and its configuration, as imagenette/320px"  # of a study


class Examples(NamedTuple):
    """What the examples of a data set look like; `landscape.data.shapes` finds it without loading any.

    Attributes:
      shape: one input without the batch axis: (height, width, channels) of an image, (tokens,) of a sequence.
      classes: the length of one vector of logits; for text the size of the vocabulary.
      labelled: how many examples with labels there are for training and validation together; 0 where that is known
        only once they are loaded.
      predictions: how many vectors of logits one example gets: 1 for an image, one per masked token of a sequence.

    Example:
      >>> from landscape.study.examples import Examples
      >>> Examples(shape=(32, 32, 3), classes=10, labelled=50_000).predictions
      1
    """

    shape: tuple[int, ...]
    classes: int
    labelled: int
    predictions: int = 1


class DataSpec(Frozen):
    """Images: scikit-learn's digits, or a set of tensorflow-datasets by its name (`set` or `set/config`).

    `validation_size` images are drawn by `seed` for validation. `train_size` of the others are trained on, or all of
    them where it is None.

    Example:
      >>> from landscape.study.examples import DataSpec
      >>> DataSpec(name="cifar10", train_size=10_000).modality
      'images'
    """

    modality: ClassVar[Modality] = "images"

    name: Annotated[str, Field(title="Data set"), written_as(r"\w+(/\w[\w.-]*)?", SET)] = "digits"
    train_size: Annotated[
        Annotated[int, Field(ge=1, le=MOST_EXAMPLES)] | None,
        Field(title="Training examples", description="Leave it empty for all that are not for validation."),
    ] = None
    validation_size: Annotated[int, Field(ge=1, le=MOST_EXAMPLES, title="Validation examples")] = 500
    seed: Annotated[
        int, Field(ge=0, lt=2**63, title="Seed of the split", description="Which examples are for validation.")
    ] = 0


class TextSpec(DataSpec):
    """Text for masked language modelling; its sizes count sequences.

    At most `validation_size` sequences of the validation text are used. `sequence_length` includes [CLS] and [SEP];
    `vocabulary` is the largest number of tokens that WordPiece may learn from the text, or their number in the
    `vocab.txt` of a published BERT, where `tokens` names one.

    Example:
      >>> from landscape.study.examples import TextSpec
      >>> TextSpec(name="wikitext-2", sequence_length=128).modality
      'text'
    """

    modality: ClassVar[Modality] = "text"

    name: Annotated[Literal["wikitext-2", "wikitext-103", "python-docs"], Field(title="Data set")]
    sequence_length: Annotated[int, Field(ge=8, le=8192, title="Tokens of a sequence")] = 512
    vocabulary: Annotated[
        int, Field(ge=256, le=65536, title="Vocabulary", description="The most tokens that WordPiece may learn.")
    ] = 30522
    tokens: Vocabulary | None = None


TEXTS: tuple[str, ...] = get_args(TextSpec.model_fields["name"].annotation)


class Found(Frozen):
    """What data of one's own hold: the shape of one input, the classes, and the examples with labels."""

    shape: tuple[int, ...]
    classes: int
    labelled: int


class OwnData(DataSpec, Sourced):
    """Examples that lie in a file or folder of one's own, which is called by the name of that file unless it has one.

    Example:
      >>> from landscape.study.examples import ArraysSpec
      >>> ArraysSpec(file="data/measured.npz").name
      'measured.npz'
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"name", "file", "folder", "text", "found"})

    name: str = ""
    found: Found | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_file(cls, content: Any) -> Any:
        place = content.get(cls.located_by) if isinstance(content, dict) else None
        return {"name": Path(place).name} | content if isinstance(place, str) else content


class ArraysSpec(OwnData):
    """Arrays of NumPy in a `.npz` file; `landscape.data.own.arrays` says by which names."""

    located_by: ClassVar[str] = "file"

    file: SourcePath


class FolderSpec(OwnData):
    """Images in one folder for each class; `landscape.data.own.folders` says how they lie."""

    located_by: ClassVar[str] = "folder"

    folder: SourcePath


class ProseSpec(OwnData, TextSpec):  # type: ignore[misc]  # its `name` may be any, where that of a corpus is one of few
    """Text in a file of UTF-8 for masked language modelling; the last tenth of its lines is for validation.

    Example:
      >>> from landscape.study.examples import ProseSpec
      >>> ProseSpec(text="prose.txt", sequence_length=64, vocabulary=1000).modality
      'text'
    """

    located_by: ClassVar[str] = "text"

    text: SourcePath


OWN: dict[str, type[OwnData]] = {kind.located_by: kind for kind in (ArraysSpec, FolderSpec, ProseSpec)}


def _form(content: Any) -> str:
    """Which specification the content is one of: the tag of `AnyData`."""
    given = content if isinstance(content, dict) else vars(content) if isinstance(content, Frozen) else {}
    own = next((key for key in OWN if key in given), None)
    return own or ("corpus" if given.get("name") in TEXTS else "images")


AnyData = Annotated[
    Annotated[DataSpec, Tag("images")]
    | Annotated[TextSpec, Tag("corpus")]
    | Annotated[ArraysSpec, Tag("file")]
    | Annotated[FolderSpec, Tag("folder")]
    | Annotated[ProseSpec, Tag("text")],
    Discriminator(_form),
]
