"""Loss-landscape connectivity and the manifold metric of model expansion (Malviya et al., arXiv 2405.15895).

Looking at results needs no JAX, and importing this package does not load it: each public name is loaded from its
module when it is first used. `__init__.pyi` lists them.
"""

import lazy_loader

from landscape._version import __version__ as __version__
from landscape._xla import flag_is_set

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

flag_is_set()  # before anything starts JAX
