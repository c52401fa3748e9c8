"""Synthetic rows: what a policy may say, what is spent, which noise there is, what comes out."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.attesting.signing import new_signing_key
from desensitize.budget import epsilon_for, rho_for
from desensitize.engines.synthesis_child import SynthesisTask
from desensitize.engines.synthesis_child import run as synthesise_child
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.releasing.facts import from_dict, read_release
from desensitize.sources import open_object
from desensitize.synthesis.mechanism import MOST_CELLS, candidates, measure
from desensitize.synthesis.noise import noisy_choice, noisy_counts
from desensitize.synthesis.spec import asked
from desensitize.synthesis.write import SYNTHETIC, write_synthetic
from protos.faults import InputError, PolicyError, UnavailableError
from tests.synthesis_world import DOMAINS, ArrayCounts, policy_of, table_of

Run = Callable[..., subprocess.CompletedProcess[str]]
VEIL = Path(sys.executable).with_name("veil")
DATA = Path(
    os.environ.get("VEIL_PUBLIC_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)


def made(table: Mapping[str, list[Any]] | pa.Table, policy: PublishPolicy, path: Path):
    """Synthesises a table in memory, without a release around it."""
    source = open_object(pa.table(table))
    try:
        return write_synthetic(source, policy, asked(policy.synthesis, None, None, None), path)
    finally:
        source.engine.close()


# ---- the policy --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "domains", "said"),
    [
        ("row_is_subject = true\nepsilon = 0", DOMAINS, "epsilon"),
        ("row_is_subject = true\nepsilon = -1.0", DOMAINS, "epsilon"),
        ("row_is_subject = true\nepsilon = 21.0", DOMAINS, "epsilon"),
        ("row_is_subject = true\ndelta = 0.0", DOMAINS, "delta"),
        ("row_is_subject = true\ndelta = 0.0001", DOMAINS, "delta"),
        ("row_is_subject = true\nrows = 0", DOMAINS, "rows"),
        ("row_is_subject = true\nseed = 7", DOMAINS, "seed is not a known key"),
        ("", DOMAINS, "whose rows are they"),
        ('subject = "who"\nrow_is_subject = true', DOMAINS, "whose rows are they"),
        ('subject = "who"', DOMAINS, "belong together"),
        ("row_is_subject = true\nmax_rows_per_subject = 2", DOMAINS, "belong together"),
        ('subject = "nobody"\nmax_rows_per_subject = 2', DOMAINS, "no column 'nobody'"),
        ("row_is_subject = true", "[publish.synthesis.domains]", "domains"),
        ("row_is_subject = true", "domains = { nix = 'codes' }", "no column 'nix'"),
        ("row_is_subject = true", "domains = { who = 'codes' }", "never synthesised"),
        ("row_is_subject = true", "domains = { note = 'codes' }", "never synthesised"),
        ("row_is_subject = true", "domains = { sex = 'all' }", "is no domain"),
        ("row_is_subject = true", "domains = { sex = { values = ['f'] } }", "is no domain"),
        ("row_is_subject = true", "domains = { sex = {} }", "is no domain"),
        ("row_is_subject = true", "domains = { age = 'codes' }", "no codes are declared"),
        ("row_is_subject = true", "domains = { sex = { band = 5 } }", "no bounds are declared"),
        ("row_is_subject = true", "domains = { sex = { date = 'month' } }", "no bounds"),
        ("row_is_subject = true", "domains = { day = { band = 5 } }", "no bounds are declared"),
        ("row_is_subject = true", "domains = { age = { band = 0 } }", "band"),
        ("row_is_subject = true", "domains = { age = { band = 0.5 } }", "edges must lie"),
        ("row_is_subject = true", "domains = { age = { band = [0, 9] } }", "edges must lie"),
        ("row_is_subject = true", "domains = { age = { band = [9, 100] } }", "edges must lie"),
        ("row_is_subject = true", "domains = { age = { band = [9, 5] } }", "must rise"),
        ("row_is_subject = true", "domains = { age = { band = 5, from = 1 } }", "not a known key"),
        ("row_is_subject = true", "domains = { day = { date = 'hour' } }", "date"),
        ("row_is_subject = true", "domains = { sex = { district = 'world' } }", "district"),
        ("row_is_subject = true", "domains = { sex = { file = 'x.csv' } }", "level"),
    ],
)  # fmt: skip
def test_a_policy_that_says_too_little_or_too_much_is_refused(
    section: str, domains: str, said: str
) -> None:
    with pytest.raises(InputError, match=said) as refused:
        policy_of(section, domains)
    assert refused.value.advice.zh


@pytest.mark.parametrize(
    "codes", ["[]", '["a", "a"]', '["a", " "]', "[1.5]", '["1", 1]', str(list(range(10_001)))]
)
def test_code_lists_that_are_none_are_refused(codes: str) -> None:
    with pytest.raises(InputError, match="codes"):
        parse_policy(
            f'dataset = "t"\n[columns.x]\ncodes = {codes}\n[publish.synthesis]\nepsilon = 1\n'
            'row_is_subject = true\ndomains = { x = "codes" }\n'
        )


def test_a_hundred_columns_share_a_budget_and_no_more() -> None:
    names = [f"c{i}" for i in range(101)]
    columns = "".join(f"[columns.{name}]\ncodes = [0, 1]\n" for name in names)
    domains = "".join(f'{name} = "codes"\n' for name in names)
    text = (
        f'dataset = "t"\n{columns}[publish.synthesis]\nepsilon = 1\nrow_is_subject = true\n'
        f"[publish.synthesis.domains]\n{domains}"
    )
    with pytest.raises(InputError, match="101 columns, and at most 100"):
        parse_policy(text)
    assert parse_policy(text.replace('c100 = "codes"\n', "")).synthesis


def test_a_run_may_spend_less_than_the_policy_and_never_more() -> None:
    rules = policy_of().synthesis
    assert asked(rules, 0.5, 1e-9, 7) == asked(asked(rules, 0.5, None, None), None, 1e-9, 7)
    assert asked(rules, None, None, None) == rules
    for wrong in ((1.1, None), (0.0, None), (-1.0, None), (math.nan, None), (None, 1e-5)):
        with pytest.raises(InputError, match="at most the policy's"):
            asked(rules, *wrong, None)
    with pytest.raises(InputError, match="rows must be"):
        asked(rules, None, None, 0)
    with pytest.raises(InputError, match=r"no \[publish.synthesis\]"):
        asked(None, None, None, None)


# ---- what is spent -----------------------------------------------------------------------------


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-6), (1.0, 1e-6), (8.0, 1e-9)])
def test_rho_is_the_one_that_the_paper_s_conversion_gives(epsilon: float, delta: float) -> None:
    """Canonne, Kamath and Steinke 2020, proposition 12, minimised over orders by hand."""
    rho = rho_for(epsilon, delta)
    assert epsilon_for(rho, delta) <= epsilon
    assert epsilon_for(rho * 1.0001, delta) > epsilon
    orders = 1.0 + np.logspace(-4, 4, 200_001)
    curve = rho * orders + np.log(1 / (orders * delta)) / (orders - 1) + np.log1p(-1 / orders)
    assert curve.min() == pytest.approx(epsilon, rel=1e-4)


def test_the_budget_in_three_parts_worked_out_by_hand() -> None:
    """Three columns, rho 0.3: 0.1 for columns, choice, pairs; Δ = 2 rows of one subject.

    A column has 0.1 / 3, so σ = 2 / √(2 · 0.1 / 3) = 7.746; the two pairs have 0.05 each, so
    σ = 2 / √0.1 = 6.325.
    """
    cells = np.repeat([0, 1], 5000)
    counts = ArrayCounts((cells, cells, cells), (3, 3, 3))
    found = measure(counts, 0.3, 2)
    assert [each.sigma for each in found.ones] == pytest.approx([7.746] * 3, abs=1e-3)
    assert [each.sigma for each in found.pairs] == pytest.approx([6.325] * 2, abs=1e-3)
    assert found.spent == pytest.approx({"columns": 0.1, "choice": 0.1, "pairs": 0.1})
    assert sum(found.spent.values()) <= 0.3
    alone = measure(ArrayCounts((cells,), (3,)), 0.3, 2)
    assert alone.spent == pytest.approx({"columns": 0.3, "choice": 0, "pairs": 0})
    assert alone.ones[0].sigma == pytest.approx(2 / math.sqrt(0.6), abs=1e-3)


@pytest.mark.parametrize("rows", [1, 7])
def test_noise_grows_with_the_rows_of_one_subject(rows: int) -> None:
    """σ = Δ/√(2ρ): the spread of 4,000 cells is within five standard errors of it."""
    drawn = noisy_counts([100] * 4000, 0.02, rows)
    assert drawn.rho == pytest.approx(0.02)
    off = np.array(drawn.counts) - 100
    sigma = rows / math.sqrt(0.04)
    assert drawn.sigma == pytest.approx(sigma)
    assert abs(off.std() / sigma - 1) < 5 / math.sqrt(2 * 4000)
    assert abs(off.mean()) < 5 * sigma / math.sqrt(4000)


@pytest.mark.parametrize("rows", [1, 6])
def test_every_marginal_has_the_noise_that_it_says(rows: int) -> None:
    """Columns of 500 cells and pairs of 2,500, nearly all of them empty."""
    cells = np.repeat([0, 1], 50_000)
    found = measure(ArrayCounts((cells, cells, cells), (500, 5, 500)), 0.3, rows)
    assert {each.columns for each in found.pairs} == {(0, 1), (1, 2)}
    for each in (found.ones[0], found.ones[2], *found.pairs):
        empty = each.counts.ravel()[each.counts.size // 2 :]
        assert abs(empty.std() / each.sigma - 1) < 5 / math.sqrt(2 * empty.size), each.columns


@pytest.mark.parametrize("rows", [1, 3])
def test_the_choice_is_the_exponential_mechanism(rows: int) -> None:
    """Odds of two scores that differ by d: exp(ε d / 2Δ), where rho = ε²/8."""
    rho = 0.125  # ε = 1
    difference = 2 * rows
    chosen = [noisy_choice([10, 10 + difference], rho, rows) for _ in range(1500)]
    assert chosen[0][1] == pytest.approx(rho)
    share = sum(place for place, _ in chosen) / len(chosen)
    exact = math.e / (1 + math.e)
    assert abs(share - exact) < 5 * math.sqrt(exact * (1 - exact) / len(chosen))


def test_the_tree_is_the_one_that_hangs_together_and_noise_alone_makes_none() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.integers(0, 4, 20_000), rng.integers(0, 4, 20_000)
    counts = ArrayCounts((one, two, one, two), (5, 5, 5, 5))
    found = measure(counts, 0.1, 1)
    assert {(0, 2), (1, 3)} <= {each.columns for each in found.pairs}
    few = ArrayCounts(tuple(each[:50] for each in counts.cells), counts.sizes)
    # Fifty rows under so much noise: "no further pair" wins, and no pair brings noise along.
    assert sum(len(measure(few, 1e-5, 1).pairs) for _ in range(20)) < 20


def test_pairs_that_are_too_large_are_left_out_by_their_domains_alone() -> None:
    sizes = (300, 200, 400)
    assert [sizes[i] * sizes[j] <= MOST_CELLS for i, j in candidates(sizes)] == [True]
    assert candidates(sizes) == [(0, 1)]


def test_an_epsilon_beyond_all_sense_is_refused() -> None:
    with pytest.raises(InputError, match="nothing but noise"):
        noisy_counts([1], 1e-40, 1)


# ---- what comes out ----------------------------------------------------------------------------


def test_a_synthetic_release_of_a_csv_file(tmp_path: Path, run: Run) -> None:
    """The whole way, through the command: files, manifest, metadata, and what is on the screen."""
    table = pa.table(table_of(3000))
    pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    policy, out = tmp_path / "p.toml", tmp_path / "out"
    signer = new_signing_key(tmp_path / "key.pem")
    policy.write_text(policy_of('subject = "who"\nmax_rows_per_subject = 1').text, "utf-8")
    said = run(
        VEIL, "desensitize", "synthesise", tmp_path / "t.csv", "--policy", policy, "--out", out,
        "--epsilon", "0.9", "--rows", "1234", "--signing-key", tmp_path / "key.pem",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert f"Signed {out / 'attestation.json'}" in said.stdout
    assert desensitize.verify(out / "attestation.json", signer=signer).valid
    public, private = said.stdout.split("For you alone")
    for words in ("no row is a person's", "epsilon 0.9, delta 1e-06", "1,234 synthetic rows",
                  "first 1 rows of each 'who'", "Not synthesised: 'who', 'note'"):  # fmt: skip
        assert words in public
    assert "3,000 rows were read" in private
    assert "3,000" not in public
    assert sorted(path.name for path in out.iterdir()) == [
        "attestation.json", "manifest.json", "policy.toml", "t.synthetic.parquet",
    ]  # fmt: skip
    release = read_release(out)
    assert from_dict(json.loads(json.dumps(release.to_dict()))) == release
    facts = release.synthesis
    assert facts is not None
    assert (facts.epsilon, facts.subject, facts.max_rows_per_subject) == (0.9, "who", 1)
    assert facts.rho == pytest.approx(rho_for(0.9, 1e-6))
    assert sum(facts.spent.values()) <= facts.rho
    assert [m.columns for m in facts.marginals[:3]] == [("sex",), ("age",), ("day",)]
    assert ("sex", "age") in {m.columns for m in facts.marginals}
    assert facts.domains["age"] == {
        "band": "10", "bounds": ["0", "99"], "values": 10, "nullable": True,
    }  # fmt: skip
    assert release.output.rows == 1234
    assert (release.repeatable, release.dropped) == (False, ("who", "note"))
    rows = pq.read_table(out / "t.synthetic.parquet")
    assert rows.schema.metadata[SYNTHETIC.encode()] == b"true"
    assert "合成数据" in rows.schema.metadata[b"veil.claim.zh"].decode()
    assert rows.schema.field("age").type == pa.int64()
    assert rows.schema.field("day").type == pa.date32()
    # Men are sixty and women below forty: what hangs together still does.
    frame = rows.to_pandas().dropna()
    men = frame[frame.sex == "m"].age
    assert men.between(60, 69).mean() > 0.8
    assert (frame[frame.sex == "f"].age < 40).mean() > 0.8


@pytest.mark.parametrize(
    "rows",
    [
        {"who": [], "sex": [], "age": [], "day": [], "note": []},
        {name: values[:1] for name, values in table_of(1).items()},
        {name: [None] * 40 for name in table_of(0)},
        {name: [values[0]] * 40 for name, values in table_of(1).items()},
        {name: ["?"] * 40 for name in table_of(0)},
    ],
    ids=["no rows", "one row", "all NULL", "one value", "nothing of the domain"],
)
def test_odd_tables_look_like_any_other(rows: dict[str, list], tmp_path: Path) -> None:
    """Refusing an empty table, or another schema for it, would tell that it is empty."""
    columns = {name: pa.array(values, pa.string()) if not any(values) else pa.array(values)
               for name, values in rows.items()}  # fmt: skip
    path = tmp_path / "s.parquet"
    found = made(columns, policy_of(), path)
    usual = made(table_of(500), policy_of(), tmp_path / "usual.parquet")
    assert pq.read_schema(path).equals(
        pq.read_schema(tmp_path / "usual.parquet"), check_metadata=True
    )
    assert found.rows >= 1
    assert found.facts.domains == usual.facts.domains
    assert found.stored == usual.stored
    assert found.steward.rows_in == len(rows["sex"])


def test_values_of_every_kind_of_domain_are_numbered_and_drawn_within_it(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("cook;food;*\nbaker;food;*\npilot;air;*\n", "utf-8")
    policy = parse_policy(
        """dataset = "t"
