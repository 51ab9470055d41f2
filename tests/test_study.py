from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.study import Study, from_toml, recorded, validated
from landscape.study import study as specification
from landscape.study.files import PRESETS
from landscape.study.presets import preset, presets

CONTENT = {
    "name": "example",
    "model": {"kind": "mlp", "hidden": [6, 5]},
    "candidates": [[{"widen": "hidden1", "size": 8}], [{"widen": "hidden*", "factor": 1.5}, {"deepen": "hidden2"}]],
    "walk": {"group": "hidden1"},
}
UNITS: list[dict] = [{}, {"units": None}, {"units": "copies"}, {"units": "silent"}]
NAMES = {"name", "title", "description", "reproduces"}
EDITS = {  # another valid value for every field that affects numbers
    "data.name": "cifar10",
    "data.train_size": 100,
    "data.validation_size": 123,
    "data.seed": 5,
    "model.hidden": [6, 6],
    "candidates": [[{"widen": "hidden1", "size": 9}]],
    "expansion.start": "random",
    "expansion.shares": "equal",
    "expansion.noise": 0.5,
    "training.optimizer": "adam",
    "training.learning_rate": 0.5,
    "training.weight_decay": 0.5,
    "training.b1": 0.5,
    "training.b2": 0.5,
    "training.schedule": "cosine",
    "training.warmup_steps": 7,
    "training.batch_size": 7,
    "training.base_epochs": 7,
    "training.patience": 7,
    "training.epochs": 7,
    "training.initialisation": "pytorch",
    "walk.group": "hidden2",
    "walk.permutations": 7,
    "walk.batch_size": 7,
    "walk.distinct": True,
    "walk.start": "first",
    "walk.checkpoints": 7,
    "walk.nodes": 7,
    "walk.surface": 9,
    "walk.sharpness": True,
    "walk.batches": [8, 16],
    "seeds": 7,
    "control": False,
    "weights": {"sha256": "0" * 64},
}


def edited(edits: dict[str, object]) -> Study:
    """The example with other values at dotted places."""
    content = deepcopy(CONTENT)
    for path, value in edits.items():
        *sections, field = path.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
        place[field] = value
    return validated(content)


def leaves(content: dict, prefix: str = "") -> set[str]:
    nested = [leaves(value, f"{prefix}{key}.") for key, value in content.items() if isinstance(value, dict)]
    return {prefix + key for key, value in content.items() if not isinstance(value, dict)}.union(*nested)


def test_the_edits_cover_every_field():
    assert leaves(edited({}).model_dump(mode="json")) == {*EDITS, *NAMES, "model.kind", "walk.statistics"}


@given(st.sets(st.sampled_from(sorted(EDITS))), st.sets(st.sampled_from(sorted(EDITS))))
def test_keys_are_equal_when_all_that_affects_numbers_is(some, others):
    wider = {"candidates": [[{"widen": "hidden1", "size": 8}]]}  # an inserted layer cannot be drawn anew
    first, second = (edited(wider | {path: EDITS[path] for path in paths}) for paths in (some, others))
    assert (first.key == second.key) == (some == others)


def test_settings_that_came_later_leave_the_keys_of_earlier_studies():
    later = {
        "training": {"initialisation"},
        "walk": {"start", "sharpness", "batches"},
        "control": True,
        "weights": True,
    }
    before = edited({"control": False})
    content = before.model_dump(mode="json", exclude=dict.fromkeys(specification.TEXTS_OF_STUDY, True) | later)
    for step in chain(*content["candidates"]):
        step.pop("units", None)
    canonical = json.dumps({"schema": specification.SCHEMA, "study": content}, sort_keys=True, separators=(",", ":"))
    assert before.key == hashlib.sha256(canonical.encode()).hexdigest()[:16]


LINES = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=100)


@given(LINES.filter(bool), LINES, st.text(), LINES)
def test_the_key_ignores_what_a_study_is_called(name, title, description, reproduces):
    renamed = edited({"name": name, "title": title, "description": description, "reproduces": reproduces})
    assert renamed.key == edited({}).key


