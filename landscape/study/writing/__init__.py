"""A study as people write it: candidates in the notation of their labels, ready-made sets of them, and TOML text."""
