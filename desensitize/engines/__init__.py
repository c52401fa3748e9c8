"""The locked DuckDB worker and the snapshots that it reads."""
