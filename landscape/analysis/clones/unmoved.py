"""Which candidates have M₀ = 0 by construction, because their expansion leaves the walked layer alone (ours).

Whatever an exact expansion adds elsewhere computes what was there before for any values of the walked units, those of a
midpoint among them. So each step has the barrier that it has in the base, and m differs from the base's only by the
permutations that each walk draws.
"""

from __future__ import annotations

from landscape.analysis.wording import enumeration
from landscape.study import Study
from landscape.study.steps import Candidate, Deepen

EXACT = ("copies", "silent")


def unmoved(study: Study) -> list[str]:
    """The candidates whose M₀ is 0 but for chance: expanded exactly, with the walked group as wide as in the base.

    Identity layers behind the walked one count as well: where relu has left nothing below 0, the midpoint of two of
    them passes on what the midpoint of the next layer's weights would have read. So do inserted blocks: the branch of
    a ResNet's is 0, and LayerNorm leaves alone what a LayerNorm has just normalised.

    Example:
      >>> import landscape
      >>> from landscape.analysis.clones.unmoved import unmoved
      >>> unmoved(landscape.preset("cnn-cifar100-deeper"))
      ['1 layer after conv3', '2 layers after conv3', '4 layers after conv3']

    References:
      Ours; Malviya et al. (2024), Algorithm 1, for the walk; Chen et al. (2016), arXiv 1511.05641, for exactness.
    """
    if study.model.kind == "own" or study.expansion.start == "random":
        return []
    base, *sizes = (each[study.walk.group] for each in study.group_sizes())
    found = zip(study.labels, study.candidates, sizes, strict=True)
    return [name for name, candidate, size in found if size == base and _exact(study, candidate)]


def _exact(study: Study, candidate: Candidate) -> bool:
    default = "noisy copies" if study.expansion.noise else "copies"
    return all(isinstance(step, Deepen) or (step.units or default) in EXACT for step in candidate)


def sentence(study: Study) -> str | None:
    """What M₀ cannot tell of these candidates, in words; None if there are none.

    Example:
      >>> import landscape
      >>> from landscape.analysis.clones.unmoved import sentence
      >>> sentence(landscape.preset("digits-mlp"))

    References:
      Ours; M₀ is that of Malviya et al. (2024), equation 2.
    """
    if not (names := unmoved(study)):
        return None
    verb = "leaves" if len(names) == 1 else "leave"
    return (
        f"M₀ is 0 by construction for {enumeration(names)}, which {verb} the walked layer {study.walk.group} as it is: "
        "what an exact expansion adds elsewhere changes no barrier. What differs from 0 comes from the permutations "
        "that each walk draws."
    )