def test_new_studies_have_a_control_and_results_of_before_are_of_studies_without_one():
    content = {name: value for name, value in edited({}).model_dump(mode="json").items() if name != "control"}
    assert validated(content) == edited({}) == recorded(edited({}).model_dump(mode="json"))
    assert recorded(content) == edited({"control": False})
    assert edited({}).key != edited({"control": False}).key


def test_the_key_ignores_the_order_and_the_form_of_what_is_written():
    backwards = json.loads(json.dumps(CONTENT), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert validated(backwards).key == edited({}).key
    assert edited({"training.weight_decay": 0}).key == edited({"training.weight_decay": 0.0}).key
    assert edited({"seeds": 10}).key == edited({}).key  # the default, written out


def test_statistics_are_part_of_the_key_and_need_a_network_that_has_them():
    sizes = {"candidates": [[{"widen": "*", "factor": 2}]], "walk.group": "stage1", "model": {"kind": "resnet18"}}
    assert edited(sizes).key != edited(sizes | {"walk.statistics": "re-estimated"}).key
    with pytest.raises(ValueError, match=r"re-estimated.*mlp has none"):
        edited({"walk.statistics": "re-estimated"})


def test_results_that_counted_running_statistics_in_distances_are_not_taken_for_new_ones(monkeypatch):
    plain, normalised = preset("digits-mlp"), preset("resnet18-cifar10")
    now = plain.key, normalised.key
    monkeypatch.setattr(specification, "BATCH_NORM_SCHEMA", specification.SCHEMA)
    assert plain.key == now[0] and normalised.key != now[1]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("seeds", 10**9),
        ("walk.permutations", 10**9),
        ("walk.permutations", 10**7),
        ("walk.batch_size", 10**12),
        ("walk.checkpoints", 10**9),
        ("training.epochs", 10**9),
        ("training.epochs", 10**400),
        ("training.base_epochs", 10**12),
        ("training.batch_size", 10**12),
        ("data.train_size", 10**12),
        ("data.seed", 10**30),
        ("model", {"kind": "mlp", "hidden": [10**12]}),
        ("model", {"kind": "mlp", "hidden": [6] * 3000}),
        ("candidates", [[{"widen": "hidden1", "factor": 1e300}]]),
        ("candidates", [[{"widen": "hidden1", "size": 10**12}]]),
        ("candidates", [[{"widen": "hidden1", "factor": 999}, {"widen": "hidden1", "factor": 999}]]),
        ("candidates", [[{"widen": "hidden1", "size": 7 + i}] for i in range(3000)]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_makes_no_sense_on_any_machine_is_refused_in_a_short_line(place, value):
    with pytest.raises(ValueError, match=f"{re.escape(place.split('.')[-1])}|hidden1 = ") as refused:
        edited({place: value})
    assert len(str(refused.value)) < 300 and "\n" not in str(refused.value)


def of_kind(model: dict) -> dict:
    """A study's content but for its candidates: data that the model reads, and a group to walk."""
    group = {"mlp": "hidden1", "cnn": "conv1", "resnet18": "stage1", "bert": "ffn1"}[model["kind"]]
    data = {"name": "python-docs" if model["kind"] == "bert" else "digits"}
    return {"name": "anew", "data": data, "model": model, "walk": {"group": group}}


@pytest.mark.parametrize(
    ("model", "candidate", "said"),
    [
        ({"kind": "mlp", "hidden": [6]}, [{"deepen": "hidden1"}], "hidden1_1 is inserted"),
        ({"kind": "resnet18", "width": 8}, [{"widen": "stage1*", "factor": 2}], "widths multiplied alike"),
        ({"kind": "bert"}, [{"widen": "heads1", "size": 4}], "wider in its FFNs only"),
    ],
)
def test_what_cannot_be_drawn_anew_is_refused(model, candidate, said):
    content = of_kind(model) | {"candidates": [candidate]}
    validated(content)
    with pytest.raises(ValueError, match=said):
        validated(content | {"expansion": {"start": "random"}})


@pytest.mark.parametrize(
    ("steps", "edits", "said"),
    [
        ([{"widen": "hidden1", "size": 9, "units": "zero"}], {}, "units.*'copies', 'noisy copies', 'silent'"),
        ([{"widen": "hidden1", "size": 9, "units": "noisy copies"}], {}, "expansion.noise must be above 0"),
        ([{"widen": "hidden1", "size": 9, "units": "silent"}, {"deepen": "hidden1"}], {}, "hidden1_1 is inserted"),
        ([{"widen": "hidden1", "size": 9, "units": "silent"}], {"expansion.start": "random"}, "no units are new"),
    ],
)
def test_new_units_that_cannot_be_had_are_refused(steps, edits, said):
    with pytest.raises(ValueError, match=said):
        edited({"candidates": [steps]} | edits)


def test_what_new_units_are_is_part_of_the_key_where_it_is_said():
    keys = [edited({"candidates": [[{"widen": "hidden1", "size": 9} | more]]}).key for more in UNITS]
    assert keys[0] == keys[1] and len(set(keys)) == 3


@pytest.mark.parametrize(
    ("model", "candidate"),
    [
        ({"kind": "mlp", "hidden": [6, 5]}, [{"widen": "hidden2", "size": 9}]),
        ({"kind": "cnn", "channels": [6, 5], "dense": [7]}, [{"widen": "conv*", "factor": 2}]),
        ({"kind": "resnet18", "width": 8}, [{"widen": "*", "factor": 1.5}]),
        ({"kind": "bert"}, [{"widen": "ffn*", "factor": 3}]),
    ],
)
def test_a_resized_model_has_the_sizes_of_its_candidate(model, candidate):
    study = validated(of_kind(model) | {"candidates": [candidate]})
    for sizes in study.group_sizes():
        assert study.model.resized(sizes).group_sizes() == sizes


def test_the_kind_of_model_and_the_schema_are_part_of_the_key(monkeypatch):
    sizes = {"candidates": [[{"widen": "conv1", "size": 8}]], "walk.group": "conv1"}
    cnn = edited(sizes | {"model": {"kind": "cnn", "channels": [6, 5]}})
    before = edited({}).key
    assert cnn.key != before
    monkeypatch.setattr(specification, "SCHEMA", specification.SCHEMA + 1)
    assert edited({}).key != before


def test_the_key_is_the_same_in_another_process_without_jax():
    program = "import sys; from landscape.study import validated; import json; "
    program += "print(validated(json.loads(sys.argv[1])).key, 'jax' in sys.modules)"
    root = Path(specification.__file__).parents[2]
    command = [sys.executable, "-c", program, json.dumps(CONTENT)]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    assert printed == [edited({}).key, "False"]
    assert len(printed[0]) == 16
    assert int(printed[0], 16) >= 0


@given(st.integers(0, 2000), st.integers(1, 64))
def test_checkpoints_hold_the_start_and_the_end_and_are_no_more_than_asked(epochs, count):
    checkpoints = edited({"training.epochs": epochs, "walk.checkpoints": count}).checkpoints
    assert checkpoints == sorted(set(checkpoints))
    assert checkpoints[0] == 0
    assert len(checkpoints) <= count
    if count > 1:
        assert checkpoints[-1] == epochs
    if count > 2 and epochs > 0:
        assert 1 in checkpoints


def test_checkpoints_use_what_was_asked_when_there_is_room():
    assert len(edited({"training.epochs": 500, "walk.checkpoints": 12}).checkpoints) == 12
    assert edited({"training.epochs": 16, "walk.checkpoints": 6}).checkpoints == [0, 1, 2, 4, 8, 16]


def test_group_sizes_follow_the_steps():
    base, wider, both = edited({}).group_sizes()
    assert base == {"hidden1": 6, "hidden2": 5}
    assert wider == {"hidden1": 8, "hidden2": 5}
    assert both == {"hidden1": 9, "hidden2": 8, "hidden2_1": 8}
    assert edited({}).labels == ["hidden1 → 8", "hidden* × 1.5 & 1 layer after hidden2"]


@given(st.integers(4, 500), st.fractions(min_value=1, max_value=4, max_denominator=8))
def test_factors_round_half_up(width, factor):
    exact = width * factor
    rounded = int(exact) + (exact - int(exact) >= 0.5)
    edits = {
        "model.hidden": [width],
        "candidates": [[{"widen": "hidden1", "factor": float(factor)}]],
    }
    if factor == 1 or rounded == width:
        with pytest.raises(ValueError, match=r"must be above"):
            edited(edits)
    else:
        assert edited(edits).group_sizes()[1] == {"hidden1": rounded}


BAD = [
    ({"seeds": 0}, ["seeds", "must be at least 1", "given 0"]),
    ({"seeds": "many"}, ["seeds", "whole number", "given 'many'"]),
    ({"seeds": 1.5}, ["seeds", "given 1.5"]),
    ({"seeds": {"one": 1}}, ["seeds", "whole number", "given a table"]),
    ({"training.epochs": -3}, ["training.epochs", "must be at least 0", "given -3"]),
    ({"training.learning_rate": 0}, ["training.learning_rate", "must be above 0", "given 0"]),
    ({"training.learning_rate": float("inf")}, ["training.learning_rate", "finite", "given inf"]),
    ({"training.weight_decay": float("nan")}, ["training.weight_decay", "given nan"]),
    ({"training.optimizer": "sgd"}, ["training.optimizer", "'adamw'", "'adam'", "given 'sgd'"]),
    ({"training.rate": 1}, ["training: unknown key 'rate'", "learning_rate"]),
    ({"seed": 1}, ["unknown key 'seed'", "seeds"]),
    ({"data.size": 1}, ["unknown key 'size'", "train_size"]),
    ({"data.name": "../digits"}, ["data.name", "must be the name of a data set, as digits", "given '../digits'"]),
    (
        {"model": {"kind": "own", "module": "net.py"}},
        ["model.module: must be the path of a file of Python and the name of a function in it, as net.py:build"],
    ),
    ({"data.train_size": 0}, ["data.train_size: ", "must be at least 1", "given 0"]),
    ({"model": {"kind": "rnn"}}, ["model", "'rnn'", "'mlp'", "'cnn'"]),
    ({"model": 3}, ["model", "given 3"]),
    ({"model.hidden": []}, ["model.hidden: ", "1 or more"]),
    ({"data": {"name": "python-docs"}}, ["'mlp' cannot read python-docs", "'bert'"]),
    ({"model": {"kind": "bert"}}, ["'bert' cannot read digits", "'mlp', 'cnn', 'resnet18'"]),
    ({"model.hidden": [3, 5]}, ["hidden1 = 3", "at least 4"]),
    ({"walk.group": "hidden9"}, ["'hidden9'", "hidden1, hidden2"]),
    ({"walk.permutations": 0}, ["walk.permutations", "must be at least 1", "given 0"]),
    ({"walk.checkpoints": 0}, ["walk.checkpoints", "must be at least 1", "given 0"]),
    ({"candidates": []}, ["candidates", "1 or more"]),
    ({"candidates": [[]]}, ["candidates.0", "1 or more"]),
    ({"candidates": [[{"widen": "hidden1", "size": 6}]]}, ["hidden1 = 6", "above 6"]),
    ({"candidates": [[{"widen": "hidden1", "size": 3}]]}, ["hidden1 = 3", "above 6"]),
    (
        {"candidates": [[{"widen": "hidden1", "size": 0}]]},
        ["candidates.0.0.size: ", "must be at least 1", "given 0"],
    ),
    ({"candidates": [[{"widen": "hidden1", "factor": 1.01}]]}, ["hidden1 = 6", "above 6"]),
    ({"candidates": [[{"widen": "hidden1", "factor": float("inf")}]]}, ["candidates.0.0", "finite", "given inf"]),
    ({"candidates": [[{"widen": "hidden1"}]]}, ["'hidden1'", "exactly one of size and factor"]),
    ({"candidates": [[{"widen": "hidden1", "size": 8, "factor": 2}]]}, ["exactly one of size and factor"]),
    ({"candidates": [[{"widen": "hidden1", "width": 8}]]}, ["unknown key 'width'", "size, factor"]),
    ({"candidates": [[{"shrink": "hidden1"}]]}, ["candidates.0.0", "{widen, size}", "{deepen, layers}"]),
    ({"candidates": [[{"widen": "conv*", "size": 8}]]}, ["'conv*'", "hidden1, hidden2"]),
    ({"candidates": [[{"deepen": "head"}]]}, ["'head'", "hidden1, hidden2"]),
    ({"candidates": [[{"deepen": "hidden1", "layers": 0}]]}, ["layers", "must be at least 1", "given 0"]),
    ({"candidates": [[{"deepen": "hidden1"}, {"deepen": "hidden1"}]]}, ["'hidden1'", "hidden1_1"]),
    ({"candidates": [[{"widen": "hidden1", "size": 8}]] * 2}, ["candidate given twice", "hidden1 → 8"]),
]


@pytest.mark.parametrize(("edits", "needles"), BAD, ids=[str(index) for index in range(len(BAD))])
def test_bad_input_is_named_with_what_is_allowed(edits, needles):
    with pytest.raises(ValueError) as caught:
        edited(edits)
    message = str(caught.value)
    assert [needle for needle in needles if needle not in message] == []
    assert len(message.splitlines()) == 1  # one fault, one line


@pytest.mark.parametrize(
    ("step", "needles"),
    [
        ({"widen": "query_key1", "size": 30}, ["query_key1 cannot be widened", "ffn1, heads1, ffn2, heads2 can"]),
        ({"widen": "*", "factor": 2}, ["'*'", "query_key1 cannot be widened"]),
        ({"deepen": "heads1"}, ["behind ffn1, ffn2; got 'heads1'"]),
    ],
)
def test_a_step_that_bert_cannot_take_is_named_before_anything_is_trained(step, needles):
    bert = of_kind({"kind": "bert", "hidden": 12})
    with pytest.raises(ValueError) as caught:
        validated(bert | {"candidates": [[step]]})
    assert [needle for needle in needles if needle not in str(caught.value)] == []
    steps = [{"deepen": "ffn1"}, {"widen": "ffn*", "factor": 2}, {"widen": "heads2", "size": 3}]
    assert validated(bert | {"candidates": [steps]}).group_sizes()[1]["ffn1_1"] == 1024


@pytest.mark.parametrize("part", ["stem", "stage2_block1.conv2", "stage1_block3", "stage5"])
def test_channels_that_skip_connections_tie_cannot_be_widened_in_part(part):
    with pytest.raises(ValueError, match=rf"'{part}'; the groups are stage1, stage1_block1, .*, stage4_block2"):
        validated(of_kind({"kind": "resnet18", "width": 4}) | {"candidates": [[{"widen": part, "factor": 2}]]})


def test_every_fault_has_a_line():
    with pytest.raises(ValueError) as caught:
        edited({"seeds": 0, "training.epochs": -1, "walk.nodes": 1})
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["training.epochs", "walk.nodes", "seeds"]


def test_scaling_changes_what_it_names():
    study = edited({})
    assert study.scaled() == study
    small = study.scaled(seeds=2, epochs=3, train_size=40, permutations=5)
    assert (small.seeds, small.training.epochs, small.data.train_size, small.walk.permutations) == (2, 3, 40, 5)
    assert small.scaled(seeds=10, epochs=500, permutations=1000).data.train_size == 40
    same = {"seeds": 10, "training": study.training, "walk": study.walk, "data": study.data}
    assert small.model_copy(update=same) == study


@pytest.mark.parametrize(
    ("sizes", "place"),
    [
        ({"seeds": 0}, "seeds"),
        ({"epochs": -1}, "training.epochs"),
        ({"train_size": 0}, "train_size"),
        ({"permutations": 0}, "walk.permutations"),
    ],
)
def test_scaling_out_of_range_is_named(sizes, place):
    (value,) = sizes.values()
    with pytest.raises(ValueError, match=rf"{place}: .*must be at least .*given {value}"):
        edited({}).scaled(**sizes)


def toml(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


WRITTEN = """
candidates = [[{ widen = "hidden1", size = 8 }], [{ widen = "hidden*", factor = 1.5 }, { deepen = "hidden2" }]]
[model]
kind = "mlp"
hidden = [6, 5]
[walk]
group = "hidden1"
"""


def test_a_file_gives_the_study_that_it_writes_down(tmp_path):
    study = from_toml(toml(tmp_path, WRITTEN))
    assert study.name == "mine"
    assert study.key == edited({}).key
    assert from_toml(toml(tmp_path, 'name = "other"' + WRITTEN)).name == "other"


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("seeds = = 3", ["not TOML"]),
        (b"#" * 60_000, ["longer than 50,000 characters"]),
        ("x = " + "[" * 5000, ["more than 10 deep"]),
        ("x = " + "{a = " * 5000, ["more than 10 deep"]),
        ("x." + "a." * 5000 + "a = 1", ["more than 10 deep"]),
        ("seeds = " + "9" * 5000, ["thousands of digits"]),
        (b"name = '\xff'", ["not TOML", "save it as UTF-8"]),
        ("seeds = 0" + WRITTEN, ["seeds", "must be at least 1", "given 0"]),
        ("sedes = 3" + WRITTEN, ["unknown key 'sedes'", "seeds"]),
        (WRITTEN + "permutations = -4", ["walk.permutations", "given -4"]),
        ("", ["model", "candidates", "walk", "is missing"]),
    ],
)
def test_faults_of_a_file_name_it_and_the_fault(tmp_path, text, needles):
    path = toml(tmp_path, text)
    with pytest.raises(ValueError) as caught:
        from_toml(path)
    assert [needle for needle in [str(path), *needles] if needle not in str(caught.value)] == []


PIPES = {
    "study": None,
    "weights": 'weights = "pipe.toml"' + WRITTEN,
    "data": WRITTEN + '[data]\nfile = "pipe.toml"\nvalidation_size = 5',
}


@pytest.mark.parametrize("text", PIPES.values(), ids=PIPES)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, text):
    os.mkfifo(pipe := tmp_path / "pipe.toml")
    with pytest.raises((ValueError, OSError), match="Not a regular file"):
        from_toml(pipe if text is None else toml(tmp_path, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("file", sorted(PRESETS.glob("*.toml")), ids=lambda file: file.stem)
def test_a_copy_of_a_shipped_file_is_the_same_study(tmp_path, file, encoding):
    """In any encoding that the file itself names, with the lines of Windows."""
    path = toml(tmp_path, file.read_text(encoding="utf-8").replace("\n", "\r\n").encode(encoding))
    assert from_toml(path) == preset(file.stem).model_copy(update={"name": "mine"})


def test_a_file_extends_the_one_beside_it_before_a_shipped_one(tmp_path):
    (tmp_path / "digits-mlp.toml").write_text(WRITTEN)
    (tmp_path / "middle.toml").write_text(
        'extends = "digits-mlp"\nseeds = 7\nlaptop = { seeds = 2, walk = { nodes = 4 } }'
    )
    study = from_toml(toml(tmp_path, 'extends = "middle"\nlaptop = { seeds = 3 }'))
    assert study == edited({"name": "mine", "seeds": 3, "walk": {"group": "hidden1", "nodes": 4}})


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ('extends = "nothing"', ["extends", "nothing.toml", "digits-mlp"]),
        ('extends = "../secret"', ["extends", "without folder", "../secret"]),
        ("extends = 3", ["extends", "given 3"]),
        ('extends = "mine"', ["mine → mine is a circle"]),
        ('laptop = 3\nextends = "digits-mlp"', ["laptop", "table", "given 3"]),
        ('extends = "digits-mlp"\nlaptop = { sedes = 3 }', ["unknown key 'sedes'"]),
    ],
)
def test_faults_of_what_a_file_builds_on_are_named(tmp_path, text, needles):
    test_faults_of_a_file_name_it_and_the_fault(tmp_path, text, needles)


