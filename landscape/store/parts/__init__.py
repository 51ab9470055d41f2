"""Outcomes of the tasks of a study that is under way, and how it is paused."""
