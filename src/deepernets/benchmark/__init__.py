"""Benchmarks of training: our loop against a plain one, the optimisations in between, and two processes."""
