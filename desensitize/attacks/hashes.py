"""Unkeyed hashes: columns that anybody can compute who lists the numbers of a type.

A hash without a key hides nothing where the values can be listed: each is tried, and compared. So
a released column that consists of MD5, SHA-1 or SHA-256 of a column of numbers is as good as the
numbers. That it is one is shown with the original; how long an attacker takes follows from the
size of the type's space.

A column that came as digests cannot be judged: of what they were made, and whether under a key, no
row says. It is not passed; a token of it has a key for certain.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

import datetime as dt
from typing import Final

import numpy as np

from desensitize.attacks import other_spaces, resident_space
from desensitize.attacks.findings import Finding
from desensitize.attacks.kinds import SAMPLE, kind_of
from desensitize.attacks.mask_reversal import births_until
from desensitize.attacks.view import View
from desensitize.sources import SourceColumn
from protos.language import Text

_HEX: Final = {32: "md5", 40: "sha1", 64: "sha256"}
_FORMS: Final = ("{v}", "upper({v})", "lower({v})")
_DIGEST: Final = (
    "[0-9a-fA-F]{16}|[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{48}|[0-9a-fA-F]{56}|"
    "[0-9a-fA-F]{64}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128}|"
    "[0-9A-Za-z+/_-]{22}==|[0-9A-Za-z+/_-]{27}=|[0-9A-Za-z+/_-]{43}=|[0-9A-Za-z+/_-]{86}=="
)
"""MD5, also its middle half, and the SHA families, in hexadecimal digits or in base 64."""
_RANDOM: Final = "[0-9a-fA-F]{12}4[0-9a-fA-F]{3}[89abAB][0-9a-fA-F]{15}"
"""A UUID of version 4 without its hyphens (RFC 9562): drawn, and made of nothing."""
_MOSTLY: Final = 0.8
_SAMPLE: Final = 1_000
_PER_SECOND: Final = 10**10
"""Hashes a second of one graphics card: the order of magnitude that hashcat measures."""
_MEASURES: Final = Text(
    "share of looked-at cells that are an unkeyed hash", "属于无密钥散列的单元格占比（抽样）"
)


def attack(view: View, today: dt.date) -> list[Finding]:
    """Looks for unkeyed hashes in the published columns; one finding for all, or one for each."""
    found = []
    for column in view.release.columns:
        if column.stored != "VARCHAR" or column.name not in view.policy.columns:
            continue
        sample = _sample(view, column)
        made = _reversed(view, column, sample, today) if sample else []
        found += made or ([_unknown(column.name)] if _digests(view, column) else [])
    if found:
        return found
    return [
        Finding(
            "unkeyed_hash", (), 0.0, _MEASURES, 0.0,
            Text("no published column is a hash without a key", "未发现无密钥散列的列"),
        )
    ]  # fmt: skip


def _sample(view: View, column: SourceColumn) -> list[str]:
    lengths = ", ".join(map(str, _HEX))
    sql = (
        f"SELECT DISTINCT lower({column.raw}) AS v FROM {view.release.sql} "
        f"WHERE length({column.raw}) IN ({lengths}) "
        f"AND regexp_full_match({column.raw}, '[0-9a-fA-F]+') LIMIT {_SAMPLE}"
    )
    return [str(row[0]) for row in view.release.engine.sql(sql).fetchall()]


def _digests(view: View, column: SourceColumn) -> bool:
    """Whether most cells have the form of a digest, and not all of a random number."""
    cell = f"trim({column.raw})"
    cells, digests, random = view.ask(
        f"SELECT count(*), count(*) FILTER (regexp_full_match({cell}, '{_DIGEST}') "
        f"AND regexp_matches({cell}, '[A-Za-z]')), "
        f"count(*) FILTER (regexp_full_match({cell}, '{_RANDOM}')) "
        f"FROM (SELECT {column.raw} FROM {view.release.sql} WHERE {cell} <> '' LIMIT {SAMPLE})"
    )
    return cells > 0 and digests >= _MOSTLY * cells and random < digests


def _unknown(name: str) -> Finding:
    return Finding(
        "unkeyed_hash", (name,), None, _MEASURES, 0.0,
        Text(
            f"{name!r} consists of digests, and nobody can say of what they were made, or whether "
            "under a key",
            f"“{name}”的取值是散列值，无法得知其原文，也无法得知是否使用了密钥",
        ),
        Text(
            'would hold: drop the column, or a keyed token of it: { token = "DOMAIN" }',
            "可行的做法：删除该列，或对其使用带密钥的令牌：{ token = 域名 }",
        ),
    )  # fmt: skip


def _reversed(view: View, column: SourceColumn, sample: list[str], today: dt.date) -> list[Finding]:
    engine = view.original.engine
    engine.execute("CREATE OR REPLACE TEMP TABLE veil_hashes (v VARCHAR)")
    engine.executemany("INSERT INTO veil_hashes VALUES (?)", [(each,) for each in sample])
    findings = []
    for source in view.original.columns:
        value = f"trim({source.sql})"
        hashed = " UNION ALL ".join(
            f"SELECT {name}({form.format(v=value)}) AS h FROM {view.original.sql}"
            for length, name in _HEX.items() if any(len(each) == length for each in sample)
            for form in _FORMS
        )  # fmt: skip
        [(hits,)] = engine.sql(
            f"SELECT count(DISTINCT h) FROM ({hashed}) WHERE h IN (SELECT v FROM veil_hashes)"
        ).fetchall()
        if hits:
            findings.append(_finding(view, column.name, source.name, hits, len(sample), today))
    engine.execute("DROP TABLE veil_hashes")
    return findings


def _finding(
    view: View, column: str, source: str, hits: int, sample: int, today: dt.date
) -> Finding:
    space = _space(view, source, today)
    seconds = space / _PER_SECOND if space else 0.0
    enumerated_en = (
        f"; there are {space:,} such numbers, which one graphics card tries in {seconds:,.0f} s"
        if space else ""
    )  # fmt: skip
    enumerated_zh = (
        f"；该类号码共 {space:,} 个，一块显卡约 {seconds:,.0f} 秒即可试完" if space else ""
    )
    return Finding(
        "unkeyed_hash", (column, source), hits / sample, _MEASURES, 0.0,
        Text(
            f"{column!r} is a hash of {source!r} without a key: {hits:,} of {sample:,} looked-at "
            f"cells were found by hashing values{enumerated_en}",
            f"“{column}”是“{source}”的无密钥散列：抽查的 {sample:,} 个单元格中有 {hits:,} 个"
            f"可通过逐一试算还原{enumerated_zh}",
        ),
        Text(
            'would hold: drop the column, or a keyed token: { token = "DOMAIN" }',
            "可行的做法：删除该列，或改用带密钥的令牌：{ token = 域名 }",
        ),
        Text(
            f"MD5, SHA-1 and SHA-256 of the value as it is, in upper and in lower case; "
            f"{_PER_SECOND:,} hashes per second",
            f"对原值及其大小写形式计算 MD5、SHA-1、SHA-256；每秒 {_PER_SECOND:,} 次",
        ),
        figures={"space": float(space), "seconds": seconds},
    )  # fmt: skip


def _space(view: View, source: str, today: dt.date) -> int:
    """Returns how many numbers of the column's type there are; 0 for not known."""
    kind = kind_of(view, source) if source in view.policy.columns else ""
    if kind == "cn_resident_id":
        births = births_until(today)
        stars = np.full((1, resident_space.LENGTH), resident_space.HIDDEN, dtype=np.uint8)
        nothing = resident_space.nothing_beside(1, births)
        return int(resident_space.count(stars, nothing, births)[0])
    masks = {"cn_mobile": "*" * 11, "bank_card": "*" * 16, "cn_plate": "*" * 7}
    return int(other_spaces.count(kind, [masks[kind]])[0]) if kind in masks else 0
