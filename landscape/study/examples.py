"""The specification of a study's data: which images or which text, and what one example looks like."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import Discriminator, Field, Tag

from landscape.study.base import Frozen
from landscape.study.limits import MOST_EXAMPLES

Modality = Literal["images", "text"]


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

    name: Annotated[str, Field(pattern=r"^\w+(/\w[\w.-]*)?$")] = "digits"
    train_size: Annotated[int, Field(ge=1, le=MOST_EXAMPLES)] | None = None
    validation_size: Annotated[int, Field(ge=1, le=MOST_EXAMPLES)] = 500
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class TextSpec(DataSpec):
    """Text for masked language modelling; its sizes count sequences.

    At most `validation_size` sequences of the validation text are used. `sequence_length` includes [CLS] and [SEP];
    `vocabulary` is the largest number of tokens that WordPiece may learn.

    Example:
      >>> from landscape.study.examples import TextSpec
      >>> TextSpec(name="wikitext-2", sequence_length=128).modality
      'text'
    """

    modality: ClassVar[Modality] = "text"

    name: Literal["wikitext-2", "wikitext-103", "python-docs"]
    sequence_length: Annotated[int, Field(ge=8, le=8192)] = 512
    vocabulary: Annotated[int, Field(ge=256, le=65536)] = 30522


TEXTS: tuple[str, ...] = get_args(TextSpec.model_fields["name"].annotation)


def _modality(content: Any) -> Modality:
    name = content.get("name") if isinstance(content, dict) else getattr(content, "name", None)
    return "text" if name in TEXTS else "images"


AnyData = Annotated[Annotated[DataSpec, Tag("images")] | Annotated[TextSpec, Tag("text")], Discriminator(_modality)]
