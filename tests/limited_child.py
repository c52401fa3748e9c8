"""A child process that has enough memory with one thread only."""

from __future__ import annotations

from pathlib import Path

from desensitize.engines.child import ShortOfMemoryError, Task, serve, tell_progress


def run(task: Task) -> dict[str, object]:
    """Says with how many threads it ran, and what lay in its directory.

    Raises:
        ShortOfMemoryError: It has more than one thread, or reads what no memory is enough for.
    """
    found = [path.name for path in Path().iterdir()]
    tell_progress(task.threads, None)
    Path("spill").mkdir()
    (Path("spill") / "rows").touch()
    Path("source.parquet").symlink_to(task.path)
    if task.threads > 1 or task.sheet == "endless":
        raise ShortOfMemoryError("memory did not suffice", code="source.limits", detail="spill")
    return {"threads": task.threads, "found": found}


if __name__ == "__main__":
    serve(Task, run)
