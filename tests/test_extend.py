"""A kind of model and a proxy that this file registers, as a user would: a study of them works from end to end."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from flax import nnx
from pydantic import Field
from streamlit.testing.v1 import AppTest

import landscape
from landscape import Axis, Group, Layer, ModelSpec, Predictor, register_model, register_proxy
from landscape.analysis import cost
from landscape.analysis.ranking.scores import candidate_scores
from landscape.analysis.summary import summary
from landscape.cli.parser import main
from landscape.data.shapes import examples_of
from landscape.models.functional import split
from landscape.proxies import parameters
from landscape.store.checks import check
from landscape.store.results import Store
from landscape.study import SCHEMA, Study, validated
from landscape.study.examples import Examples
from landscape.study.kinds import KINDS, MlpSpec
from landscape.study.predictors import PREDICTORS, predictor_named, proxies
from landscape.study.schema import assemble, part, study_of
from pages.shared.adapting import named_models

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_scan"), pytest.mark.compiled_quickly]

# --- the kind and the proxy, as a user would write them ---


class Squeezed(nnx.Module):
    """One hidden layer under a smooth activation; the least that the explorer needs: a call, and a table of groups."""

    def __init__(self, features: int, units: int, activation: str, gain: float, classes: int, rngs: nnx.Rngs):
        self.inner = nnx.Linear(features, units, rngs=rngs)
        self.head = nnx.Linear(units, classes, rngs=rngs)
        self.activation, self.gain = activation, gain

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(getattr(nnx, self.activation)(self.gain * self.inner(x.reshape(len(x), -1))))

    def groups(self) -> dict[str, Group]:
        return {"inner": Group((Axis("inner.kernel", -1), Axis("inner.bias", 0)), (Axis("head.kernel", -2),))}


class SqueezedSpec(ModelSpec, title="Squeezed"):
    """One hidden layer with a smooth activation."""

    kind: Literal["squeezed"] = "squeezed"
    units: int = Field(ge=1, le=512, title="Units", description="The width of the hidden layer.", examples=[6])
    activation: Literal["tanh", "gelu", "softmax"] = "tanh"
    gain: float = 1.0

    def group_sizes(self) -> dict[str, int]:
        return {"inner": self.units}

    def with_sizes(self, sizes: Mapping[str, int]) -> SqueezedSpec:
        return self.model_copy(update={"units": sizes["inner"]})

    def linear_layers(self, sizes: Mapping[str, int], examples: Examples) -> list[Layer]:
        features = math.prod(examples.shape)
        return [Layer("inner", sizes["inner"], features, 1), Layer("head", examples.classes, sizes["inner"], 1)]

    def build(self, shape: tuple[int, ...], classes: int, rngs: nnx.Rngs) -> Squeezed:
        return Squeezed(math.prod(shape), self.units, self.activation, self.gain, classes, rngs)


def weight_norm(model: nnx.Module, inputs: jax.Array, targets: jax.Array) -> float:
    """The Euclidean norm of all parameters."""
    return float(jnp.sqrt(sum(jnp.sum(array**2) for array in jax.tree.leaves(nnx.state(model, nnx.Param)))))


WEIGHT_NORM = Predictor(
    name="Weight norm",
    definition=r"\lVert \theta \rVert_2",
    reference="this test",
    function=weight_norm,
    direction=-1,
    data=False,
    forward="0",
    backward="0",
    differentiates="nothing",
)

CONTENT = {
    "name": "squeezed",
    "data": {"train_size": 100, "validation_size": 60},
    "model": {"kind": "squeezed", "units": 5, "activation": "gelu"},
    "candidates": [[{"widen": "inner", "size": 7}], [{"widen": "inner", "factor": 2}]],
    "training": {"batch_size": 50, "base_epochs": 2, "epochs": 2},
    "walk": {"group": "inner", "permutations": 8, "batch_size": 50, "nodes": 3, "surface": 3},
    "seeds": 2,
}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    register_model(SqueezedSpec)
    register_proxy("weight_norm", WEIGHT_NORM)
    yield
    del KINDS["squeezed"], PREDICTORS["weight_norm"]


class Computed(NamedTuple):
    study: Study
    cache: Path
    dataset: xr.Dataset


@pytest.fixture(scope="module")
def computed(registered: None, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    cache, study = tmp_path_factory.mktemp("extended"), validated(CONTENT)
    return Computed(study, cache, landscape.run(study, cache))


# --- the app ---

ROOT = Path(__file__).parents[1]
PAGES = sorted(  # of a study: those that show a figure of it
    str(path.relative_to(ROOT)) for folder in ("explore", "compare") for path in (ROOT / "pages" / folder).glob("*.py")
)
ASKED = {"parting.py", "sharpness.py"}  # they draw what a study holds only where it asks for it, and name one that does
FORM = "pages/own/new.py"


def opened(page: str, **parameters: str) -> AppTest:
    """The app at one of its pages, as a link with these parameters opens it."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.switch_page(page).run()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty cache folder, which the app uses."""
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path))
    return Store(tmp_path)


