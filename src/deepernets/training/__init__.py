"""Recipes, schedules, the training loop, runs and their records."""
