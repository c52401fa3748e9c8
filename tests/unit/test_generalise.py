"""Hierarchies, classes by hand, and releases whose levels the models choose."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import desensitize
from desensitize.generalise.classes import broken, classes_at
from desensitize.generalise.lattice import search
from desensitize.generalise.levels import from_file, hierarchy
from desensitize.generalise.spread import Sensitive
from desensitize.masking.base import conclusion_of
from desensitize.policy import HierarchyRule, Models
from desensitize.sources import open_object
from protos.faults import InputError, PolicyError, TrustError
from tests.generalise_world import groups_of, hierarchies_of, policy_of

DATA = Path(
    os.environ.get("VEIL_PUBLIC_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
# Table 3 of Li, Li, Venkatasubramanian, "t-Closeness" (ICDE 2007): salaries in thousands, and the
# distances that the paper works out for two classes of it, 0.375 and 0.167.
SALARIES = [3, 4, 5, 6, 8, 11, 7, 9, 10]


def released(directory: Path) -> pd.DataFrame:
    frame: pd.DataFrame = duckdb.sql(f"FROM '{directory}/t.parquet'").df()
    return frame


def test_the_distances_of_the_t_closeness_paper() -> None:
    policy = policy_of({"class": '["value"]'}, ["salary"], "t = 0.9")
    table = {"class": ["a"] * 3 + ["b"] * 3 + ["c"] * 3, "salary": SALARIES}
    groups = groups_of(table, policy)
    classes = classes_at(groups, (0,))
    found = classes.spreads[0].distances()
    names = [groups.domains[0].labels[0][c] for c in groups.codes[0]]
    assert found[names.index("a")] == pytest.approx(0.375)
    other = {"class": [("a", "b")[s in (6, 8, 11)] for s in SALARIES], "salary": SALARIES}
    groups = groups_of(other, policy)
    found = classes_at(groups, (0,)).spreads[0].distances()
    names = [groups.domains[0].labels[0][c] for c in groups.codes[0]]
    assert found[names.index("b")] == pytest.approx(1 / 6, abs=1e-3)


def test_equal_distance_for_what_has_no_order() -> None:
    policy = policy_of({"class": '["value"]'}, ["illness"], "t = 0.9")
    groups = groups_of({"class": list("aabb"), "illness": list("xxxy")}, policy)
    [found] = classes_at(groups, (0,)).spreads
    assert found.distances() == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("values", [4, 30, 5000], ids=["few", "some", "nearly all differ"])
def test_cells_say_what_a_whole_matrix_says(values: int, ordered: bool) -> None:
    rng = np.random.default_rng(values)
    members, drawn = rng.integers(0, 40, 600), rng.integers(0, values, 600)
    codes = np.unique(drawn, return_inverse=True)[1]
    column = Sensitive("n", int(codes.max()) + 1, ordered, np.arange(600), codes, np.ones(600, int))
    sizes = np.bincount(members, minlength=40)
    found = column.over(members, sizes)
    matrix = np.zeros((40, column.values))
    np.add.at(matrix, (members, codes), 1)
    shares = matrix / sizes[:, None]
    assert found.distinct.tolist() == (matrix > 0).sum(1).tolist()
    logs = np.log(shares, where=shares > 0, out=np.zeros_like(shares))
    assert found.entropies == pytest.approx(-(shares * logs).sum(1))
    for kept in (np.ones(40, bool), np.arange(40) % 3 > 0):
        table = matrix[kept].sum(0)
        off = (shares - table / table.sum())[:, table > 0]
        far = np.abs(off.cumsum(1)).sum(1) / (off.shape[1] - 1)
        far = far if ordered else np.abs(off).sum(1) / 2
        assert found.distances(kept)[kept] == pytest.approx(far[kept], abs=1e-12)
        assert not found.distances(kept)[~kept].any()


def test_no_value_is_a_value_of_its_own() -> None:
    policy = policy_of({"class": '["value", "*"]'}, ["illness"], "l = 2")
    groups = groups_of({"class": ["a", "a", None, None], "illness": ["x", None, "x", "x"]}, policy)
    classes = classes_at(groups, (0,))
    assert sorted(classes.spreads[0].distinct) == [1, 2]
    assert sorted(broken(classes, Models(l=2))) == [False, True]
    assert classes_at(groups, (1,)).sizes.tolist() == [4]


def test_keys_of_many_columns_do_not_collide() -> None:
    """Their product is beyond 64 bits, so they are packed anew on the way."""
    names = [f"q{i}" for i in range(12)]
    rng = np.random.default_rng(2)
    table = {name: rng.permutation(300).tolist() for name in names}
    policy = policy_of(dict.fromkeys(names, '["value", "*"]'), models="k = 2")
    groups = groups_of(table, policy)
    assert classes_at(groups, (0,) * 12).sizes.tolist() == [1] * 300
    assert classes_at(groups, (*(1,) * 11, 0)).sizes.tolist() == [1] * 300
    assert classes_at(groups, (1,) * 12).sizes.tolist() == [300]


@pytest.mark.parametrize(
    ("levels", "values", "expected"),
    [
        (["month", "quarter", "year", "10y", "*"], ["1990-03-07", "1994-12-31", None],
         [["1990-03", "1994-12", None], ["1990-Q1", "1994-Q4", None], ["1990", "1994", None],
          ["1990–1999", "1990–1999", None], ["*", "*", "*"]]),
        (["5", "10", "*"], [-3, 0, 17],
         [["[-5,0)", "[0,5)", "[15,20)"], ["[-10,0)", "[0,10)", "[10,20)"], ["*"] * 3]),
        (["street", "district", "city", "province"],
         ["广东省广州市天河区体育西路103号", "深圳市南山区", "某处"],
         [["广东省广州市天河区体育西路", "广东省深圳市南山区", None],
          ["广东省广州市天河区", "广东省深圳市南山区", None],
          ["广东省广州市", "广东省深圳市", None], ["广东省", "广东省", None]]),
        (["value", "first3", "first1"], ["J06.9", "E11", ""],
         [["J06.9", "E11", None], ["J06", "E11", None], ["J", "E", None]]),
    ],
    ids=["dates", "numbers", "addresses", "codes"],
)  # fmt: skip
def test_built_in_levels(
    levels: list[str], values: list[object], expected: list[list[str | None]]
) -> None:
    policy = policy_of({"x": json.dumps(levels)})
    groups = groups_of({"x": values}, policy)
    domain = groups.domains[0]
    for level, labels in enumerate(expected):
        got = {domain.labels[level][c] for c in domain.codes[level]}
        assert got == set(labels), levels[level]


def test_a_level_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match="no level 'mnth'") as refused:
        hierarchy("born", HierarchyRule(("mnth",)), Path())
    assert "month" in refused.value.remedy


@pytest.mark.parametrize("levels", [["5", "7"], ["year", "month"], ["*", "value"]], ids=str)
def test_levels_that_are_no_hierarchy_are_refused(levels: list[str]) -> None:
    values = [1, 6, 8, 13] if levels[0] == "5" else ["1990-01-02", "1990-02-02", "1991-02-02"]
    with pytest.raises(InputError, match="no coarser level") as refused:
        groups_of({"x": values}, policy_of({"x": json.dumps(levels)}))
    assert refused.value.code == "hierarchy.order"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no values"),
        ("a;x;*\nb;x\n", "line 2: 2 fields, not 3"),
        ("a;x;*\na;y;*\n", "line 2: 'a' a second time"),
        ("a;x;1\nb;x;2\n", "line 2: 'x' becomes '2' here and '1' above"),
        ("a;x\x00\n" + ";".join("a" * 40), "fields"),
        ('a;"x', "no table"),
    ],
)
def test_hierarchy_files_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "h.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=said) as refused:
        from_file("x", path)
    assert refused.value.code == "hierarchy.file"


def test_a_hierarchy_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        from_file("x", tmp_path / "none.csv")
    (tmp_path / "gb.csv").write_bytes("男;人\n".encode("gb18030"))
    with pytest.raises(InputError, match="cannot be read") as refused:
        from_file("x", tmp_path / "gb.csv")
    assert "UTF-8" in refused.value.remedy


def test_leaves_are_those_of_the_file_not_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("\ufeffa,x,*\nb,x,*\nc,y,*\nd,y,*\ne,z,*\n", "utf-8")
    found = from_file("x", tmp_path / "h.csv")
    assert found.names == ("value", "1", "*")
    assert found.leaves[1] == {"x": 2, "y": 2, "z": 1}
    policy = parsed = policy_of({"x": '{ file = "h.csv" }'})
    policy = parsed.__class__(**{**vars(parsed), "folder": tmp_path})
    groups = groups_of({"x": list("aabbc")}, policy)
    loss = search(groups, Models(k=4, max_suppressed=0.2))
    assert loss.node == (1,)
    assert loss.losses[0] == pytest.approx((4 * 1 / 4 + 1) / 5)  # c is suppressed
    with pytest.raises(InputError, match="1 values of 'x' do not stand in its hierarchy file"):
        groups_of({"x": list("aq")}, policy)


def test_too_large_a_lattice_is_refused_before_anything_is_read() -> None:
    names = [f"q{i}" for i in range(8)]
    levels = json.dumps(["value", *(f"first{n}" for n in range(9, 0, -1)), "*"])
    policy = policy_of(dict.fromkeys(names, levels))
    with pytest.raises(InputError, match="214,358,881 combinations"):
        groups_of({name: ["a", "b"] for name in names}, policy)
    many = policy_of({f"q{i}": levels for i in range(300)})
    with pytest.raises(InputError, match=r"10\^312 combinations"):
        groups_of({f"q{i}": ["a", "b"] for i in range(300)}, many)


def test_an_empty_table_has_a_release(tmp_path: Path) -> None:
    policy = policy_of({"age": '["5", "*"]'}, ["wage"], "k = 5, l = 2, t = 0.3")
    table = pa.table({"age": pa.array([], pa.int64()), "wage": pa.array([], pa.int64())})
    facts = desensitize.run(table, policy=policy, out=tmp_path / "r")
    assert (facts.output.rows, facts.suppressed_rows) == (0, 0)


PEOPLE = {
    "age": [21, 22, 23, 41, 42, 43, 77],
    "town": ["440106"] * 3 + ["440305"] * 3 + ["440106"],
    "wage": [1, 2, 3, 4, 5, 6, 7],
}


def test_the_models_hold_of_what_is_written(tmp_path: Path) -> None:
    policy = policy_of(
        {"age": '["5", "10", "20", "*"]', "town": '["district", "city", "*"]'},
        ["wage"], "k = 3, l = 3, max_suppressed = 0.15",
    )  # fmt: skip
    out = tmp_path / "r"
    salt = tmp_path / "one.salt"
    facts = desensitize.run(pa.table(PEOPLE), policy=policy, out=out, salt=salt)
    frame = released(out)
    assert facts.levels == {"age": "5", "town": "district"}
    assert (facts.input.rows, facts.output.rows, facts.suppressed_rows) == (7, 6, 1)
    assert sorted(zip(frame["wage"], frame["age"], strict=True)) == [
        *((wage, "[20,25)") for wage in (1, 2, 3)), *((wage, "[40,45)") for wage in (4, 5, 6)),
    ]  # fmt: skip # the one of 77 is gone
    assert facts.figures["risk"]["k"] == 3
    assert facts.figures["smallest_class"] == 3
    again = desensitize.run(pa.table(PEOPLE), policy=policy, out=tmp_path / "again", salt=salt)
    assert again.output.sha256 == facts.output.sha256


def test_without_suppression_it_costs_more(tmp_path: Path) -> None:
    hierarchies = {"age": '["5", "10", "20", "*"]', "town": '["district", "city", "*"]'}
    policy = policy_of(hierarchies, ["wage"], "k = 3")
    facts = desensitize.run(pa.table(PEOPLE), policy=policy, out=tmp_path / "r")
    assert facts.suppressed_rows == 0
    assert facts.levels["age"] == "*"
    assert facts.figures["risk"]["k"] >= 3


def test_a_quasi_identifier_with_a_method_of_its_own_counts_too(tmp_path: Path) -> None:
    """Or it would single out people within classes that the other columns make."""
    policy = policy_of({"age": '["20", "*"]'}, (), "k = 3", "")
    text = policy.text.replace("[publish]", '[columns.sex]\nrole = "quasi"\n[publish]')
    text = text.replace("[publish.methods]", '[publish.methods]\nsex = "keep"')
    from desensitize.policy_file import parse_policy

    table = pa.table({"age": [21, 22, 23, 24, 25, 26, 41], "sex": list("fffmmmm")})
    facts = desensitize.run(table, policy=parse_policy(text), out=tmp_path / "r")
    assert facts.levels == {"age": "*"}
    assert facts.figures["risk"]["k"] == 3
    assert facts.figures["risk"]["quasi"] == ["age", "sex"]


def test_values_as_their_methods_leave_them_decide_about_l(tmp_path: Path) -> None:
    """Five wages that are rounded to one are one value to the reader."""
    text = policy_of({"age": '["10", "*"]'}, ["wage"], "l = 2").text.replace(
        '"wage" = "keep"', '"wage" = { round = 100 }'
    )
    from desensitize.policy_file import parse_policy

    table = pa.table({"age": [21, 22, 31, 32], "wage": [101, 99, 100, 501]})
    facts = desensitize.run(table, policy=parse_policy(text), out=tmp_path / "r")
    assert facts.levels == {"age": "*"}


def test_noise_on_a_quasi_identifier_is_refused_by_what_was_written(tmp_path: Path) -> None:
    text = policy_of({"age": '["10", "*"]'}, (), "k = 2").text
    text = text.replace(
        "[publish]",
        '[columns.hours]\ntype = "integer"\nrole = "quasi"\nbounds = [0, 1000000]\n[publish]',
    )
    text = text.replace("[publish.methods]", "[publish.methods]\nhours = { noise = 1e6 }")
    from desensitize.policy_file import parse_policy

    table = pa.table({"age": [21, 22, 23, 24], "hours": [1, 2, 3, 4]})
    with pytest.raises(PolicyError):
        desensitize.run(table, policy=parse_policy(text), out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_what_no_level_can_meet_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    policy = policy_of({"age": '["10", "*"]'}, ["wage"], "l = 9")
    with pytest.raises(PolicyError, match="7 of 7 rows would have to be left out") as refused:
        desensitize.run(pa.table(PEOPLE), policy=policy, out=tmp_path / "r")
    assert "max_suppressed" in refused.value.remedy
    assert not (tmp_path / "r").exists()


def test_a_file_is_released_like_a_table(tmp_path: Path) -> None:
    text = policy_of(
        {"age": '["5", "10", "20", "*"]', "town": '["district", "city", "*"]'},
        ["wage"], "k = 3, l = 3, max_suppressed = 0.15",
    ).text  # fmt: skip
    (tmp_path / "p.toml").write_text(text, "utf-8")
    pd.DataFrame(PEOPLE).to_csv(tmp_path / "people.csv", index=False)
    facts = desensitize.run(tmp_path / "people.csv", policy=tmp_path / "p.toml", out=tmp_path / "r")
    assert facts.levels == {"age": "5", "town": "district"}
    ages = released(tmp_path / "r")["age"].tolist()
    assert sorted(ages) == ["[20,25)"] * 3 + ["[40,45)"] * 3


def test_a_release_can_be_repeated_from_its_directory(tmp_path: Path) -> None:
    folder, out = tmp_path / "policy", tmp_path / "r"
    (folder / "levels").mkdir(parents=True)
    (folder / "levels" / "towns.csv").write_text("a;x;*\nb;x;*\nc;y;*\nd;y;*\n", "utf-8")
    text = policy_of({"town": '{ file = "levels/towns.csv" }'}, (), "k = 2").text
    (folder / "p.toml").write_text(text, "utf-8")
    (tmp_path / "t.csv").write_text("town\na\nb\nc\nd\n", "utf-8")
    made = desensitize.run(tmp_path / "t.csv", policy=folder / "p.toml", out=out)
    assert set(made.files) == {"levels/towns.csv"}
    [done] = made.columns[0].methods
    assert (
        done.concludes.en == "to which of 2 groups it belongs (level 1 of towns.csv, of 4 values)"
    )
    shutil.rmtree(folder)
    again = desensitize.run(
        tmp_path / "t.csv", policy=out / "policy.toml", out=tmp_path / "again",
        salt=tmp_path / "r.salt",
    )  # fmt: skip
    assert again.output.sha256 == made.output.sha256
    assert desensitize.gate(out, original=tmp_path / "t.csv").verdict.passed
    hierarchy_file = out / "levels" / "towns.csv"
    hierarchy_file.write_text("a;x;*\nb;y;*\nc;y;*\nd;y;*\n", "utf-8")
    with pytest.raises(TrustError, match="is not the file that the manifest speaks of"):
        desensitize.gate(out, original=tmp_path / "t.csv")
    hierarchy_file.unlink()
    with pytest.raises(TrustError, match=r"towns\.csv is missing"):
        desensitize.risk(out)


@pytest.mark.parametrize(
    ("file", "why", "instead"),
    [("/etc/passwd", "is an absolute path", "passwd"), ("../x.csv", "leads out of", "x.csv"),
     ("a/../../x.csv", "leads out of", "x.csv"), ("policy.toml", "another file", "levels.csv"),
     ("manifest.json", "another file", "levels.csv"), ("t.parquet", "another file", "levels.csv"),
     ("scratch/x.csv", "another file", "x.csv"), (".x.partial", "is hidden", "levels.csv"),
     ("a\\\\x.csv", "backslash", "levels.csv"), (".", "is no name", "levels.csv"),
     ("x\\u0000.csv", "cannot be printed", "levels.csv")],
)  # fmt: skip
def test_a_file_that_a_release_cannot_carry_is_refused(file: str, why: str, instead: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        policy_of({"town": f'{{ file = "{file}" }}'}, (), "k = 2")
    assert refused.value.code == "policy.file"
    assert f'write "{instead}"' in refused.value.remedy


def test_a_missing_hierarchy_file_ends_a_run_before_it_begins(tmp_path: Path) -> None:
    rules = policy_of({"town": '{ file = "towns.csv" }'}, (), "k = 2")
    with pytest.raises(InputError, match="cannot be read"):
        desensitize.run(pa.table({"town": ["a"]}), policy=rules, out=tmp_path / "r")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (["month", "quarter", "year", "5y", "10y", "week", "day"],
         ["the month, with the year", "the quarter, with the year", "the year",
          "which five years it is in", "which ten years it is in",
          "the week, and so the day within seven", "the day"]),
        (["district", "city", "province", "*"],
         ["the district or county, with its city and province", "the city, with its province",
          "the province", "nothing"]),
        (["value", "5", "first3", "first1"],
         ["the exact value", "in which band of 5 it lies", "its first 3 characters",
          "its first character"]),
    ],
)  # fmt: skip
def test_each_level_says_what_it_tells(levels: list[str], said: list[str]) -> None:
    found = hierarchy("x", HierarchyRule(tuple(levels)), Path())
    texts = [conclusion_of(method) for method in found.methods]
    assert [text.en for text in texts] == said
    assert len({text.zh for text in texts}) == len(levels)


@pytest.mark.skipif(not (DATA / "adult.csv").exists(), reason=f"no adult.csv in {DATA}")
@pytest.mark.parametrize(
    ("models", "node", "suppressed"),
    [("k = 5, max_suppressed = 0.05", (0, 3, 0, 0, 2, 1, 1, 2, 0), 1346)],
    ids=["ARX's optimum"],
)
def test_the_optimum_that_arx_finds_for_adult(
    tmp_path: Path, models: str, node: tuple[int, ...], suppressed: int
) -> None:
    frame = pd.read_csv(DATA / "adult.csv", sep=";", dtype=str)
    for name in frame.columns:
        shutil.copy(DATA / f"adult_hierarchy_{name}.csv", tmp_path / f"{name}.csv")
    files = {name: f'{{ file = "{name}.csv" }}' for name in frame.columns}
    parsed = policy_of(files, (), models)
    policy = parsed.__class__(**{**vars(parsed), "folder": tmp_path})
    source = open_object(frame)
    from desensitize.generalise.choose import read_combinations
    from desensitize.keys import TokenKeys

    with read_combinations(source, policy, TokenKeys(), hierarchies_of(policy)) as combinations:
        found = search(combinations, policy.models)
    assert (found.node, found.suppressed, found.nodes) == (node, suppressed, 12_960)
