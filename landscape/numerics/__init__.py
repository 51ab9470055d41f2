"""How numbers are computed: losses and their changes, precision, memory, batches in parts. Imports `data`."""
