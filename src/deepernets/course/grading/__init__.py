"""Grading a folder of submitted notebooks, each in a process of its own."""
