"""What a cache folder holds, how large and how old it is, and how to make it smaller while others compute."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from landscape.store.entries import KEY
from landscape.store.parts.kept import begun_study, is_computed_now, remove_unless_computed
from landscape.store.places import children
from landscape.store.results import PARTS, Store
from landscape.store.sealed import DamagedEntry, folders, intact, remove_folder
from landscape.store.sealed.temporary import abandoned
from landscape.store.shared import TASKS
from landscape.store.uploads import FOLDER, KINDS, brought, forget_name, kept
from landscape.study.presets import label, means, none_of

DAMAGED = ".damaged"
PROGRAMS = ".compiled"  # programs that JAX has compiled, a folder for each kind of processor
DIGITS = 16  # of a SHA-256, as many as a key has
Kind = Literal["result", "uploaded", "unfinished", "task", "weights", "programs", "damaged", "leftover"]
OF_NO_USE: tuple[Kind, ...] = ("damaged", "leftover")


class Holding(NamedTuple):
    """One thing in a cache folder.

    Attributes:
      kind: a result that was computed here or uploaded; the outcomes of an unfinished study; the outcome of a task that
        serves further studies; the weights of a network that was uploaded; compiled programs, which are compiled again
        when they are missing; something damaged; or what a process that is gone has left, which nothing reads.
      key: of its study or its task, where it has one; of weights the first digits of their SHA-256; of programs that
        of the kind of processor; otherwise the name of the folder.
      name: what lists call its study; the key where that cannot be read.
      path: where it is.
      size: in bytes.
      changed: when it last changed, or last served a study, in seconds since the epoch.
      reason: what is wrong with something damaged.
    """

    kind: Kind
    key: str
    name: str
    path: Path
    size: int
    changed: float
    reason: str = ""


def holdings(store: Store) -> list[Holding]:
    """Everything in a cache folder, the oldest first; what is shipped is not in it.

    Example:
      >>> from landscape.store.results import Store
      >>> from landscape.store.upkeep import holdings
      >>> holdings(Store("an-empty-folder"))
      []
    """
    found = [*_results(store), *_unfinished(store), *_tasks(store), *_weights(store), *_programs(store)]
    found += [*_set_aside(store), *_leftovers(store)]
    return sorted(found, key=lambda holding: (holding.changed, holding.key))


def _results(store: Store) -> Iterator[Holding]:
    listing = store.entries()
    for entry in listing.entries:
        if not entry.shipped:
            yield _holding("uploaded" if entry.uploaded else "result", entry.folder, entry.key, entry.name)
    for damage in listing.damaged:
        if os.path.exists(store.root / damage.name) and KEY.fullmatch(damage.name):
            yield _holding("damaged", store.root / damage.name, damage.name, damage.name, damage.reason)


def _unfinished(store: Store) -> Iterator[Holding]:
    for folder in children(store.root / PARTS):
        if KEY.fullmatch(folder.name):
            study = begun_study(folder)
            finished = os.path.exists(store.root / folder.name)  # its result was written, and then the process ended
            name = study.name if study else folder.name
            yield _holding("leftover" if finished else "unfinished", folder, folder.name, name)


def _tasks(store: Store) -> Iterator[Holding]:
    for folder in children(store.root / TASKS):
        if KEY.fullmatch(folder.name):
            yield _holding("task", folder, folder.name, "a task that serves further studies")


def _weights(store: Store) -> Iterator[Holding]:
    for kind in KINDS:
        for sha256, file in kept(store.root, kind).items():
            yield _holding(
                "weights", Path(file.file), sha256[:DIGITS], f"the {kind.what} of a network that was brought"
            )


def _programs(store: Store) -> Iterator[Holding]:
    for folder in children(store.root / PROGRAMS):
        if KEY.fullmatch(folder.name):
            yield _holding("programs", folder, folder.name, "compiled programs")


def _set_aside(store: Store) -> Iterator[Holding]:
    shelves = (store.root, store.root / TASKS, *children(store.root / PARTS))
    for path in (each for shelf in shelves for each in children(shelf / DAMAGED)):
        yield _holding("damaged", path, path.name.split("-")[0], path.name, "it was set aside")


def _leftovers(store: Store) -> Iterator[Holding]:
    parents = (store.root, store.root / TASKS, store.root / PARTS, *children(store.root / PARTS), store.root / FOLDER)
    for path in (each for parent in parents for each in children(parent) if abandoned(each)):
        yield _holding("leftover", path, path.name, path.name)


def _holding(kind: Kind, path: Path, key: str, name: str, reason: str = "") -> Holding:
    """A holding with the size and the time of all files below its path; those that vanish meanwhile do not count.

    A file with several hard links counts in equal parts for each of them.
    """
    size, changed = 0, 0.0
    for each in (path, *(path.rglob("*") if os.path.isdir(path) else ())):
        try:
            found = each.lstat()
        except OSError:
            continue
        size, changed = size + (0 if each.is_dir() else found.st_size // found.st_nlink), max(changed, found.st_mtime)
    return Holding(kind, key, name, path, size, changed, reason)


def damages(store: Store) -> list[DamagedEntry]:
    """What is wrong with any result or outcome, found by reading every file. Nothing is moved."""
    begun = (folder for folder in children(store.root / PARTS) if KEY.fullmatch(folder.name))
    parts = (each for parent in (store.root / TASKS, *begun) for each in folders(parent))
    broken = [f"{folder.parent.name}/{folder.name}" for folder in parts if not intact(folder)]
    return [*store.verify().damaged, *(DamagedEntry(name, "it does not fit its checksums") for name in broken)]


def to_remove(
    held: Sequence[Holding],
    *,
    studies: Iterable[str] = (),
    older_than: float | None = None,
    to_size: float | None = None,
) -> list[Holding]:
    """What to remove: always what is of no use, and results and unfinished studies as asked for.

    Args:
      held: what there is, the oldest first.
      studies: names or labels, or at least the first four digits of a key; all that belongs to them.
      older_than: in seconds; what has not changed for longer.
      to_size: in bytes; the oldest of what is then left, until all together is no larger.

    Raises:
      ValueError: for a study of which there is nothing here.

    Example:
      >>> from pathlib import Path
      >>> from landscape.store.upkeep import Holding, to_remove
      >>> held = [Holding("result", f"{i:016}", "mine", Path(), 10, changed=i) for i in range(3)]
      >>> [holding.changed for holding in to_remove(held, to_size=15)]
      [0, 1]
    """
    taken = [holding for holding in held if holding.kind in OF_NO_USE]
    useful = [holding for holding in held if holding.kind not in OF_NO_USE]
    for name in studies:
        named = [each for each in useful if name == each.name or means(name, each.name, each.key)]
        if not named:
            known = [label(each.name, each.key) if each.key else each.name for each in useful]
            raise ValueError(f"there is nothing here of {name!r}; {none_of(known, name, 'cache')}")
        taken += [each for each in named if each not in taken]
    if older_than is not None:
        taken += [each for each in useful if each.changed < time.time() - older_than and each not in taken]
    left = [each for each in useful if each not in taken]
    while to_size is not None and left and sum(each.size for each in left) > to_size:
        taken.append(left.pop(0))
    return taken


def remove(holding: Holding) -> bool:
    """Remove something from the cache folder unless it is in use, and say whether it is gone. Raises Unwritable.

    Whoever reads it at that moment reads all of it or nothing, and a study that is being computed is left alone.
    """
    if not os.path.lexists(holding.path):
        return True
    if holding.path.parent.name == PARTS and KEY.fullmatch(holding.path.name):
        return remove_unless_computed(holding.path)
    if is_in_use(holding):
        return False
    remove_folder(holding.path)
    if holding.kind == "weights":
        forget_name(holding.path)
    return True


def is_in_use(holding: Holding) -> bool:
    """Whether it has to stay: its study is being computed, or an unfinished study starts from these weights."""
    if holding.kind == "weights":
        begun = Store(holding.path.parent.parent).begun()
        return any(file.sha256 == holding.path.stem for study in begun for file in brought(study))
    return holding.kind == "unfinished" and is_computed_now(holding.path)
