"""Keeping the cache: what it holds is listed, pruned and uploaded without a wrong number ever being shown."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
import uuid
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from test_store import BEFORE, filled, record, tiny
from waiting import PATIENCE

from landscape.analysis.wording import origin
from landscape.cli.caching import BYTES, SECONDS, quantity
from landscape.cli.parser import main
from landscape.store import netcdf, places, sealed
from landscape.store.exchange import MOST_BYTES, add_upload
from landscape.store.results import Store
from landscape.store.sealed import DamagedEntry, temporary
from landscape.store.sealed.temporary import abandoned, temporary_name
from landscape.store.upkeep import Holding, holdings, remove, to_remove
from landscape.store.uploads import keep, kept
from landscape.study import Study
from landscape.study.sources import Weights

DEAD = 2**22 + 1  # no process has this number


@pytest.fixture(autouse=True)
def no_shipped_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "GALLERY", tmp_path / "shipped")


@pytest.fixture(scope="module")
def three_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that is copied, as writing a result takes much longer."""
    store = Store(tmp_path_factory.mktemp("three results"))
    for study in STUDIES:
        store.write(filled(study), record(study))
    return store.root


@pytest.fixture
def cache(tmp_path: Path, three_results: Path) -> Store:
    """Two results, an unfinished study, one damaged result, and what a dead and a living process have left."""
    store = Store(shutil.copytree(three_results, tmp_path / "cache"))
    (store.root / STUDIES[2].key / "record.json").write_text("{}")
    store.parts(BEGUN).write("seed0", xr.Dataset(), {})
    for parent in (store.root, store.parts(BEGUN).folder):
        (parent / f".tmp-{temporary.HOST}-{DEAD}-{uuid.uuid4().hex}").mkdir()
        (parent / temporary_name()).mkdir()
    return store


STUDIES, BEGUN = [tiny(seeds=seeds) for seeds in (1, 2, 3)], tiny(seeds=4)


def kinds(store: Store) -> list[str]:
    return sorted(holding.kind for holding in holdings(store))


def test_weights_are_listed_and_stay_as_long_as_an_unfinished_study_starts_from_them(cache: Store) -> None:
    weights = [keep(cache.root, Weights, content, "mine") for content in (b"needed", b"not needed")]
    cache.parts(tiny(weights=weights[0], seeds=1, control=False)).write("seed0", xr.Dataset(), {})
    held = {holding.key: holding for holding in holdings(cache) if holding.kind == "weights"}
    needed, other = (held[each.sha256[:16]] for each in weights)
    assert (needed.size, other.size) == (6, 10)
    assert (remove(needed), remove(other)) == (False, True)
    assert [*kept(cache.root, Weights)] == [weights[0].sha256]


def test_compiled_programs_are_listed_and_go_last_of_what_was_used(cache: Store) -> None:
    (folder := cache.root / ".compiled" / ("0" * 16)).mkdir(parents=True)
    (folder / "program").write_bytes(bytes(7))
    (held,) = (holding for holding in holdings(cache) if holding.kind == "programs")
    assert (held.size, held.name) == (7, "compiled programs")
    assert held not in to_remove(holdings(cache)) and held in to_remove(holdings(cache), to_size=0)
    assert remove(held) and not folder.exists()


def test_everything_is_listed_once(cache: Store) -> None:
    assert kinds(cache) == ["damaged", "leftover", "leftover", "result", "result", "unfinished"]
    first = next(holding for holding in holdings(cache) if holding.key == STUDIES[0].key)
    assert first.size == sum(path.stat().st_size for path in (cache.root / STUDIES[0].key).iterdir())
    assert time.time() - 60 < first.changed <= time.time()


def test_what_is_of_no_use_goes_and_all_else_stays(cache: Store, capsys: pytest.CaptureFixture) -> None:
    command = ["cache", "prune", "--cache", str(cache.root)]
    assert main([*command, "--dry-run"]) == 0
    assert "Would remove 3 folders" in capsys.readouterr().out and len(kinds(cache)) == 6
    assert main(command) == 0
    assert kinds(cache) == ["result", "result", "unfinished"]
    assert len([path for path in cache.root.rglob(".tmp-*")]) == 2, "those of a living process"
    assert [study.key for study in cache.begun()] == [BEGUN.key]