[columns.flag]
type = "boolean"
nullable = false
[columns.code]
codes = [1, 2, 30]
[columns.money]
type = "decimal"
decimals = 1
bounds = [-10, 100]
[columns.born]
type = "date"
bounds = [1999-12-30, 2001-01-02]
[columns.place]
[columns.job]
[publish.synthesis]
epsilon = 20
row_is_subject = true
[publish.synthesis.domains]
flag = "codes"
code = "codes"
money = { band = [0, 0.5, 50] }
born = { date = "year" }
place = { district = "province" }
job = { file = "jobs.csv", level = 1 }
""",
        folder=tmp_path,
    )
    n = 900
    table = {
        "flag": ["是", "no", "1", "maybe"] * (n // 4),
        "code": ["1", "30", "7"] * (n // 3),
        "money": [-10, 0.25, 100] * (n // 3),
        "born": ["1999/12/31", "2000年5月1日", "2001-01-02"] * (n // 3),
        "place": ["广州市天河区", "110105", "nowhere"] * (n // 3),
        "job": ["cook", "pilot", "thief"] * (n // 3),
    }
    found = made(table, policy, tmp_path / "s.parquet")
    frame = pq.read_table(tmp_path / "s.parquet").to_pandas()
    third = pytest.approx(1 / 3, abs=0.08)
    # Never empty, as the policy says, whatever stands in the rows.
    assert not frame.flag.isna().any()
    assert frame.flag.mean() == pytest.approx(2 / 3, abs=0.08)
    assert [(frame.code == code).mean() for code in (1, 30)] == [third, third]
    assert frame.code.isna().mean() == third
    assert [(frame.money.between(*ends)).mean() for ends in ((-10, 0), (0.01, 0.5), (50, 100))] == [
        third, third, third,
    ]  # fmt: skip
    assert (frame.money.dropna() * 10 % 1).abs().max() == pytest.approx(0, abs=1e-9)
    years = [str(day)[:4] for day in frame.born.dropna()]
    assert [years.count(y) / len(frame) for y in ("1999", "2000", "2001")] == [third] * 3
    assert min(map(str, frame.born.dropna())) >= "1999-12-30"
    assert max(map(str, frame.born.dropna())) <= "2001-01-02"
    assert [(frame.place == name).mean() for name in ("广东省", "北京市")] == [third, third]
    assert [(frame.job == name).mean() for name in ("food", "air")] == [third, third]
    assert found.steward.outside == {"flag": 225, "code": 300, "place": 300, "job": 300}
    assert found.facts.domains["money"]["values"] == 4
    assert found.facts.domains["job"] == {"file": "jobs.csv", "level": 1, "values": 2, "nullable": True}  # noqa: E501  # fmt: skip
    assert found.steward.one_way < 0.1


@pytest.mark.parametrize(
    ("kind", "low", "high", "width", "bands", "last"),
    [
        ("integer", 17, 90, 1, 74, [90, 90]),  # every age its own
        ("integer", 0, 119, 10, 12, [110, 119]),
        ("integer", 5, 23, 10, 3, [20, 23]),  # at multiples, cut at the bounds
        ("decimal", 0, 120, 10, 12, [110, 120]),  # the upper end belongs to the last
        ("decimal", -1, 1, 0.5, 4, [0.5, 1]),
    ],
)
def test_bands_begin_at_multiples_and_end_at_the_bounds(
    kind: str, low: int, high: int, width: float, bands: int, last: list[float], tmp_path: Path
) -> None:
    policy = parse_policy(
        f'dataset = "t"\n[columns.x]\ntype = "{kind}"\nbounds = [{low}, {high}]\n'
        "nullable = false\n[publish.synthesis]\nepsilon = 20\nrow_is_subject = true\nrows = 500\n"
        f"domains = {{ x = {{ band = {width} }} }}\n"
    )
    found = made({"x": [high] * 2000}, policy, tmp_path / "s.parquet")
    assert found.facts.domains["x"]["values"] == bands
    drawn = pq.read_table(tmp_path / "s.parquet").column("x").to_numpy()
    assert np.mean((drawn >= last[0]) & (drawn <= last[1])) > 0.95
    assert low <= drawn.min()
    assert drawn.max() <= high
    assert found.steward.outside == {}


def test_a_file_without_rows_gives_rows_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the child reads it, but in this process, which is quicker."""
    (tmp_path / "t.csv").write_text("who,sex,age,day,note\n", "utf-8")
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    task = SynthesisTask(
        str(tmp_path / "t.csv"), "", 1 << 31, 1 << 40, 1 << 20, 2,
        policy_of().text, str(tmp_path), None, None, 10, str(tmp_path / "s.parquet"),
    )  # fmt: skip
    assert synthesise_child(task).rows == 10
    assert pq.read_table(tmp_path / "s.parquet").num_rows == 10