def test_a_preset_has_two_scales_and_may_extend_another():
    paper, laptop, adam = (preset(name) for name in ("cnn-cifar10-paper", "cnn-cifar10", "cnn-cifar10-adam-paper"))
    assert (paper.data.train_size, paper.training.epochs, paper.walk.permutations, paper.seeds) == (
        40000,
        500,
        1000,
        10,
    )
    assert [sizes["conv1"] for sizes in paper.group_sizes()] == [8, 10, 12, 16, 24, 32]
    assert laptop.candidates == paper.candidates and laptop.data.train_size < paper.data.train_size
    assert (adam.training.optimizer, adam.training.weight_decay) == ("adam", 0)
    assert adam.training.model_copy(update={"optimizer": "adamw", "weight_decay": 1e-4}) == paper.training


def test_every_figure_and_table_of_results_has_a_preset():
    told = " ".join(study.reproduces for study in presets().values())
    numbers = {int(number) for number in re.findall(r"\d+", told)}
    assert numbers == {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}


@pytest.mark.parametrize("name", presets())
def test_a_description_has_no_number_that_the_study_has_not(name):
    """The same words stand for a file's study at every scale."""
    study = presets()[name]
    told = study.description.replace(",000", "000")
    stated = {
        r"by a factor of ([\d., and]+)": {getattr(step, "factor", None) for each in study.candidates for step in each},
        r"(\d+) epochs after": {study.training.epochs},
        r"for (\d+) epochs": {study.training.base_epochs},
        r"(\d+) images": {getattr(study.data, "train_size", None)},
        r"(\d+) seeds": {study.seeds},
        r"n = (\d+)(?! instead)": {study.walk.permutations},
    }
    for words, known in stated.items():
        for found in re.findall(words, told.split(" instead of")[0]):
            assert {float(number) for number in re.findall(r"\d+(?:\.\d+)?", found)} == known, words


