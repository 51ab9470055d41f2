"""What the server does before anybody visits it."""

from __future__ import annotations

import gc
import time
from threading import Thread

import pytest
import streamlit as st
from waiting import PATIENCE

from landscape.store.sealed import DamagedEntry
from pages.shared import frame, library, serving


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({"address": "localhost", "baseUrlPath": ""}, "http://localhost:8501/"),
        ({"address": None, "baseUrlPath": "/explorer/"}, "http://localhost:8501/explorer"),
        ({"address": "0.0.0.0", "baseUrlPath": "", "sslCertFile": "cert.pem"}, "https://localhost:8501/"),
        ({"address": "lab.example", "baseUrlPath": ""}, "http://lab.example:8501/"),
    ],
)
def test_the_browser_is_sent_to_where_the_app_listens(monkeypatch, options, address):
    monkeypatch.setattr(st, "get_option", lambda name: ({"port": 8501} | options).get(name.removeprefix("server.")))
    assert serving.address() == address


def test_a_damaged_first_result_does_not_keep_the_server_from_starting(monkeypatch, caplog):
    def damaged(choice: library.Choice) -> None:
        raise DamagedEntry(choice.label, "it was changed")

    monkeypatch.setattr(library, "whole", damaged)
    serving.prepare()
    assert f"{library.FIRST} is damaged" in caplog.text


def test_garbage_is_not_looked_for_in_what_modules_hold():
    serving.spare_what_stays()
    spared = gc.get_freeze_count()
    gc.unfreeze()  # for the tests that follow
    assert spared > 50_000


def test_pages_are_drawn_in_turn_and_a_slow_one_is_not_waited_for(monkeypatch):
    drawn: list[str] = []
    monkeypatch.setattr(frame, "PATIENCE", PATIENCE)

    def draw(name: str) -> None:
        with frame.in_turn():
            drawn.append(f"{name} begins")
            time.sleep(0.05)
            drawn.append(f"{name} ends")

    threads = [Thread(target=draw, args=(name,)) for name in "abc"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [name.split()[0] for name in drawn[::2]] == [name.split()[0] for name in drawn[1::2]]
    monkeypatch.setattr(frame, "PATIENCE", 0.01)
    with frame.in_turn():
        with pytest.raises(RuntimeError), frame.in_turn():
            raise RuntimeError
        assert frame.TURN.locked()
    assert not frame.TURN.locked()
