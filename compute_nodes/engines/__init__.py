"""Renders the typed algebra as SQL for a department's own engine."""
