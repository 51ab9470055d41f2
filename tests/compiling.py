"""How the commands compile that tests start."""

from __future__ import annotations

# For commands whose numbers no test compares with those of one that compiles for speed: a third off compiling.
QUICKLY = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