def test_every_preset_is_valid_and_found_by_its_name():
    found = presets()
    assert "digits-mlp" in found
    for name, study in found.items():
        assert preset(name) == study
        assert validated(study.model_dump(mode="json")) == study
    assert len({study.key for study in found.values()}) == len(found)
    with pytest.raises(ValueError, match=r"'nothing'; all names are listed by"):
        preset("nothing")
    for name in found:  # one letter is missing
        with pytest.raises(ValueError, match=rf"did you mean.* {name}\b") as raised:
            preset(name[:2] + name[3:])
        assert len(str(raised.value)) < 250


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": True}, "seeds: must be a number (given True)"),
        ({"training": {"learning_rate": True}}, "training.learning_rate: must be a number (given True)"),
        ({"data": {"train_size": False}}, "data.train_size: must be a number (given False)"),
        ({"model": {"kind": "mlp", "hidden": [6, True]}}, "model.hidden: must hold numbers, not true or false"),
        ({"candidates": [[{"deepen": "hidden1", "layers": True}]]}, "candidates.0.0.layers: must be a number"),
        ({"control": 1}, "control: must be true or false (given 1)"),
        ({"walk": {"group": "hidden1", "distinct": "no"}}, "walk.distinct: must be true or false (given 'no')"),
        ({"name": ""}, "name: must not be empty"),
        ({"name": "x" * 201}, "name: must have 200 or fewer characters"),
        ({"title": "two\nlines"}, "title: must be one line of printable characters"),
        ({"description": "x" * 5001}, "description: must have 5000 or fewer characters"),
    ],
)
def test_truth_is_no_number_and_texts_have_a_length(changes: dict[str, object], told: str) -> None:
    base = {"name": "mine", "model": {"kind": "mlp", "hidden": [6]}, "walk": {"group": "hidden1"}}
    with pytest.raises(ValueError, match=re.escape(told)):
        validated(base | {"candidates": [[{"widen": "hidden1", "size": 9}]]} | changes)
