"""Arithmetic on networks, and what their errors show."""
