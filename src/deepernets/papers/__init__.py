"""Published figures, typed once: the tables of both papers, the students' reports, and other studies.

Nothing here is computed. The course compares its own computations with these figures.
"""
