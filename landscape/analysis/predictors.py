"""Every predictor of the performance gain, described once, for tables, figures and correlations (A.2.3, Table 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """One row of the comparison.

    name: for people.
    function: its name in `landscape.proxies`, or None where it comes from a study's result.
    direction: +1 where a greater value promises a greater gain, -1 where a smaller one does; rank correlations
        are those of direction · value.
    log: whether to show it on a logarithmic axis.
    sees_width: whether Net2Net's exact widening (no noise) changes it at all. Where it does not, widened candidates
        of one base are ties before training: what tells their values apart is rounding, and so is its rank.
    data: whether it needs examples. training: whether it needs the network to be trained further.
    forward, backward: passes through the network, where n is the number of permutations of the walk and s that
        of training steps an epoch. A tangent pass counts like the pass that it accompanies.
    differentiates: of what gradients are taken.
    definition: LaTeX, without delimiters. reference: authors, year and arXiv number.
    note: what somebody who compares the numbers should know.
    """

    name: str
    function: str | None = None
    direction: Literal[1, -1] = 1
    log: bool = False
    sees_width: bool = True
    data: bool = True
    training: bool = False
    forward: str = "1"
    backward: str = "1"
    differentiates: Literal["loss", "outputs", "nothing"] = "loss"
    definition: str
    reference: str
    note: str


SCORED = "Only weights of dense and convolution layers are scored: no biases, normalisation or embeddings."

PREDICTORS = {
    "manifold_metric": Predictor(
        name="Manifold metric M₀",
        forward="n",
        backward="0",
        differentiates="nothing",
        definition=r"M_0 = m(\theta^0, B^*_q, n) - m(\phi^*, B^*_q, n), \quad"
        r" m(\theta, \lambda, n) = \tfrac1n \lvert\{ i : \hat b_i \le \lambda \}\rvert",
        reference="Malviya et al. 2024, arXiv 2405.15895",
        note="In percent. At most 100 · (1 − q): candidates that reach it are ties. Equal midpoints are run once.",
    ),
    "grad_norm": Predictor(
        name="GradNorm",
        function="grad_norm",
        definition=r"\sum_l \left\lVert \frac{\partial L}{\partial W_l} \right\rVert_2",
        reference="Abdelfattah et al. 2021, arXiv 2101.08134",
        note=SCORED,
    ),
    "snip": Predictor(
        name="SNIP",
        function="snip",
        sees_width=False,
        definition=r"\sum_l \left\lVert W_l \odot \frac{\partial L}{\partial W_l} \right\rVert_1",
        reference="Lee et al. 2018, arXiv 1810.02340",
        note=f"{SCORED} Copies of a unit share its score, so exact widening leaves the sum as it is.",
    ),
    "grasp": Predictor(
        name="GraSP",
        function="grasp",
        forward="2",
        backward="2",
        definition=r"-\sum W \odot (H g), \quad"
        r" g = \frac{\partial L}{\partial W},\; H = \frac{\partial^2 L}{\partial W^2}",
        reference="Wang et al. 2020, arXiv 2002.07376",
        note=f"{SCORED} Gradient and Hessian are of the same batch.",
    ),
    "synflow": Predictor(
        name="SynFlow",
        function="synflow",
        log=True,
        sees_width=False,
        data=False,
        differentiates="outputs",
        definition=r"\sum_l \left\lVert W_l \odot \frac{\partial R}{\partial W_l} \right\rVert_1, \quad"
        r" R = \sum f(\mathbf 1; \lvert\theta\rvert)",
        reference="Tanaka et al. 2020, arXiv 2006.05467",
        note=f"{SCORED} One all-ones input, or all-ones embeddings in a Transformer (our convention). Biases enter "
        "by their absolute value; normalisation is the identity. Exact widening leaves the flow as it is.",
    ),
    "jacov": Predictor(
        name="Jacov",
        function="jacov",
        sees_width=False,
        differentiates="outputs",
        definition=r"-\sum_i \left[ \log(v_i + k) + \frac{1}{v_i + k} \right], \quad"
        r" v = \operatorname{eig}(\operatorname{corr} J),\;"
        r" J_i = \frac{\partial \sum f(x_i)}{\partial x_i},\; k = 10^{-5}",
        reference="Mellor et al. 2021, arXiv 2006.04647",
        note="The whole spectrum, as in the published code; the paper's text names the highest eigenvalue. It depends "
        "on the function alone, which an exact expansion preserves. Differentiated at the embeddings of a "
        "Transformer (our convention). A vanishing eigenvalue adds −100,000.",
    ),
    "sotl_e": Predictor(
        name="SoTL-E",
        direction=-1,
        training=True,
        forward="s",
        backward="s",
        definition=r"\sum_{i=1}^{s} L_i \quad \text{over the training steps of the newest epoch}",
        reference="Ru et al. 2021, arXiv 2006.04492",
        note="Needs training, unlike all others. A smaller loss promises more, so correlations are those of −SoTL-E.",
    ),
    "parameters": Predictor(
        name="Parameter count",
        function="parameters",
        data=False,
        forward="0",
        backward="0",
        differentiates="nothing",
        definition=r"\dim \theta",
        reference="ours",
        note="The trivial predictor that every other has to beat: trainable parameters of all kinds.",
    ),
}
