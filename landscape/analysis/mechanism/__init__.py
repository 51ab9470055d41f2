"""Why M is what it is: how sharp the loss is where M falls, and how much of M₀ is owed to its batch."""
