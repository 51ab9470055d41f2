"""What the numbers of a result can be: whatever lies beyond was not computed, however intact its file is."""

from __future__ import annotations

import numpy as np
import xarray as xr

RANGES = {  # of what a variable holds, by the end of its name, NaN and what was not computed apart
    "validation_accuracy": (0.0, 1.0),
    **dict.fromkeys(("loss", "sotl_e", "curve", "surface", "barrier", "distance", "seconds", "stop"), (0.0, np.inf)),
    **dict.fromkeys(("parameters", "width"), (1.0, np.inf)),
}
NEEDED = ("base_barrier", "barrier")  # a result without any number of these shows nothing


def check_ranges(dataset: xr.Dataset) -> None:
    """Raises ValueError for numbers that no computation gives, such as an accuracy above 1 or a negative barrier."""
    for name, variable in dataset.data_vars.items():
        values = variable.values[np.isfinite(variable.values)] if variable.dtype.kind == "f" else variable.values
        limits = next((limits for end, limits in RANGES.items() if str(name).endswith(end)), None)
        values = values[values != -1] if variable.dtype.kind == "i" else values
        if limits and values.size and not (limits[0] <= values.min() and values.max() <= limits[1]):
            low, high = limits
            raise ValueError(f"{name} is from {values.min():g} to {values.max():g}; it can be from {low:g} to {high:g}")


def check_not_empty(dataset: xr.Dataset) -> None:
    """Raises ValueError for a result without any barrier."""
    if missing := [name for name in NEEDED if not np.isfinite(dataset[name].values).any()]:
        raise ValueError(f"{missing[0]} holds no number at all")
