"""A dataset with all that is known about it, as JSON types."""

from __future__ import annotations

from typing import Any

from catalog.registry.entries import Entry
from catalog.registry.quality import Quality
from catalog.registry.record_json import to_dict, version_dict


def entry_dict(entry: Entry, quality: Quality) -> dict[str, Any]:
    """Returns what ``veil catalog show --json`` prints."""
    return {
        "record": to_dict(entry.record),
        "state": entry.state,
        "registered_at": entry.registered_at,
        "changed_at": entry.changed_at,
        "usage": entry.usage,
        "sources": entry.sources,
        "versions": [
            {
                "number": version.number,
                "recorded_at": version.recorded_at,
                **version_dict(version.said),
                "changes": list(version.changes),
            }
            for version in entry.versions
        ],
        "relations": [
            {
                "kind": other.kind,
                "outward": other.outward,
                "source": other.source,
                "identifier": other.identifier,
                "name": other.name,
            }
            for other in entry.neighbours
        ],
        "quality": {
            "score": quality.score,
            "reasons": [
                {"what": mark.what.en, "points": mark.points, "most": mark.most,
                 "reason": mark.reason.en, "reason_zh": mark.reason.zh}
                for mark in quality.marks
                if mark.reason is not None
            ],
        },
        "tombstone": entry.tombstone,
        "undeclared_since": entry.undeclared_since,
    }  # fmt: skip
