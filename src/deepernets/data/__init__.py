"""Data sets, from their files to batches."""