def test_what_is_refused_before_anything_is_counted(tmp_path: Path) -> None:
    table, out = pa.table(table_of(20)), tmp_path / "out"
    with pytest.raises(InputError, match="no column 'day'"):
        desensitize.synthesise(table.drop_columns("day"), policy=policy_of(), out=out)
    with pytest.raises(InputError, match="for files"):
        desensitize.synthesise(table, policy=policy_of(), out=out, sheet="1")
    with pytest.raises(InputError, match="cannot be scanned"):
        desensitize.synthesise(7, policy=policy_of(), out=out)
    with pytest.raises(InputError, match="is no file"):
        desensitize.synthesise(tmp_path / "none.csv", policy=policy_of(), out=out)
    bad = policy_of("row_is_subject = true", 'domains = { sex = { file = "none.csv", level = 1 } }')
    with pytest.raises(InputError, match="cannot be read"):
        desensitize.synthesise(table, policy=bad, out=out)
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    with pytest.raises(InputError, match="exists already"):
        desensitize.synthesise(table, policy=policy_of(), out=out)
    strict = parse_policy(
        policy_of().text.replace(
            "[publish.synthesis]", '[publish]\nunknown_column = "refuse"\n[publish.synthesis]', 1
        )
    )
    with pytest.raises(InputError, match="says nothing about 'more'"):
        more = table.append_column("more", pa.array(["x"] * 20))
        desensitize.synthesise(more, policy=strict, out=tmp_path / "other")


