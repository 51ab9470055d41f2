"""The predictors of the performance gain, one description each, for tables, figures and correlations (A.2.3, Table 4).

Zero-cost proxies are the predictors that a study computes on every candidate right after its expansion, each by a
function of its own; `register_proxy` adds further ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Predictor:
    r"""One row of the comparison of predictors.

    Attributes:
      name: what people call it.
      definition: LaTeX without delimiters.
      reference: authors, year and arXiv number.
      note: what somebody who compares the numbers should know.
      function: what computes a zero-cost proxy from a network in evaluation mode, a batch of inputs, and their targets:
        a callable `(model, inputs, targets) -> float`, or a string "package.module:name" that says where it is. None
        for a predictor that comes from the other variables of a result.
      direction: +1 where a greater value promises a greater gain, −1 where a smaller one does. Rank correlations are
        those of direction · value.
      units: the unit of its values; "1" where they have none.
      log: whether a logarithmic axis shows it better.
      sees_width: whether Net2Net's exact widening (without noise) changes it at all. Where it does not, the widened
        candidates of one base are ties: only rounding makes their values differ.
      data: whether it needs examples.
      training: whether it needs the network to be trained further.
      forward, backward: passes through the network, where n is the number of permutations of the walk and s that of the
        training steps of an epoch. A tangent pass counts like the pass that it accompanies.
      differentiates: what gradients are taken of.

    Example:
      >>> from landscape import Predictor
      >>> Predictor(name="Norm", definition=r"\lVert \theta \rVert_2", reference="ours", data=False).units
      '1'

    References:
      Malviya et al. (2024), arXiv 2405.15895, section A.2.3 and Table 4.
    """

    name: str
    definition: str
    reference: str
    note: str = ""
    function: str | Callable[[Any, Any, Any], float] | None = None
    direction: Literal[1, -1] = 1
    units: str = "1"
    log: bool = False
    sees_width: bool = True
    data: bool = True
    training: bool = False
    forward: str = "1"
    backward: str = "1"
    differentiates: Literal["loss", "outputs", "nothing"] = "loss"


METRIC, PARAMETERS, SOTL_E = "M0", "parameters", "sotl_e"  # the predictors that are not in the variable `proxy`
SCORED = (
    "Only weights of dense and convolution layers are scored, those that a module multiplies by arrays of its own "
    "included: no biases, normalisation or embeddings."
)

PREDICTORS: dict[str, Predictor] = {
    METRIC: Predictor(
        name="Manifold metric M₀",
        units="%",
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
        function="landscape.proxies:grad_norm",
        units="nats",
        definition=r"\sum_l \left\lVert \frac{\partial L}{\partial W_l} \right\rVert_2",
        reference="Abdelfattah et al. 2021, arXiv 2101.08134",
        note=SCORED,
    ),
    "snip": Predictor(
        name="SNIP",
        function="landscape.proxies:snip",
        units="nats",
        sees_width=False,
        definition=r"\sum_l \left\lVert W_l \odot \frac{\partial L}{\partial W_l} \right\rVert_1",
        reference="Lee et al. 2018, arXiv 1810.02340",
        note=f"{SCORED} Copies of a unit share its score, so exact widening leaves the sum as it is.",
    ),
    "grasp": Predictor(
        name="GraSP",
        function="landscape.proxies:grasp",
        units="nats²",
        forward="2",
        backward="2",
        definition=r"-\sum W \odot (H g), \quad"
        r" g = \frac{\partial L}{\partial W},\; H = \frac{\partial^2 L}{\partial W^2}",
        reference="Wang et al. 2020, arXiv 2002.07376",
        note=f"{SCORED} Gradient and Hessian are of the same batch.",
    ),
    "synflow": Predictor(
        name="SynFlow",
        function="landscape.proxies:synflow",
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
        function="landscape.proxies:jacov",
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
    SOTL_E: Predictor(
        name="SoTL-E",
        units="nats",
        direction=-1,
        training=True,
        forward="s",
        backward="s",
        definition=r"\sum_{i=1}^{s} L_i \quad \text{over the training steps of the newest epoch}",
        reference="Ru et al. 2021, arXiv 2006.04492",
        note="It needs training, unlike all others. A smaller loss promises more: correlations are those of −SoTL-E.",
    ),
    PARAMETERS: Predictor(
        name="Parameter count",
        data=False,
        forward="0",
        backward="0",
        differentiates="nothing",
        definition=r"\dim \theta",
        reference="ours",
        note="The trivial predictor that every other one has to beat: trainable parameters of all kinds.",
    ),
}


def predictor_named(key: str) -> Predictor:
    """The description of a predictor by its key in results.

    A stored result may hold a proxy that is not registered in this process; its description says so.

    Example:
      >>> from landscape.study.predictors import predictor_named
      >>> predictor_named("snip").name
      'SNIP'
    """
    unknown = Predictor(
        name=key,
        definition=r"\text{not known here}",
        reference="no reference known here",
        note="The result holds it, but this process has no description of it: see landscape.register_proxy.",
    )
    return PREDICTORS.get(key, unknown)


def proxies() -> dict[str, Predictor]:
    """The zero-cost proxies that a study computes now, by key, in the order of their registration.

    Example:
      >>> from landscape.study.predictors import proxies
      >>> list(proxies())
      ['grad_norm', 'snip', 'grasp', 'synflow', 'jacov']
    """
    return {key: each for key, each in PREDICTORS.items() if each.function is not None}


def register_proxy(key: str, proxy: Predictor) -> Predictor:
    """Make a zero-cost proxy known: studies computed from now on hold its values, and tables and figures show them.

    Results that are stored already keep the proxies that they were computed with. Other processes, such as the app and
    Dask's workers, know a proxy only once they import the module that registers it. A proxy whose function is defined
    anew at its old place, as when a cell of a notebook runs again, replaces the earlier one.

    Args:
      key: its coordinate along the dimension `predictor` of results, and its name in downloaded tables.
      proxy: its description, with a `function`.

    Returns:
      The description itself.

    Raises:
      ValueError: if another predictor has the key, or the description lacks a function or needs training.

    Example:
      >>> from landscape import Predictor, register_proxy
      >>> def largest_input(model, inputs, targets):
      ...     return float(abs(inputs).max())
      >>> text = {"name": "Largest input", "definition": r"\\lVert x \\rVert_\\infty", "reference": "ours"}
      >>> register_proxy("largest_input", Predictor(function=largest_input, **text)).name
      'Largest input'
      >>> register_proxy("snip", Predictor(function=largest_input, **text))
      Traceback (most recent call last):
      ValueError: a predictor with the key 'snip' is known already: SNIP; choose another key
    """
    if proxy.function is None or proxy.training:
        raise ValueError(f"{key!r} cannot be a zero-cost proxy: it needs a function, and must not need training")
    known = PREDICTORS.get(key)
    if known and (known.function is None or _place(known) != _place(proxy)):
        raise ValueError(f"a predictor with the key {key!r} is known already: {known.name}; choose another key")
    PREDICTORS[key] = proxy
    return proxy


def _place(proxy: Predictor) -> str:
    """Where the function of a proxy is defined, as "module:name"."""
    function = proxy.function
    if isinstance(function, str):
        return function
    return f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', repr(function))}"
