"""Results that somebody uploads: checked like any that is read from disk, and for sizes and texts that ours lack."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from landscape.store import netcdf
from landscape.store.checks import check_not_empty
from landscape.store.entries import Entry
from landscape.store.fields import EARLIER, ORIGIN, TAKEN, UPLOADED, origin_in
from landscape.store.results import Store
from landscape.study import SCHEMA, Study, schema
from landscape.study.limits import MOST_LINE

MOST_BYTES = 200 * 2**20  # of a file
MOST_IN_MEMORY = 2**30  # bytes of its arrays


def add_upload(store: Store, content: bytes) -> Entry:
    """Store a result that somebody exported elsewhere; its record says that it was uploaded, and when.

    It becomes an entry like any other, under the key of its study. Only the result itself is kept, and no variables or
    attributes that the file has besides.

    Raises:
      ValueError: that says what is wrong: the file is too large, no NetCDF, or no result of a study of this version;
        its numbers cannot be; or the study has a result here, which stays.
      Unwritable: if the folder cannot be written to.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"the file has {len(content):,} bytes; at most {MOST_BYTES:,} are taken")
    dataset = netcdf.decode(content, MOST_IN_MEMORY)
    study = schema.study_of(dataset)
    if study.key in store:
        raise ValueError(f"{study.name!r:.80} has a result here, under the key {study.key}; it stays as it is")
    check_not_empty(dataset)
    record = _record(study, dataset.attrs)
    known = dataset[[name for name in dataset.data_vars if name in schema.VARIABLES]]
    kept = {name: dataset.attrs[name] for name in (*ORIGIN, TAKEN, EARLIER) if name in dataset.attrs}
    known.attrs = schema.attributes(study) | kept
    return store.write(known, record)


def _record(study: Study, attributes: dict[Any, Any]) -> dict[str, Any]:
    """The record of an uploaded result, from what its file says. Raises ValueError where that cannot be."""
    known = {"device": "?", "computed": "?", "seconds": 0.0, "versions": {}} | origin_in(attributes, study)
    record: dict[str, Any] = known | {
        "key": study.key,
        "name": study.name,
        "title": study.title,
        "study": study.model_dump(mode="json"),
        "schema": SCHEMA,
        UPLOADED: datetime.now(UTC).isoformat(timespec="seconds"),
    }
    origins: list[dict[str, Any]] = [record, *record.get(EARLIER, [])]
    told = [each for origin in origins for each in (origin["device"], origin["computed"], *origin["versions"])]
    for text in (study.name, study.title, *study.labels, *told):
        if len(text) > MOST_LINE or not text.isprintable():
            raise ValueError(f"its texts must be lines of at most {MOST_LINE} printable characters; got {text!r:.80}")
    return record
