"""What follows from the structure of arguments is found once, and no more of it is kept than was asked for lately."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.numerics import structure


def test_the_structures_asked_for_last_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "MOST", 2)
    found: list[int] = []
    size = structure.once_a_structure(lambda tree: found.append(tree["x"].size) or tree["x"].size)
    for asked in (1, 2, 1, 3, 1, 2):
        assert size({"x": np.zeros(asked)}) == asked
    assert found == [1, 2, 3, 2], "1 was asked for again before 3 came, so 2 was forgotten"


def test_what_could_not_be_found_is_looked_for_again() -> None:
    answers = iter([0, 6])
    share = structure.once_a_structure(lambda tree: 6 // next(answers))
    with pytest.raises(ZeroDivisionError):
        share(np.zeros(2))
    assert share(np.zeros(2)) == 1
