"""What the server does before anybody visits it."""

from __future__ import annotations

import gc

import pytest
import streamlit as st

from landscape.store.sealed import DamagedEntry
from pages.shared import library, serving


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
