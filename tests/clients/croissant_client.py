"""MLCommons' own library validates our Croissant and reads its rows; in its own environment."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import mlcroissant


def main(url: str, identifier: str, out: str) -> None:
    dataset = mlcroissant.Dataset(jsonld=f"{url}/dataset/local/{identifier}.croissant.json")
    issues = dataset.metadata.ctx.issues
    # It fetches the attested file, compares its SHA-256, and reads it by our fields.
    rows = [{key: said(value) for key, value in row.items()} for row in dataset.records("rows")]
    report = {
        "versions": {"mlcroissant": version("mlcroissant")},
        "errors": sorted(issues.errors),
        "warnings": sorted(issues.warnings),
        "name": dataset.metadata.name,
        "rows": len(rows),
        "first": rows[0],
        "last": rows[-1],
    }
    Path(out).write_text(json.dumps(report), "utf-8")


def said(value: object) -> object:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
