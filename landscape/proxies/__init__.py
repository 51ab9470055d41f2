"""Zero-cost proxies: what one batch and a backward pass or two say about a network, without training it.

Each function loads JAX when it is first used. `landscape.study.predictors` describes them, and all other predictors of
the performance gain. Imports `study`, `models` and `numerics`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
