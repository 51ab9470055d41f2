"""A candidate from its base: the steps of an expansion in order, and how far the copies that they make part later."""
