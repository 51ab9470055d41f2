"""The version of the package, where both the package and those of its modules that note it can import it from."""

__version__ = "0.1.0"
