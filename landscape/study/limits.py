"""Beyond which values a setting makes no sense, whatever the machine: such a study is refused when it is read.

What fits a machine's time and memory is another question. These limits only keep a slip of the pen, such as 10¹²
epochs, from running for years or from ending in a MemoryError.
"""

from __future__ import annotations

MOST_SEEDS = 10_000
MOST_EPOCHS = 1_000_000
MOST_STEPS = 1_000_000  # of a walk
MOST_EXAMPLES = 100_000_000  # in a data set, or in a batch of it
MOST_UNITS = 100_000  # of a layer
MOST_FACTOR = 1_000.0  # of a widening
MOST_LAYERS = 1_000
MOST_CANDIDATES = 1_000
MOST_LINE = 200  # characters of a name or a title
MOST_PROSE = 5_000  # characters of a description
