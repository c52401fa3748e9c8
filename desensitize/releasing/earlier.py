"""A release beside earlier ones of its dataset: what changed for whoever reads both."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from desensitize.generalise.levels import hierarchy
from desensitize.policy import PublishPolicy
from desensitize.releasing.facts import ColumnFacts, Release, read_copy
from protos.faults import InputError
from protos.language import Text


@dataclass(frozen=True)
class EarlierRelease:
    """An earlier release, checked against its manifest.

    Attributes:
        name: Of its directory; with that of the one above where two are called alike.
        path: Its rows.
        facts: Its manifest.
    """

    name: str
    path: Path
    facts: Release


def read_earlier(
    directories: Sequence[str | os.PathLike[str]], dataset: str
) -> tuple[EarlierRelease, ...]:
    """Reads earlier releases.

    Args:
        directories: Of the releases.
        dataset: Of which they must be.

    Raises:
        InputError: One is no release, of another dataset, or named twice.
        TrustError: A file of it is not the one that its manifest speaks of.
    """
    places = [Path(each) for each in directories]
    resolved = [place.resolve() for place in places]
    if len(set(resolved)) < len(resolved):
        raise InputError(
            Text("an earlier release is named twice", "同一个此前的发布被指定了两次"),
            code="earlier.twice",
        )
    short = [place.name for place in resolved]
    found = []
    for given, place in zip(places, resolved, strict=True):
        facts = read_copy(place)
        if facts.dataset != dataset:
            raise InputError(
                Text(
                    f"{given} is a release of {facts.dataset!r}, not of {dataset!r}",
                    f"{given} 是 {facts.dataset} 的发布，不是 {dataset} 的",
                ),
                remedy=Text("name releases of the same dataset", "请指定同一数据集的历次发布"),
                code="attack.earlier",
            )
        name = place.name if short.count(place.name) == 1 else f"{place.parent.name}/{place.name}"
        found.append(EarlierRelease(name, place / facts.output.name, facts))
    return tuple(found)


@dataclass(frozen=True)
class Changes:
    """What changed since an earlier release; names and figures only.

    Attributes:
        name: Of the earlier release.
        sha256: Of its rows.
        rows: Before and now.
        k: Smallest class before and now; None where it was not measured.
        same_policy: Whether the policy is the same text.
        added: Columns that it did not have.
        removed: Columns that are not there any more.
        stored: Columns of another type: before and now.
        coarser: Columns at a coarser level of their hierarchy: before and now.
        finer: Columns at a finer one.
        otherwise: Columns to which something else is done.
        keys: Domains with another key: tokens of both do not match.
    """

    name: str
    sha256: str
    rows: tuple[int, int]
    k: tuple[int | None, int | None]
    same_policy: bool
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    stored: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    coarser: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    finer: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    otherwise: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return asdict(self)

    def sentences(self) -> Iterator[Text]:
        """Says what a reader of both meets."""
        before, now = self.k
        k = Text("", "")
        if now is not None and before is not None:
            k = Text(f", k {before} → {now}", f"，k {before} → {now}")
        policy = Text("the same policy", "策略相同") if self.same_policy else Text(
            "another policy", "策略不同"
        )  # fmt: skip
        yield Text(
            f"since {self.name}: {self.rows[0]:,} → {self.rows[1]:,} rows{k.en}; {policy.en}",
            f"与 {self.name} 相比：{self.rows[0]:,} → {self.rows[1]:,} 行{k.zh}；{policy.zh}",
        )
        for what, named in (
            (Text("columns added", "新增列"), self.added),
            (Text("columns removed", "不再发布的列"), self.removed),
            (Text("of another type", "存储类型不同"), _pairs(self.stored)),
            (Text("coarser", "变粗"), _pairs(self.coarser)),
            (Text("finer, so people stand out more than before", "变细（比此前更易辨识）"),
             _pairs(self.finer)),
            (Text("done otherwise", "处理方式不同"), self.otherwise),
            (Text("other keys, so tokens of both do not match", "密钥不同，两次的令牌无法对应"),
             self.keys),
        ):  # fmt: skip
            if named:
                yield Text(f"{what.en}: {', '.join(named)}", f"{what.zh}：{'、'.join(named)}")


def _pairs(changed: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{name} ({before} → {now})" for name, (before, now) in changed.items())


def changes(release: Release, earlier: EarlierRelease, policy: PublishPolicy) -> Changes:
    """Compares the manifests of two releases.

    Args:
        release: The later one.
        earlier: The earlier one.
        policy: Of the later one: its hierarchies say what is coarser.
    """
    before = {column.name: column for column in earlier.facts.columns}
    now = {column.name: column for column in release.columns}
    both = [name for name in now if name in before]
    levels = {
        name: (earlier.facts.levels[name], release.levels[name])
        for name in both
        if name in release.levels and name in earlier.facts.levels
        and release.levels[name] != earlier.facts.levels[name]
    }  # fmt: skip
    steps = {name: _steps(policy, name, *pair) for name, pair in levels.items()}
    return Changes(
        earlier.name,
        earlier.facts.output.sha256,
        (earlier.facts.output.rows, release.output.rows),
        (_k(earlier.facts), _k(release)),
        earlier.facts.policy_sha256 == release.policy_sha256,
        tuple(name for name in now if name not in before),
        tuple(name for name in before if name not in now),
        {name: (before[name].stored, now[name].stored) for name in both
         if before[name].stored != now[name].stored},
        {name: pair for name, pair in levels.items() if steps[name] > 0},
        {name: pair for name, pair in levels.items() if steps[name] < 0},
        tuple(name for name in both if steps.get(name) == 0
              or (name not in levels and _done(before[name]) != _done(now[name]))),
        tuple(domain for domain, key in release.token_keys.items()
              if earlier.facts.token_keys.get(domain, key) != key),
    )  # fmt: skip


def _steps(policy: PublishPolicy, name: str, before: str, now: str) -> int:
    """How many levels coarser the later release is; 0 if its hierarchy does not know both."""
    rule = policy.columns[name].hierarchy
    names = hierarchy(name, rule, policy.folder).names if rule is not None else ()
    return names.index(now) - names.index(before) if {before, now} <= set(names) else 0


def _done(column: ColumnFacts) -> list[tuple[str, dict[str, Any]]]:
    return [(each.method, dict(each.parameters)) for each in column.methods]


def _k(release: Release) -> int | None:
    risk = release.figures.get("risk")
    return None if risk is None else int(risk["k"])
