"""Members: the base and the candidates of a study, by number."""

import pytest

from landscape.study import schema, validated
from landscape.study.member import Member, members
from landscape.study.presets import preset, presets


@pytest.mark.parametrize("name", ["digits-mlp", "resnet18-cifar10", "tinybert"])
def test_members_have_the_labels_sizes_and_order_of_their_study(name: str) -> None:
    study = preset(name)
    study = study.model_copy(update={"control": True})
    base, *candidates, control = members(study)
    assert [member.label for member in (base, *candidates, control)] == [schema.BASE, *study.labels, schema.CONTROL]
    assert [member.sizes for member in (base, *candidates)] == study.group_sizes()
    assert base.is_base and control.is_control and all(member.is_candidate for member in candidates)
    assert control.sizes == base.sizes


@pytest.mark.parametrize("changes", [{"control": False}, {"training": {"epochs": 0}}])
def test_a_study_that_asks_for_none_or_trains_nothing_has_no_control(changes: dict) -> None:
    content = preset("digits-mlp").model_dump(mode="json") | {"control": True}
    study = validated(content | {"training": content["training"] | changes.pop("training", {})} | changes)
    assert [member.label for member in members(study)] == [schema.BASE, *study.labels]
    with pytest.raises(ValueError, match="no control"):
        Member(study, 0, is_control=True)


def test_each_member_trains_and_is_walked_as_its_study_says() -> None:
    study = preset("digits-mlp").scaled(epochs=10)
    base, first, *_ = members(study)
    assert (base.epochs, base.checkpoints) == (study.training.base_epochs, [0])
    assert base.moments == {"start": 0}
    assert (first.epochs, first.checkpoints) == (10, study.checkpoints)
    assert first.moments == {"start": 0, "end": 10}


def test_a_control_trains_as_candidates_do_and_walks_as_the_base_does() -> None:
    study = preset("cnn-cifar10-paper")
    base, first, *_, control = members(study)
    assert (control.epochs, control.checkpoints) == (first.epochs, first.checkpoints)
    assert control.index == base.index  # which names the walk
    assert control.moments == {}


def test_what_a_member_names_is_in_the_result() -> None:
    study = preset("cnn-cifar10-paper")
    for member in members(study):
        part = schema.empty(study).sel(member.place(seed=3))
        assert {*member.variables.values()} <= {*part.data_vars}
        assert part[member.variables["barrier"]].dims[-1] == "permutation"
    assert "sotl_e" not in members(study)[0].variables
    own = {name for name in schema.VARIABLES if name.startswith("control_")}
    assert {*members(study)[-1].variables.values()} == own


def test_members_of_equal_studies_are_equal_keys() -> None:
    study = preset("digits-mlp")
    assert len({*members(study), *members(study.scaled())}) == 1 + len(study.candidates) + study.control


@pytest.mark.parametrize("index", [-1, len(presets()["digits-mlp"].candidates) + 1])
def test_an_index_that_the_study_does_not_have_is_named(index: int) -> None:
    with pytest.raises(ValueError, match=f"from 0 to .*; got {index}"):
        Member(preset("digits-mlp"), index)