def test_prune_by_study_age_and_size(cache: Store, capsys: pytest.CaptureFixture) -> None:
    command = ["cache", "prune", "--cache", str(cache.root)]
    assert main([*command, "--study", STUDIES[0].key[:8]]) == 0
    assert STUDIES[0].key not in cache and STUDIES[1].key in cache
    old = time.time() - 40 * 86400
    for path in (cache.root / STUDIES[1].key, *(cache.root / STUDIES[1].key).iterdir()):
        os.utime(path, (old, old))
    assert main([*command, "--older-than", "50d"]) == 0 and STUDIES[1].key in cache
    assert main([*command, "--older-than", "30d"]) == 0 and STUDIES[1].key not in cache
    assert main([*command, "--to-size", "0"]) == 0 and holdings(cache) == []
    assert main([*command, "--study", "nothing"]) == 2
    assert "there is nothing here of 'nothing'" in capsys.readouterr().err


def test_a_study_that_is_computed_stays(cache: Store, capsys: pytest.CaptureFixture) -> None:
    with cache.parts(BEGUN).sole_computation():
        assert not list(cache.parts(BEGUN).folder.glob(f"*-{DEAD}-*")), "it begins by sweeping"
        for option in ("--dry-run", "--json"):
            main(["cache", "prune", "--to-size", "0", option, "--cache", str(cache.root)])
            assert "is in use and stays" in capsys.readouterr().err
        assert list(cache.parts(BEGUN).read()) == ["seed0"]
    assert remove(next(each for each in holdings(cache) if each.kind == "unfinished"))
    assert cache.begun() == []


def test_verify_names_each_damage(cache: Store, capsys: pytest.CaptureFixture) -> None:
    """Also in a result whose record is intact, which lists do not read."""
    assert [damage.name for damage in cache.entries().damaged] == [STUDIES[2].key]
    cache.entry(STUDIES[0].key).path.write_bytes(b"gone")
    (cache.parts(BEGUN).folder / "seed0" / "part.nc").write_bytes(b"gone")
    assert main(["cache", "verify", "--cache", str(cache.root)]) == 1
    told = capsys.readouterr().out
    assert all(name in told for name in (STUDIES[0].key, STUDIES[2].key, f"{BEGUN.key}/seed0"))
    main(["cache", "verify", "--json", "--cache", str(cache.root)])
    assert len(json.loads(capsys.readouterr().out)) == 3
    main(["cache", "--json", "--cache", str(cache.root)])
    assert len(json.loads(capsys.readouterr().out)) == 6


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [("90d", SECONDS, 90 * 86400), ("2w", SECONDS, 14 * 86400), ("1.5 GB", BYTES, 1.5e9), ("700 B", BYTES, 700)],
)
def test_quantities(text: str, units: dict[str, float], value: float) -> None:
    assert quantity(text, units) == value and quantity("0", units) == 0


@pytest.mark.parametrize("text", ["", "d", "-1d", "1y", "1e9", "nan", "9" * 400, "30"])
def test_what_is_no_quantity_is_named(text: str) -> None:
    """Nor is a number without a unit: whoever means gigabytes would lose all but some bytes."""
    with pytest.raises(ValueError, match="must be a number with a unit behind it, one of h, d, w"):
        quantity(text, SECONDS)


