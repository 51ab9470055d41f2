"""The command line and the HTML report. May import every other package, most of them only when a command needs them."""
