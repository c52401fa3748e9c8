"""What a version changed in its record, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from catalog.interchange.form import HEADERS
from protos.language import Text

_WHAT: Final = {
    "added": Text("added", "新增"),
    "removed": Text("removed", "删除"),
    "changed": Text("changed", "变更"),
}
_FIELDS: Final = {
    "items": Text("data item", "信息项"),
    "items.order": Text("order of data items", "信息项顺序"),
    "sharing": Text("sharing", "共享属性"),
    "opening": Text("opening", "开放属性"),
    "provider": Text("provider", "信息资源提供方"),
    "path": Text("classification", "信息资源分类"),
    "version": Text("version", "版本"),
}


def change_words(change: Mapping[str, Any]) -> Text:
    """Returns one difference as a line.

    Args:
        change: As `catalog.registry.changes.Change.to_dict` gives it.
    """
    field, item = str(change["field"]), str(change.get("item", ""))
    header = HEADERS.get(f"items.{field}" if item else field, field)
    what, title = _WHAT[change["what"]], _FIELDS.get(field, Text(field.replace("_", " "), header))
    en, zh = (
        " ".join(filter(None, (what.of(language), title.of(language), item)))
        for language in ("en", "zh")
    )
    was, now = change.get("was"), change.get("now")
    if any(isinstance(part, dict | list) for part in (was, now)) or (was is None and now is None):
        return Text(en, zh)
    return Text(
        f"{en}: {was or 'nothing'} → {now or 'nothing'}", f"{zh}：{was or '空'} → {now or '空'}"
    )
