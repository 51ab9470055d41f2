"""A study on every core: how many processes compute it, what they share, and how they are given its tasks."""
