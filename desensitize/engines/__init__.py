"""The locked DuckDB worker and the snapshots that it reads.

Two kinds of child process stand between foreign data and the process that holds keys:

- the **loader** (``load``) turns a department's CSV or Parquet file into a native database, once
  per version of the data, under limits on memory, disk and time (``snapshot``);
- **query workers** (``worker``) are forked from a **zygote**, one per query, and see one snapshot
  read-only, without network, files or a way to write.

``stored_values`` says how a written value becomes a stored one; ``reports`` what a load found.
Nothing in here knows about plans, policies or peers.
"""
