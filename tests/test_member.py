"""Members: the base and the candidates of a study, by number."""

import pytest

from landscape.study import schema
from landscape.study.member import Member, members
from landscape.study.presets import preset, presets


@pytest.mark.parametrize("name", ["digits-mlp", "resnet18-cifar10", "tinybert"])
def test_members_have_the_labels_sizes_and_order_of_their_study(name: str) -> None:
    study = preset(name)
    assert [member.label for member in members(study)] == [schema.BASE, *study.labels]
    assert [member.sizes for member in members(study)] == study.group_sizes()
    assert [member.is_base for member in members(study)] == [True] + [False] * len(study.candidates)


def test_each_member_trains_and_is_walked_as_its_study_says() -> None:
    study = preset("digits-mlp").scaled(epochs=10)
    base, first, *_ = members(study)
    assert (base.epochs, base.checkpoints) == (study.training.base_epochs, [0])
    assert base.moments == {"start": 0}
    assert (first.epochs, first.checkpoints) == (10, study.checkpoints)
    assert first.moments == {"start": 0, "end": 10}


def test_what_a_member_names_is_in_the_result() -> None:
    study = preset("digits-mlp")
    for member in members(study):
        part = schema.empty(study).sel(member.place(seed=3))
        assert {*member.variables.values()} <= {*part.data_vars}
        assert part[member.variables["barrier"]].dims[-1] == "permutation"
    assert "sotl_e" not in members(study)[0].variables


def test_members_of_equal_studies_are_equal_keys() -> None:
    study = preset("digits-mlp")
    assert len({*members(study), *members(study.scaled())}) == len(study.candidates) + 1


@pytest.mark.parametrize("index", [-1, len(presets()["digits-mlp"].candidates) + 1])
def test_an_index_that_the_study_does_not_have_is_named(index: int) -> None:
    with pytest.raises(ValueError, match=f"from 0 to .*; got {index}"):
        Member(preset("digits-mlp"), index)
