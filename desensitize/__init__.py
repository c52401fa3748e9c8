"""Finds, grades, masks and measures risk; usable alone."""
