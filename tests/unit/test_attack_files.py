"""Attacks on files: the limited process, an auxiliary file, earlier releases."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.engines.foreign_file import engine_config
from desensitize.engines.snapshot import LoadLimits
from desensitize.policy_file import parse_policy
from protos.faults import InputError
from tests.attack_world import people, policy_for

METHODS = {"name": '"drop"', "birth": '{ date = "year" }', "sex": '"keep"'}


def test_files_with_knowledge_and_an_earlier_release(tmp_path: Path) -> None:
    data = {name: values for name, values in people(300).items() if name in METHODS}
    policy = policy_for(METHODS, "small_cell_differences = 0", more='gate = { rescan = "report" }')
    for name, first in (("before", 1), ("now", 0)):
        table = pa.table({column: values[first:] for column, values in data.items()})
        pq.write_table(table, tmp_path / f"{name}.parquet")
        desensitize.run(tmp_path / f"{name}.parquet", policy=policy, out=tmp_path / name)
    known = pa.table({column: values[:40] for column, values in data.items()})
    pa.csv.write_csv(known, tmp_path / "known.csv")
    told: list[int] = []
    report = desensitize.attack(
        tmp_path / "now.parquet",
        tmp_path / "now",
        auxiliary=tmp_path / "known.csv",
        earlier=[tmp_path / "before"],
        progress=lambda done, _: told.append(done),
    )
    assert report.auxiliary == "known.csv"
    assert report.earlier == ("before",)
    [linkage] = report.of("linkage")
    assert linkage.figures["people"] == 40
    assert linkage.figures["right"] == linkage.figures["claimed"] > 0
    [difference] = report.of("differencing")
    assert difference.verdict == "broken"
    assert told == sorted(told)
    assert len(told) == 7
    # The rows alone, with the policy beside them.
    rows = tmp_path / "now" / "t.parquet"
    again = desensitize.attack(tmp_path / "now.parquet", rows, policy=policy)
    assert again.of("uniqueness") == report.of("uniqueness")
    with pytest.raises(InputError, match="does not say what was done"):
        desensitize.attack(tmp_path / "now.parquet", rows)
    other = parse_policy(policy.text.replace('dataset = "t"', 'dataset = "u"'))
    with pytest.raises(InputError, match="not of 'u'"):
        desensitize.attack(
            tmp_path / "now.parquet", rows, policy=other, earlier=[tmp_path / "before"]
        )
    with pytest.raises(InputError, match="there is no file"):
        desensitize.attack(tmp_path / "gone.parquet", rows, policy=policy)


def test_what_spills_lies_in_one_place_wherever_a_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path)
    config = engine_config(256 << 20, 2)
    monkeypatch.chdir("release")  # as each file is read in a directory of its own
    assert Path(str(config["temp_directory"])) == tmp_path / "spill"


@pytest.mark.slow  # a million rows
def test_memory_of_the_attacks_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    part = people(20_000)
    methods = {"phone": '"drop"', "birth": '{ date = "month" }', "sex": '"keep"',
               "district": '"keep"', "income": '"keep"'}  # fmt: skip
    table = pa.concat_tables([pa.table({name: part[name] for name in methods})] * 50)
    pq.write_table(table, tmp_path / "people.parquet")
    policy = policy_for(methods)
    desensitize.run(tmp_path / "people.parquet", policy=policy, out=tmp_path / "out", attack=False)
    report = desensitize.attack(
        tmp_path / "people.parquet", tmp_path / "out", limits=LoadLimits(memory_bytes=600 << 20)
    )
    assert report.rows == 1_000_000
    assert report.of("linkage")[0].figure is not None
