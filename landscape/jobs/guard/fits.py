"""Whether a study fits its examples and this computer, as far as that is known before anything of it starts."""

from __future__ import annotations

from typing import NamedTuple

from landscape.analysis import cost
from landscape.analysis.wording import size_in_words
from landscape.data.shapes import examples_of
from landscape.jobs.footprint import footprint
from landscape.jobs.processes import capacity
from landscape.store.places import free_bytes
from landscape.store.results import Store
from landscape.store.shared import SharedOutcomes
from landscape.study import Study
from landscape.study.examples import OwnData


class Excess(NamedTuple):
    """A setting that asks for more examples than there are.

    `setting` is its place in a study's file. It is "data" for training and validation examples together, and otherwise
    the size of a batch of the training examples.
    """

    setting: str
    asked: int
    there: int


class Lack(NamedTuple):
    """What a study needs more of than there is, in bytes."""

    needed: float
    there: float


def check_fits(study: Study, store: Store, elsewhere: bool = False) -> None:
    """Raise ValueError where a study cannot be computed here, with what to change.

    Workers elsewhere, of a scheduler, have a memory of their own; the cache folder is the same.
    """
    check_examples(study)
    if not elsewhere:
        check_memory(study)
    check_disk(study, store)


def check_examples(study: Study) -> None:
    """Raise ValueError where a batch is larger than the training data, or more examples are asked for than there are.

    What is known only once the examples are loaded is checked then.

    Example:
      >>> from landscape import preset
      >>> from landscape.jobs.guard.fits import check_examples
      >>> check_examples(preset("digits-mlp").scaled(train_size=100))
      Traceback (most recent call last):
      ValueError: walk.batch_size = 512 is larger than the 100 training examples
    """
    for setting, asked, there in excesses(study):
        if setting == "data":
            raise ValueError(
                f"{study.data.name} has {there} examples; {study.data.train_size or 'the rest'} for training and "
                f"{study.data.validation_size} for validation were asked for"
            )
        raise ValueError(f"{setting} = {asked} is larger than the {there} training examples")


def excesses(study: Study) -> list[Excess]:
    """The settings that ask for more examples than there are, as far as that is known before they are loaded.

    Example:
      >>> from landscape import preset
      >>> from landscape.jobs.guard.fits import excesses
      >>> excesses(preset("digits-mlp").scaled(train_size=400))
      [Excess(setting='walk.batch_size', asked=512, there=400)]
    """
    data = study.data
    try:
        labelled = examples_of(data).labelled
    except ValueError:
        return []
    divided = data.modality == "images" and not isinstance(data, OwnData)
    asked = (data.train_size or 1) + data.validation_size
    if divided and asked > labelled:
        return [Excess("data", asked, labelled)]
    try:
        count = cost.training_examples(study)
    except ValueError:
        return []
    batches = [("walk.batch_size", study.walk.batch_size), ("training.batch_size", study.training.batch_size)]
    batches += [("walk.batches", size) for size in study.walk.batches]
    return [Excess(setting, size, count) for setting, size in batches if size > count]


def check_memory(study: Study) -> None:
    """Raise ValueError where the weights and the examples of a study are more than the memory of this computer.

    Example:
      >>> from landscape.jobs.guard.fits import check_memory
      >>> from landscape.study import validated
      >>> model, walk = {"kind": "mlp", "hidden": [9, *[100_000] * 30]}, {"group": "hidden1"}
      >>> steps = {"candidates": [[{"widen": "hidden1", "size": 10}]]}
      >>> check_memory(validated({"name": "huge", "model": model, "walk": walk} | steps))  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ValueError: huge needs at least 4.6 TB of memory, and this computer has ...
    """
    if lack := lack_of_memory(study):
        raise ValueError(
            f"{study.name} needs at least {size_in_words(lack.needed)} of memory, and this computer has "
            f"{size_in_words(lack.there)}: lower the sizes of its model and candidates, or data.train_size"
        )


def lack_of_memory(study: Study) -> Lack | None:
    """The memory that the weights and the examples of a study need, and that this computer has, where it is less.

    Activations do not count: where they are too large, they are computed slice by slice.
    """
    try:
        least = footprint(study).least
    except ValueError:
        return None
    return Lack(least, capacity.memory()) if least > capacity.memory() else None


def check_disk(study: Study, store: Store) -> None:
    """Raise ValueError where the disk of the cache folder has no room for what a study keeps until it is finished.

    Example:
      >>> from landscape import preset
      >>> from landscape.jobs.guard.fits import check_disk
      >>> from landscape.store.results import Store
      >>> check_disk(preset("cnn-cifar10-paper").scaled(seeds=10_000), Store())  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ValueError: cnn-cifar10-paper keeps ... of checkpoints until it is finished, and ...
    """
    if lack := lack_of_disk(study, store):
        raise ValueError(
            f"{study.name} keeps {size_in_words(lack.needed)} of checkpoints until it is finished, and the disk of "
            f"{store.root} has room for {size_in_words(lack.there)}: lower its seeds or walk.checkpoints, free some "
            "space, or name another cache folder"
        )


def lack_of_disk(study: Study, store: Store) -> Lack | None:
    """The room that the checkpoints of a study need, and that there is, where it is less.

    What an earlier attempt has kept needs no room any more, and outcomes that are kept for other studies give way. A
    folder that cannot be written to keeps nothing, so that nothing is lacking.
    """
    try:
        needed = footprint(study).disk
    except ValueError:
        return None
    free = free_bytes(store.root)
    if needed <= free:
        return None
    there = free + store.parts(study).size() + SharedOutcomes(store.root).size()
    return Lack(needed, there) if needed > there else None
