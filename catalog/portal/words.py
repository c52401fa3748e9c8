"""What codes of a record mean, in whole sentences for people who are not of the trade."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from catalog.datastore.dumps import FORMATS
from catalog.registry.record import Record
from catalog.search.query import Facet
from protos.language import Text

GRADES: Final[dict[int, Text]] = {
    1: Text("public", "公开"),
    2: Text("general", "一般"),
    3: Text("sensitive", "敏感"),
    4: Text("core", "核心"),
}
GRADES_SAID: Final[dict[int, Text]] = {
    1: Text("may be known to everybody", "可向社会公开"),
    2: Text("of use inside the administration; harmless to people",
            "政务内部使用，一般不影响个人权益"),
    3: Text("about people or firms; leaves only desensitized or as an authorised result",
            "涉及个人或企业，仅可脱敏后或经授权以结果形式提供"),
    4: Text("never leaves its department; only checked answers do",
            "原始数据不出部门，仅输出经核验的结果"),
}  # fmt: skip
OPENING_SAID: Final[dict[str, Text]] = {
    "unconditional": Text("Anyone may take it, without asking.", "任何人均可直接获取，无需申请。"),
    "conditional": Text("Open to those who meet a condition.", "满足条件者可申请获取。"),
    "none": Text("Not open to the public.", "不向社会开放。"),
}
SHARING_SAID: Final[dict[str, Text]] = {
    "unconditional": Text("Every department may use it.", "各部门均可直接使用。"),
    "conditional": Text(
        "Departments that meet a condition may use it.", "满足条件的部门可申请使用。"
    ),
    "none": Text("Not shared with other departments.", "不与其他部门共享。"),
}
RELATED: Final[dict[tuple[str, bool], Text]] = {
    ("related", True): Text("Related to", "关联资源"),
    ("related", False): Text("Related to", "关联资源"),
    ("derived", True): Text("Made from", "加工自"),
    ("derived", False): Text("Source of", "被加工为"),
    ("replaces", True): Text("Replaces", "替代"),
    ("replaces", False): Text("Replaced by", "被替代为"),
    ("part", True): Text("Part of", "隶属于"),
    ("part", False): Text("Has the part", "包含"),
}
"""What a neighbour is: by the relation's kind, and whether this record names the other."""
ORDERS: Final[dict[str, Text]] = {
    "relevance": Text("Relevance", "相关度"),
    "date": Text("Newest", "最近更新"),
    "name": Text("Name", "名称"),
    "usage": Text("Most used", "使用最多"),
}
ROWS: Final[dict[str, Text]] = {
    "copy": Text("desensitized rows", "脱敏数据"),
    "synthetic": Text("synthetic rows: no row is anybody's", "合成数据：不对应任何真实个体"),
}
CATALOGUE_FACETS: Final[tuple[Facet, ...]] = (
    "theme", "opening", "grade", "format", "place", "department", "scenario", "cycle", "kind",
    "sharing",
)  # fmt: skip
"""Facets in the order in which people narrow a search."""


DUMPS: Final = (*FORMATS, "parquet")
"""Formats in which public rows are given out."""
FORMS: Final = (
    ("ttl", "text/turtle"), ("jsonld", "application/ld+json"), ("xml", "application/rdf+xml"),
)  # fmt: skip
"""Forms in which programs read a record, by the ending of its address."""
DESCRIPTIONS: Final = (
    ("datapackage.json", "application/json", "Data Package"),
    ("croissant.json", "application/ld+json", "Croissant"),
)
"""Forms in which programs read what is public of a dataset, and their names."""


def form_address(record: Record, ending: str) -> str:
    """Returns where a record is read in another form."""
    return f"/dataset/{quote(record.source)}/{quote(record.identifier, safe='/')}.{ending}"


def rest_address(record: Record) -> str:
    """Returns where a record is read as JSON."""
    return f"/api/catalog/datasets/{quote(record.source)}/{quote(record.identifier, safe='/')}"
