"""What the tasks of a study do: train networks, look at one, walk from one, compare those of different seeds.

Each task is a function of a member of the study, of seeds, and of the outcomes of earlier tasks; it returns an
`Outcome`. They import JAX, so only what computes imports them; `names` and `outcome` do without it.
"""
