"""Exercises that answer back, and the notebooks they stand in."""
