"""A study beside whoever asks for it: by the engine of a cache folder, or on a Dask scheduler."""
