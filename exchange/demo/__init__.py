"""A whole exchange with generated data on one machine."""
