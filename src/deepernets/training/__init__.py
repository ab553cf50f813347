"""The training loop, runs and their records."""