def test_a_policy_whose_codes_are_people_s_numbers_publishes_nothing(tmp_path: Path) -> None:
    text = policy_of().text.replace('["f", "m"]', '["11010519491231002X", "m"]')
    table = pa.table(table_of(200)).set_column(1, "sex", pa.array(["11010519491231002X"] * 200))
    with pytest.raises(PolicyError, match="still holds"):
        desensitize.synthesise(table, policy=parse_policy(text), out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_policy_whose_header_is_a_person_s_number_publishes_nothing(tmp_path: Path) -> None:
    """Also of a column that is not synthesised: the policy is published with the rows."""
    text = policy_of().text + '\n[columns."11010519491231002X"]\n'
    table = pa.table(table_of(20))
    with pytest.raises(PolicyError, match=r"column \d+ \(resident id") as caught:
        desensitize.synthesise(table, policy=parse_policy(text), out=tmp_path / "out")
    assert caught.value.code == "release.header"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(UnavailableError, match="No space left"):
        desensitize.synthesise(pa.table(table_of(50)), policy=policy_of(), out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


# ---- real data ---------------------------------------------------------------------------------


@pytest.mark.skipif(not (DATA / "adult.csv").is_file(), reason=f"no adult.csv in {DATA}")
def test_adult_is_closer_than_independent_columns_are(tmp_path: Path) -> None:
    options = pyarrow.csv.ParseOptions(delimiter=";")
    data = pyarrow.csv.read_csv(DATA / "adult.csv", parse_options=options)
    names = [name for name in data.column_names if name != "age"]
    columns = "".join(f'[columns."{name}"]\nnullable = false\n' for name in names)
    files = "".join(
        f'"{name}" = {{ file = "adult_hierarchy_{name}.csv", level = 0 }}\n' for name in names
    )
    policy = parse_policy(
        f'dataset = "adult"\n{columns}[columns.age]\ntype = "integer"\nbounds = [17, 90]\n'
        "nullable = false\n[publish.synthesis]\nepsilon = 1.0\nrow_is_subject = true\n"
        f"[publish.synthesis.domains]\n{files}age = {{ band = 5 }}\n",
        folder=DATA,
    )
    found = made(data, policy, tmp_path / "a.parquet")
    assert found.rows == pytest.approx(30_162, rel=0.02)
    assert found.steward.one_way < 0.03
    assert found.steward.two_way is not None
    chosen = {frozenset(m.columns) for m in found.facts.marginals if len(m.columns) == 2}
    assert frozenset({"marital-status", "salary-class"}) in chosen
    exact, drawn = (
        table.to_pandas().groupby("marital-status")["salary-class"].value_counts(normalize=True)
        for table in (data, pq.read_table(tmp_path / "a.parquet"))
    )
    married = ("Married-civ-spouse", ">50K")
    overall = (data.column("salary-class").to_pandas() == ">50K").mean()
    assert exact[married] > overall + 0.15  # what independent columns would lose
    assert drawn[married] == pytest.approx(exact[married], abs=0.05)


@pytest.mark.skipif(
    not (DATA / "uci_credit_card.csv").is_file(), reason=f"no uci_credit_card.csv in {DATA}"
)
def test_credit_cards_keep_who_defaults(tmp_path: Path) -> None:
    with (DATA / "uci_credit_card.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    late, default = "PAY_0", "default.payment.next.month"
    numbers = {"LIMIT_BAL": (0, 1_000_000, 50_000), "AGE": (18, 100, 10)}
    lists = {"SEX": 3, "EDUCATION": 7, "MARRIAGE": 4, late: 9, default: 2}
    columns = "".join(
        f'[columns."{name}"]\ntype = "integer"\nbounds = [{low}, {high}]\n'
        for name, (low, high, _) in numbers.items()
    ) + "".join(
        f'[columns."{name}"]\ntype = "integer"\ncodes = {list(range(-2 * (name == late), most))}\n'
        for name, most in lists.items()
    )
    domains = "".join(f'"{n}" = {{ band = {width} }}\n' for n, (_, _, width) in numbers.items())
    domains += "".join(f'"{name}" = "codes"\n' for name in lists)
    policy = parse_policy(
        f'dataset = "cards"\n[columns.ID]\nrole = "direct"\n{columns}[publish.synthesis]\n'
        'epsilon = 1.0\nsubject = "ID"\nmax_rows_per_subject = 1\n'
        f"[publish.synthesis.domains]\n{domains}"
    )
    table = {name: [row[name] for row in rows] for name in ("ID", *numbers, *lists)}
    found = made(table, policy, tmp_path / "c.parquet")
    frame = pq.read_table(tmp_path / "c.parquet").to_pandas()
    assert found.steward.outside == {}
    rates = [frame[frame[late] == value][default].mean() for value in (0, 2)]
    truth = [
        np.mean([row[default] == "1" for row in rows if row[late] == value]) for value in ("0", "2")
    ]
    assert rates == pytest.approx(truth, abs=0.06)
    assert truth[1] - truth[0] > 0.5