# --- the study ---


def test_an_expansion_that_changes_the_function_ends_the_study(tmp_path: Path) -> None:
    """A softmax acts across the units, which no table shows; the study tries it on its own data."""
    across = {"model": {"kind": "squeezed", "units": 5, "activation": "softmax", "gain": 3.0}, "seeds": 1}
    with pytest.raises(ValueError, match="widening group 'inner' of Squeezed changes its function: logits move by"):
        landscape.run(validated(CONTENT | across), tmp_path)


def test_a_study_accepts_the_kind_and_keeps_all_of_its_fields(computed: Computed) -> None:
    study = computed.study
    assert study.model == SqueezedSpec(units=5, activation="gelu")
    assert study.model_dump(mode="json")["model"]["activation"] == "gelu"
    again = validated(json.loads(study.model_dump_json()))
    assert (again, again.key) == (study, study.key)
    assert validated({**CONTENT, "model": {"kind": "squeezed", "units": 5}}).key != study.key


def test_its_result_holds_the_new_proxy_and_walks_of_the_new_network(computed: Computed) -> None:
    dataset = computed.dataset
    assert dataset["predictor"].values.tolist() == list(proxies())
    for name in ("proxy", "proxy_seconds", "barrier", "base_barrier", "validation_loss"):
        assert np.isfinite(dataset[name]).all()
    assert (dataset["proxy"].sel(predictor="weight_norm") > 0).all()
    assert dataset["parameters"].values.tolist() == cost.parameters(computed.study)
    assert dataset["width"].values.tolist() == [5, 7, 10]


def test_the_specification_counts_what_the_network_has(computed: Computed) -> None:
    examples = examples_of(computed.study.data)
    for sizes in computed.study.group_sizes():
        spec = computed.study.model.resized(sizes)
        model = nnx.eval_shape(lambda spec=spec: spec.build(examples.shape, examples.classes, nnx.Rngs(0)))
        weights = split(model).weights
        assert {group: table.size(weights) for group, table in model.groups().items()} == spec.group_sizes() == sizes
        assert sum(layer.parameters for layer in spec.linear_layers(sizes, examples)) == parameters(model)


def test_it_is_stored_and_read_back(computed: Computed) -> None:
    stored = landscape.open_study("squeezed", computed.cache)
    xr.testing.assert_identical(stored, computed.dataset)
    assert study_of(stored) == computed.study


def test_a_proxy_whose_smaller_values_promise_more_is_ranked_by_their_negative(computed: Computed) -> None:
    scores = candidate_scores(computed.dataset, 0.4, 8).sel(predictor="weight_norm")
    np.testing.assert_allclose(scores, -computed.dataset["proxy"].sel(predictor="weight_norm"))


