"""Every preset at a tiny size, through the real data, to a result that every page shows.

    pytest -m presets

takes an hour on two cores, and is left out otherwise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from landscape.analysis.ranking.scores import candidate_scores
from landscape.cli.parser import main
from landscape.data import status
from landscape.store.results import Store
from landscape.study.predictors import PARAMETERS
from landscape.study.presets import preset, presets

ROOT = Path(__file__).parents[1]
TINY = {"seeds": 1, "epochs": 1, "train-size": 512, "permutations": 16}
LAPTOP = [name for name in presets() if not name.endswith("-paper")]
PAGES = [path for path in sorted((ROOT / "pages").glob("*/*.py")) if path.parent.name != "shared"]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("presets")


@pytest.mark.presets
@pytest.mark.slow  # so that `-m "not slow"` leaves them out as well
@pytest.mark.parametrize("name", LAPTOP)
def test_a_preset_computes_and_every_page_shows_it(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = status(preset(name).data.name)
    if not found.present:
        pytest.skip(f"{name}: {found.text}")
    options = [word for option, value in TINY.items() for word in (f"--{option}", str(value))]
    assert main(["run", name, *options, "--cache", str(cache)]) == 0
    study = preset(name).scaled(**{option.replace("-", "_"): value for option, value in TINY.items()})
    dataset = Store(cache).read(study.key)
    scores = candidate_scores(dataset, 0.4, 16)
    assert np.isfinite(scores.drop_sel(predictor=[PARAMETERS, "jacov"])).all()
    assert (dataset["parameters"] > 0).all() and dataset["barrier"].notnull().all()
    monkeypatch.setenv("LANDSCAPE_CACHE", str(cache))
    for page in PAGES:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        app.query_params["study"] = f"{name}-{study.key[:6]}"
        app.run().switch_page(str(page.relative_to(ROOT))).run()
        assert not app.exception, page
        assert app.get("plotly_chart") or app.info, page
