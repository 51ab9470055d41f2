"""The command line and the report. Imports every other package, most of them when a command needs them."""
