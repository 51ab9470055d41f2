"""What the examples of a data set look like, found without loading them: shapes, classes and counts."""

from __future__ import annotations

from landscape.data.masking import max_predictions
from landscape.data.prepared import find
from landscape.data.registry import IMAGE_SETS
from landscape.study.examples import DataSpec, Examples, OwnData, TextSpec

# Words of the training texts (Merity et al., 2016, arXiv 1609.07843, Table 1). WordPiece makes about one token of each.
WORDS = {"wikitext-2": 2_088_628, "wikitext-103": 103_227_021}
USUAL = {"cifar10": Examples((32, 32, 3), 10, 50000), "cifar100": Examples((32, 32, 3), 100, 50000)}


def image_examples(name: str) -> Examples:
    """What the images of a set look like: a registered or a prepared one, or CIFAR even where it is not prepared.

    Raises:
      ValueError: if nothing on this computer describes the set.

    Example:
      >>> from landscape.data.shapes import image_examples
      >>> image_examples("digits")
      Examples(shape=(8, 8, 1), classes=10, labelled=1797, predictions=1)
    """
    if name in IMAGE_SETS:
        return IMAGE_SETS[name].examples
    prepared = find(name)
    if prepared is None and name in USUAL:
        return USUAL[name]
    try:
        image, label = (prepared.features[key] for key in ("image", "label"))  # type: ignore[union-attr]
        shape = tuple(int(size) for size in image["image"]["shape"]["dimensions"])
        return Examples(shape, int(label["classLabel"]["numClasses"]), prepared.sizes["train"])  # type: ignore[union-attr]
    except (AttributeError, KeyError, ValueError):
        raise ValueError(f"the shape of the images in {name!r} is unknown: no such set is prepared here") from None


def examples_of(data: DataSpec) -> Examples:
    """What the examples of a specification look like.

    How many sequences a text has is not known before it is loaded: `labelled` is the number that the specification asks
    for; where it takes them all, about how many there are, or 0 where that is not known either.

    Raises:
      ValueError: if nothing on this computer describes the images.

    Example:
      >>> from landscape.data.shapes import examples_of
      >>> from landscape.study.examples import TextSpec
      >>> examples_of(TextSpec(name="python-docs", sequence_length=20, vocabulary=300, train_size=8))
      Examples(shape=(20,), classes=300, labelled=8, predictions=3)
    """
    if isinstance(data, TextSpec):
        length = data.sequence_length
        about = WORDS[data.name] // (length - 2) + data.validation_size if data.name in WORDS else 0
        return Examples((length,), data.vocabulary, data.train_size or about, max_predictions(length))
    if not isinstance(data, OwnData):
        return image_examples(data.name)
    if data.found is None:
        raise ValueError(f"the shape of the examples in {data.path} is unknown before the study is computed")
    return Examples(data.found.shape, data.found.classes, data.found.labelled)
