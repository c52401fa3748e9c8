"""Drives the coordinator's side of the protocols."""
