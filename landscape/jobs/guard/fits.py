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
    try:
        count, there = cost.training_examples(study), examples_of(study.data).labelled
    except ValueError:
        return
    divided = study.data.modality == "images" and not isinstance(study.data, OwnData)
    if divided and count + study.data.validation_size > there:
        raise ValueError(
            f"{study.data.name} has {there} examples; {count} for training and {study.data.validation_size} for "
            "validation were asked for"
        )
    batches = [("walk.batch_size", study.walk.batch_size), ("training.batch_size", study.training.batch_size)]
    for name, size in (*batches, *(("walk.batches", size) for size in study.walk.batches)):
        if size > count:
            raise ValueError(f"{name} = {size} is larger than the {count} training examples")


def check_memory(study: Study) -> None:
    """Raise ValueError where the weights and the examples of a study are more than the memory of this computer.

    Activations do not count: where they are too large, they are computed slice by slice.

    Example:
      >>> from landscape.jobs.guard.fits import check_memory
      >>> from landscape.study import validated
      >>> model, walk = {"kind": "mlp", "hidden": [9, *[100_000] * 30]}, {"group": "hidden1"}
      >>> steps = {"candidates": [[{"widen": "hidden1", "size": 10}]]}
      >>> check_memory(validated({"name": "huge", "model": model, "walk": walk} | steps))  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ValueError: huge needs at least 4.6 TB of memory, and this computer has ...
    """
    try:
        least = footprint(study).least
    except ValueError:
        return
    if least > capacity.memory():
        raise ValueError(
            f"{study.name} needs at least {size_in_words(least)} of memory, and this computer has "
            f"{size_in_words(capacity.memory())}: lower the sizes of its model and candidates, or data.train_size"
        )


class Lack(NamedTuple):
    """What a study needs more of than there is, in bytes."""

    needed: float
    there: float


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
