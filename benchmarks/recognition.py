"""How well types are recognised: precision and recall over made values, and over messy columns.

    python -m benchmarks.recognition [--values 10000]

Every type: values in sentences, glued to Chinese text, full-width, in URLs and JSON; as many
sentences hold look-alikes (order numbers, amounts, or the same value with one digit changed).
Columns: every type under every header that people use for it, with line breaks, brackets and
numbers around it, some values missing and some wrong; types that need no header also without one;
and columns of other things, which must be named nothing. All of it is made by a seed.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

import desensitize
from desensitize.recognisers import by_name
from desensitize.scanning.finder import find
from tests.chinese_tables import KINDS, Kind, Maker, sentences


@dataclass(frozen=True)
class Score:
    """Counts of one type.

    Attributes:
        right: Sentences in which the value was found as its type.
        missed: Sentences in which it was not.
        wrong: Sentences without it in which its type was found.
    """

    right: int
    missed: int
    wrong: int

    @property
    def precision(self) -> float:
        """Share of finds that are right."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        """Share of values that are found."""
        return self.right / max(self.right + self.missed, 1)


def per_type(kind: Kind, count: int, seed: int) -> Score:
    """Scores one type over ``count`` seeded values."""
    texts = sentences(Maker(seed), kind, count)
    found: dict[int, list[str]] = {}
    for hit in find([labelled.text for labelled in texts]):
        if hit.recogniser.name == kind.name:
            found.setdefault(hit.cell, []).append(hit.value)
    right = missed = wrong = 0
    for number, labelled in enumerate(texts):
        values = found.get(number, [])
        if not labelled.truth:
            wrong += bool(values)
        elif any(labelled.truth[0][1] in value for value in values):
            right += 1
        else:
            missed += 1
    return Score(right, missed, wrong)


def columns(rows: int, seed: int) -> Iterator[tuple[str, list[str | None], str]]:
    """Yields (header, values, type) of messy columns."""
    make = Maker(seed)
    messy = ("{}", "{}(必填)", "01_{}", " {} ", "*{}:", "{}\n", "【基本信息】{}")
    for kind in KINDS:
        for number, header in enumerate(kind.headers):
            for shape in (messy[number % len(messy)], messy[(number + 3) % len(messy)]):
                yield shape.format(header), _dirty(make, kind, rows), kind.name
        if by_name()[kind.name].alone <= 1:
            for header in ("x1", "字段7", "Unnamed: 3"):
                yield header, _dirty(make, kind, rows), kind.name
    for header, values in _others(make, rows):
        yield header, list(values), ""


def _dirty(make: Maker, kind: Kind, rows: int) -> list[str | None]:
    """One value of 20 missing, one of 50 wrong."""
    values: list[str | None] = [kind.make(make) for _ in range(rows)]
    for number in range(rows):
        if number % 20 == 7:
            values[number] = None
        elif number % 50 == 11:
            values[number] = make.draw.choice(("无", "-", "待补", "N/A", "0"))
    return values


def _others(make: Maker, rows: int) -> Iterator[tuple[str, list[str]]]:
    draw = make.draw
    yield "序号", [str(i) for i in range(rows)]
    yield "订单号", [f"DD2024{make.number(14)}" for _ in range(rows)]
    yield "流水号", [f"2024{make.number(16)}" for _ in range(rows)]
    yield "金额", [f"{draw.uniform(1, 9999):.2f}" for _ in range(rows)]
    yield "状态", [draw.choice(("已办", "未办", "退回")) for _ in range(rows)]
    yield (
        "办理日期",
        [f"2024-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}" for _ in range(rows)],
    )
    yield "颜色", [draw.choice(("白色", "黄色", "金色", "蓝色")) for _ in range(rows)]
    yield (
        "事项名称",
        [draw.choice(("公交补贴", "水费", "高中入学", "安全检查")) for _ in range(rows)],
    )
    yield "uuid", [str(uuid.UUID(int=draw.getrandbits(128))) for _ in range(rows)]
    yield "hash", [f"{draw.getrandbits(256):064x}" for _ in range(rows)]
    yield (
        "版本",
        [f"{draw.randint(1, 9)}.{draw.randint(0, 20)}.{draw.randint(0, 9)}" for _ in range(rows)],
    )
    yield "手机品牌", [draw.choice(("华为", "小米", "苹果")) for _ in range(rows)]
    yield "邮件数量", [str(draw.randint(0, 99)) for _ in range(rows)]
    yield "hotel", [draw.choice(("珠江", "白云", "花园")) for _ in range(rows)]
    yield "比例", [f"{draw.random():.6f}" for _ in range(rows)]
    yield "时间", [f"{draw.randint(0, 23):02d}:{draw.randint(0, 59):02d}:00" for _ in range(rows)]
    yield "批次", [f"E{make.number(8)}" for _ in range(rows)]
    yield "编码", [make.number(13) for _ in range(rows)]


def misnamed(rows: int, seed: int) -> tuple[int, list[tuple[str, str, str]]]:
    """Scans every column; returns how many there were, and (header, type, found) of mistakes."""
    tables: list[dict[str, tuple[pa.Array, str]]] = [{}]
    number = 0
    for header, values, truth in columns(rows, seed):
        number += 1
        free = next((t for t in tables if header not in t and len(t) < 50), None)
        if free is None:
            free = {}
            tables.append(free)
        free[header] = (pa.array(values, pa.string()), truth)
    wrong = []
    for table in tables:
        report = desensitize.scan(pa.table({name: values for name, (values, _) in table.items()}))
        for name, (_, truth) in table.items():
            found = report[name].type if report[name].type in by_name() else ""
            if found != truth:
                wrong.append((name, truth, found))
    return number, wrong


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=10_000)
    options = parser.parse_args()
    print(f"{'type':22}{'precision':>10}{'recall':>10}   ({options.values:,} values each)")
    for kind in KINDS:
        if by_name()[kind.name].in_text:
            score = per_type(kind, options.values, seed=1)
            mark = "check digit" if kind.checked else ""
            print(f"{kind.name:22}{score.precision:10.4f}{score.recall:10.4f}   {mark}")
    number, wrong = misnamed(500, seed=2)
    print(f"\ncolumns named rightly: {1 - len(wrong) / number:.4f} of {number}   (goal 0.98)")
    for header, truth, found in wrong:
        print(f"  {header!r} is {truth or 'nothing'}, was called {found or 'nothing'}")


if __name__ == "__main__":
    main()
