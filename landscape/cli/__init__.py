"""The command line and the HTML report. May import every other package, and does so when a command needs it."""
