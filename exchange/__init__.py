"""Plans queries, coordinates rounds, speaks for the analyst."""