def test_only_the_oldest_go_for_a_size() -> None:
    held = [Holding("result", f"{i:016}", "mine", Path(), 10, changed=i) for i in range(5)]
    for size in range(0, 60, 5):
        left = [each for each in held if each not in to_remove(held, to_size=size)]
        assert left == held[5 - min(5, size // 10) :]


def test_names_without_a_process_wait_for_a_day(tmp_path: Path) -> None:
    """As earlier versions wrote them, and those of other machines."""
    names = [f".tmp-{uuid.uuid4().hex}", f".tmp-0123abcd-{DEAD}-{uuid.uuid4().hex}"]
    for name in names:
        (tmp_path / name).mkdir()
        assert not abandoned(tmp_path / name)
        os.utime(tmp_path / name, (0, 0))
        assert abandoned(tmp_path / name)
    assert not abandoned(tmp_path / "mine") and not abandoned(tmp_path / ".tmp-left")


def change(root: str, enough: Event) -> None:
    store = Store(root)
    while not enough.is_set():
        for study in STUDIES[:2]:
            for each in holdings(store):
                remove(each)
            store.write(filled(study, seed=study.seeds), record(study))


def shows_whole_result(store: Store, study: Study) -> bool:
    """Whether a result is there, which then is whole."""
    try:
        xr.testing.assert_identical(store.read(study.key), filled(study, seed=study.seeds))
    except DamagedEntry as damage:
        assert "removed" in str(damage)
        return False
    except ValueError as error:
        assert "no result" in str(error)
        return False
    return True


def test_what_is_removed_while_it_is_looked_at_is_written_again(tmp_path: Path, monkeypatch) -> None:
    store, study = Store(tmp_path), STUDIES[0]
    store.write(filled(study, seed=0), record(study))

    def removed(folder: Path) -> bool:
        shutil.rmtree(folder)
        return False

    monkeypatch.setattr("landscape.store.sealed.intact", removed)
    store.write(filled(study, seed=1), record(study))
    xr.testing.assert_identical(store.read(study.key), filled(study, seed=1))
    assert not (tmp_path / ".damaged").exists()


@pytest.mark.slow
def test_two_processes_that_prune_and_write_show_no_wrong_number(tmp_path: Path, monkeypatch) -> None:
    """A reader sees the whole result, or that it is not there."""
    monkeypatch.setattr("landscape.store.sealed.os.fsync", lambda descriptor: None)
    store, seen, forked = Store(tmp_path / "busy"), 0, multiprocessing.get_context("fork")
    enough, since = forked.Event(), time.monotonic()
    others = [forked.Process(target=change, args=(str(store.root), enough)) for _ in range(2)]
    for other in others:
        other.start()
    try:
        while (passed := time.monotonic() - since) < 2 or (not seen and passed < PATIENCE):
            seen += sum(shows_whole_result(store, study) for study in STUDIES[:2])
    finally:
        enough.set()
        for other in others:
            other.join(PATIENCE)
    assert seen and [other.exitcode for other in others] == [0, 0]
    assert not (store.root / ".damaged").exists()


def test_a_thousand_entries_are_listed_by_their_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, opened = Store(tmp_path / "cache"), []
    for study in STUDIES:
        store.write(filled(study), record(study))
    read = sealed.content_of
    monkeypatch.setattr(sealed, "content_of", lambda path: opened.append(path.name) or read(path))
    from landscape.store import entries

    entries._record_or_damage.cache_clear()
    assert len(store.entries().entries) == 3 and opened == ["record.json"] * 3
    assert len(store.entries().entries) == 3 and len(opened) == 3, "and remembered"


# --- titles, removal, uploads ---


def test_a_title_changes_and_nothing_else_does(cache: Store) -> None:
    key = STUDIES[0].key
    cache.retitle(key, "  My   <b>title</b> ")
    entry = cache.entry(key)
    assert (entry.title, entry.study.title, entry.study.key) == ("My <b>title</b>",) * 2 + (key,)
    xr.testing.assert_identical(cache.read(key), filled(STUDIES[0]))
    for title in ("", " ", "x" * 201, "two\x00lines", "\u202eabc"):
        with pytest.raises(ValueError, match="a title is one line"):
            cache.retitle(key, title)


def test_what_is_shipped_can_be_neither_changed_nor_removed(cache: Store) -> None:
    cache.publish(STUDIES[0].key, "shown")
    cache.remove(STUDIES[0].key)
    for change in (cache.remove, lambda key: cache.retitle(key, "mine")):
        with pytest.raises(ValueError, match="shipped with the program"):
            change(STUDIES[0].key)
    assert STUDIES[0].key in cache


def real(study: Study) -> xr.Dataset:
    """A result with the attributes that its computation gives it."""
    dataset = filled(study)
    return dataset.assign_attrs(device="CPU, 2 cores", computed="2026-01-01T00:00:00+00:00", seconds=3.0, versions="{}")


def test_an_upload_keeps_where_each_of_its_seeds_comes_from(cache: Store) -> None:
    given = real(tiny(seeds=5)).assign_attrs(earlier=json.dumps([BEFORE]), taken=7)
    entry = add_upload(cache, netcdf.encode(given))
    assert entry.record["earlier"] == [BEFORE] and entry.record["taken"] == 7
    assert cache.read(entry.key).attrs == given.attrs
    assert origin(entry.record) == origin(given.attrs)
    assert "Seed 0 was computed before, on CPU, 4 cores, 2025-12-01 00:00 UTC." in origin(entry.record)


def test_an_upload_is_an_entry_like_any_other(cache: Store) -> None:
    study = tiny(seeds=5)
    given = real(study).assign(planted=("seed", np.arange(5))).assign_attrs(planted="by somebody")
    entry = add_upload(cache, netcdf.encode(given))
    assert (
        entry.uploaded
        and not entry.timed_here
        and "result" not in [h.kind for h in holdings(cache) if h.key == study.key]
    )
    again = cache.read(study.key)
    assert "planted" not in again
    xr.testing.assert_identical(again.drop_attrs(), real(study).drop_attrs())
    assert again.attrs == real(study).attrs
    with pytest.raises(ValueError, match="has a result here"):
        add_upload(cache, netcdf.encode(given))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"validation_accuracy": 1.5}, "validation_accuracy is from"),
        ({"barrier": -1.0}, "barrier is from -1"),
        ({"barrier": np.nan}, "barrier holds no number"),
        ({"base_barrier": np.inf}, "base_barrier holds no number"),
        ({"seconds": "abc"}, "seconds"),
        ({"device": 3}, "device must be text"),
        ({"title": "\x1b[2J"}, "title must be text, one line"),
        ({"device": "x" * 500}, "lines of at most 200"),
        ({"computed": "1\n2"}, "computed must be text, one line"),
        ({"versions": "[1]"}, "versions must be a table"),
        ({"versions": '{"jax": 3}'}, "versions must be a table of texts"),
        ({"versions": "{"}, "versions must be JSON"),
        ({"seconds": np.array([1.0, 2.0])}, "seconds must be a number"),
        ({"taken": -1}, "taken must be a whole number"),
        ({"earlier": "3"}, "earlier must be a list of tables"),
        ({"earlier": json.dumps([BEFORE | {"device": "1\n2"}])}, "device must be text, one line"),
        ({"key": "0" * 16}, "its key is"),
    ],
)
def test_absurd_uploads_are_refused(cache: Store, changes: dict[str, object], told: str) -> None:
    dataset = real(tiny(seeds=5))
    for name, value in changes.items():
        if name in dataset.data_vars and isinstance(value, float):
            dataset[name].values[...] = value
        else:
            dataset.attrs[name] = value
    with pytest.raises(ValueError, match=told):
        add_upload(cache, netcdf.encode(dataset))


def test_what_is_too_large_or_no_file_is_refused(cache: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for content, told in ((b"", "not a readable"), (b"PK\3\4", "not a readable"), (bytes(MOST_BYTES + 1), "at most")):
        with pytest.raises(ValueError, match=told):
            add_upload(cache, content)
    texts = xr.Dataset({"texts": ("n", np.array(["short"] * 999 + ["long" * 10**5], object))})
    with pytest.raises(ValueError, match=r"up to 1,600,\d+,000 bytes in memory"):
        add_upload(cache, bytes(texts.to_netcdf(engine="h5netcdf")))
    monkeypatch.setattr("landscape.store.exchange.MOST_IN_MEMORY", 1000)
    with pytest.raises(ValueError, match="bytes in memory; at most 1,000 are read"):
        add_upload(cache, netcdf.encode(real(tiny(seeds=5))))
