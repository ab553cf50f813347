"""Recorded runs compared with what was reported: comparison, ablations, costs.

In an installed package the records are files in this folder; in the repository they are in `results/`.
"""
