"""Trained weights from a file: read with care, matched to a network, and put into it.

`reader` knows the format, `matching` what fits where, `chain`, `resnet` and `bert` how PyTorch lays out each kind of
network, and `sizes` which network a file holds. None of these imports JAX, so that the app can check a file before it
asks for anything to be computed; `own` does.
"""
