"""Figures that others published, each typed once: the two papers' tables, and the students' reports'.

Nothing here is computed. What can be computed is computed where it is shown, and held against these.
"""
