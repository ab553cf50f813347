"""The labs: exercises with immediate feedback, the notebooks that they are in, and grading."""