def test_show_prints_it(computed: Computed, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "squeezed", "--cache", str(computed.cache)])
    assert "weight_norm" in capsys.readouterr().out
    assert set(summary(computed.dataset)["kendall"]) == {*PREDICTORS}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_it(computed: Computed, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSCAPE_CACHE", str(computed.cache))
    app = opened(page, study=f"squeezed-{computed.study.key[:6]}")
    assert not app.exception
    assert app.selectbox(key="study").value.startswith("squeezed")
    assert app.get("plotly_chart") or Path(page).name in ASKED


def test_the_form_of_the_app_has_a_control_for_each_of_its_fields(own_cache: Store) -> None:
    link = {"model.kind": "squeezed", "model.units": "9", "model.activation": "gelu", "model.gain": "1.5"}
    app = opened(FORM, **link, **{"walk.group": "inner", "candidates": "inner × 2"})
    assert not app.exception and not app.error
    kinds = app.selectbox(key="form-Base model")
    assert (kinds.value, kinds.options) == ("Squeezed", ["MLP", "CNN", "ResNet18", "Squeezed"])
    units, activation = app.number_input(key="model.units"), app.selectbox(key="model.activation")
    assert (units.label, units.value, units.min, units.max) == ("Units", 9, 1, 512)
    assert (activation.value, activation.options) == ("gelu", ["tanh", "gelu", "softmax"])
    assert app.text_input(key="model.gain").value == "1.5"
    assert app.selectbox(key="walk.group").options == ["inner"]
    assert app.button(key="start-own").label == "Start computing"


# --- what registration refuses ---


def test_a_name_that_is_taken_is_refused() -> None:
    class Other(MlpSpec):
        """A perceptron without a name of its own."""

    with pytest.raises(ValueError, match=r"'mlp' is registered already: landscape\.study\.kinds\.mlp\.MlpSpec"):
        register_model(Other)
    for key in ("snip", "parameters"):
        with pytest.raises(ValueError, match=f"'{key}' is known already"):
            register_proxy(key, WEIGHT_NORM)
    assert KINDS["mlp"] is MlpSpec


def test_what_is_defined_again_at_its_place_replaces_what_was_there() -> None:
    """As when the cell of a notebook runs again."""
    assert register_model(SqueezedSpec) is SqueezedSpec
    register_proxy("weight_norm", WEIGHT_NORM)
    assert list(KINDS) == ["mlp", "cnn", "resnet18", "bert", "own", "squeezed"]


def test_a_kind_without_a_name_or_methods_is_refused() -> None:
    class Nameless(MlpSpec):
        """A perceptron of any name."""

        kind: str

    class Unfinished(ModelSpec):
        """Nothing but a name."""

        kind: Literal["unfinished"] = "unfinished"

    with pytest.raises(ValueError, match="Nameless needs a name"):
        register_model(Nameless)
    with pytest.raises(ValueError, match="Unfinished lacks the methods build, group_sizes, linear_layers, with_sizes"):
        register_model(Unfinished)


def test_a_proxy_needs_a_function_and_no_training() -> None:
    for proxy in (PREDICTORS["sotl_e"], PREDICTORS["parameters"]):
        with pytest.raises(ValueError, match="'mine' cannot be a zero-cost proxy"):
            register_proxy("mine", proxy)


@pytest.mark.parametrize(
    ("model", "needles"),
    [
        ({"kind": "squeezed", "units": 0}, ["model.units: ", "must be at least 1", "given 0"]),
        ({"kind": "squeezed", "units": 4, "depth": 2}, ["model: unknown key 'depth'", "units, activation"]),
        ({"kind": "round"}, ["unknown kind 'round'", "'mlp', 'cnn', 'resnet18', 'bert', 'own', 'squeezed'"]),
        ({"units": 4}, ["model: ", "'squeezed'"]),
    ],
)
def test_faults_of_a_registered_kind_are_named_by_their_place(model: dict[str, Any], needles: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        validated({**CONTENT, "model": model})
    assert [needle for needle in needles if needle not in str(caught.value)] == []


def test_a_kind_that_the_form_cannot_start_is_not_offered() -> None:
    """Such as one with the path of a file, which only the command line and notebooks may name."""

    @register_model
    class Required(MlpSpec, title="Required"):
        """A perceptron with a field that has neither a default nor an example."""

        kind: Literal["required"] = "required"
        path: str

    assert "Squeezed" in named_models("images") and "Required" not in named_models("images")


# --- results with other proxies than today's ---


@pytest.fixture
def fewer(own_cache: Store) -> str:
    """The label of the shipped study, whose result in the cache holds three proxies, one of them unknown here."""
    with landscape.open_study("digits-mlp") as shipped:
        dataset = shipped.isel(predictor=[0, 1, 2]).load()
    dataset["predictor"] = ["grad_norm", "snip", "from_elsewhere"]
    study = study_of(dataset)
    record = {"key": study.key, "name": study.name, "title": study.title, "study": study.model_dump(mode="json")}
    made = {"schema": SCHEMA, "device": "none", "seconds": 1.0, "computed": "2000-01-01T00:00:00+00:00", "versions": {}}
    own_cache.write(dataset, record | made)
    return study.name


def test_a_result_with_other_proxies_is_read_and_shown(
    fewer: str,
    own_cache: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset = landscape.open_study(fewer, own_cache.root)
    assert dataset["predictor"].values.tolist() == ["grad_norm", "snip", "from_elsewhere"]
    main(["show", fewer, "--cache", str(own_cache.root)])
    shown = capsys.readouterr().out
    assert "from_elsewhere" in shown and "jacov" not in shown
    assert "no description" in predictor_named("from_elsewhere").note


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_a_result_with_other_proxies(page: str, fewer: str) -> None:
    app = opened(page, study=fewer)
    assert not app.exception
    assert app.get("plotly_chart") or Path(page).name in ASKED


@pytest.mark.parametrize("names", [["snip", "snip"], [1, 2]])
def test_a_result_must_list_its_proxies_by_name(names: list) -> None:
    dataset = landscape.open_study("digits-mlp").isel(predictor=[0, 1])
    with pytest.raises(ValueError, match="list proxies by name"):
        check(dataset.assign_coords(predictor=names))


def test_parts_with_further_proxies_have_their_place_in_the_result(computed: Computed) -> None:
    one = part(
        computed.study,
        {"seed": 0, "candidate": computed.study.labels[0]},
        proxy=xr.DataArray([1.0, 2.0], {"predictor": ["elsewhere", "snip"]}, ["predictor"]),
    )
    result = assemble(computed.study, [one])
    assert result["predictor"].values.tolist() == [*proxies(), "elsewhere"]
    found = result["proxy"].isel(seed=0, candidate=0)
    assert found.sel(predictor=["elsewhere", "snip"]).values.tolist() == [1, 2]
    assert result["proxy"].notnull().sum() == 2
    check(result)
