"""What a reader of a release can do to the people in it, and what the models keep him from."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.generalise import search
from desensitize.generalise.groups import Domain, Groups, Sensitive
from desensitize.policy import Models, PublishPolicy
from desensitize.policy_file import parse_policy
from protos.faults import InputError, PolicyError, TrustError
from protos.language import Text

# Machanavajjhala et al., "l-diversity" (ICDE 2006), figure 2: the 4-anonymous inpatient table.
INPATIENTS = pd.DataFrame(
    [("130**", "<30", d) for d in ("heart", "heart", "viral", "viral")]
    + [("1485*", ">=40", d) for d in ("cancer", "heart", "viral", "viral")]
    + [("130**", "3*", "cancer")] * 4,
    columns=["zip", "age", "condition"],
)


def policy(
    models: str, *, levels: str = '["value", "*"]', methods: str = '"keep"'
) -> PublishPolicy:
    return parse_policy(
        f"""dataset = "d"
[columns.q]
role = "quasi"
[columns.s]
role = "sensitive"
[publish]
models = {models}
methods = {{ s = {methods} }}
hierarchies = {{ q = {levels} }}
"""
    )


def test_four_alike_who_have_the_same_are_no_secret() -> None:
    """The homogeneity attack: k = 4 holds, and Bob's cancer is known all the same."""
    report = desensitize.risk(INPATIENTS, ["zip", "age"], ["condition"])
    assert (report.k, report.classes) == (4, 3)
    [condition] = report.sensitive
    assert (condition.l, condition.homogeneous_rows) == (1, 4)
    assert condition.entropy_l == pytest.approx(1)
    assert any("4 rows" in sentence.en for sentence in report.sentences())


SPELT = ["HIV", "hiv", "Ｈｉｖ ", "H.I.V.", "hiv", "HIV"]
GROUPED = ["12,000", "12000", "12 000", "１２０００", "12，000", "12'000"]


def test_one_sum_in_six_spellings_is_no_diversity() -> None:
    people = pd.DataFrame({"q": list("aaaaaabbbbbb"), "s": GROUPED + ["5", "6", "7"] * 2})
    [income] = desensitize.risk(people, ["q"], ["s"]).sensitive
    assert (income.l, income.homogeneous_rows) == (1, 6)


def test_one_illness_in_six_spellings_is_no_diversity(tmp_path: Path) -> None:
    """The homogeneity attack on values that differ in case, width, blanks and points only."""
    people = pd.DataFrame({"q": list("aaaaaabbbbbb"), "s": SPELT + ["flu", "cold", "HIV+"] * 2})
    report = desensitize.risk(people, ["q"], ["s"])
    [illness] = report.sensitive
    assert (illness.l, illness.homogeneous_rows) == (1, 6)
    assert illness.entropy_l == pytest.approx(1)
    for model in ("l = 2", "entropy_l = 1.5"):
        made = desensitize.run(
            people, policy=policy(f"{{ k = 6, {model}, max_suppressed = 0.5 }}"),
            out=tmp_path / model[0],
        )  # fmt: skip
        assert made.suppressed_rows == 6 or made.levels == {"q": "*"}
        assert made.figures["risk"]["sensitive"][0]["l"] >= 2
    # What is published stays as it was written.
    written = set(pq.read_table(tmp_path / "l" / "d.parquet")["s"].to_pylist())
    assert written <= {*people["s"]}


def test_words_that_the_policy_says_mean_the_same_are_no_diversity(tmp_path: Path) -> None:
    ill = ["HIV", "艾滋病", "hiv", "艾 滋病", "AIDS", "HIV"]
    people = pd.DataFrame({"q": list("aaaaaabbbbbb"), "s": ill + ["flu", "cold", "HIV+"] * 2})
    believed = policy("{ k = 6, l = 2, max_suppressed = 0.5 }")
    assert desensitize.run(people, policy=believed, out=tmp_path / "b").levels == {"q": "value"}
    words = 'role = "sensitive"\nsame = [["HIV", "艾滋病", "Aids"], ["flu", "流感"]]'
    rules = parse_policy(believed.text.replace('role = "sensitive"', words))
    made = desensitize.run(people, policy=rules, out=tmp_path / "m")
    assert made.suppressed_rows == 6 or made.levels == {"q": "*"}
    [told] = made.figures["risk"]["sensitive"]
    assert told["l"] >= 2
    assert desensitize.risk(tmp_path / "m").to_dict()["sensitive"] == [told]
    gated = desensitize.gate(tmp_path / "m", original=people)
    assert gated.verdict.passed
    # What is published stays as it was written; and whoever measures without the policy is told.
    assert set(pq.read_table(tmp_path / "m" / "d.parquet")["s"].to_pylist()) <= {*people["s"]}
    [report] = [each for each in desensitize.alternatives(people, policy=rules) if each.k == 6]
    assert report.suppressed == 0.5 or report.levels == {"q": "*"}


def test_a_plan_asks_for_words_that_mean_the_same() -> None:
    told = desensitize.plan(pd.DataFrame({"诊断": ["HIV", "flu"] * 20, "收入": [1, 2] * 20}))
    assert told.count('same = [["HIV", "艾滋病"]]') == 1


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ('role = "quasi"\nsame = [["a", "b"]]', "of a sensitive column"),
        (
            'role = "sensitive"\ntype = "integer"\nsame = [["1", "2"]]',
            "of a sensitive column",
        ),
        ('role = "sensitive"\nsame = [["a", "b"], ["B.", "c"]]', "in two groups"),
        ('role = "sensitive"\nsame = [["a", " "]]', "empty"),
        ('role = "sensitive"\nsame = [["a"]]', "same"),
    ],
)
def test_meanings_that_cannot_be_counted_are_refused(said: str, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        parse_policy(policy("{ l = 2 }").text.replace('role = "sensitive"', said))


def test_meanings_of_numbers_are_refused_where_they_are_met(tmp_path: Path) -> None:
    words = 'role = "sensitive"\nsame = [["1", "2"]]'
    for number, models in enumerate(("{ l = 2 }", "{ k = 2 }")):
        rules = parse_policy(policy(models).text.replace('role = "sensitive"', words))
        with pytest.raises(InputError, match="same is about texts"):
            desensitize.run(
                pd.DataFrame({"q": ["a"] * 4, "s": [1, 2, 1, 2]}), policy=rules,
                out=tmp_path / str(number),
            )  # fmt: skip


def test_a_zero_with_a_sign_does_not_stand_out(tmp_path: Path) -> None:
    """-0.0 counts as 0.0 for the engine and not for a reader: one row of 31 would be alone."""
    table = pa.table({"x": [-0.3] + [0.3] * 30, "y": [-0.0] + [0.0] * 30})
    text = """dataset = "d"
[columns.x]
role = "quasi"
[columns.y]
role = "quasi"
[publish]
methods = { x = { round = 1 }, y = "keep" }
models = { k = 20 }
"""
    desensitize.run(table, policy=parse_policy(text), out=tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "d.parquet")
    assert {str(x) for name in ("x", "y") for x in rows[name].to_pylist()} == {"0.0"}


def test_l_keeps_everybody_alike_from_having_the_same(tmp_path: Path) -> None:
    people = pd.DataFrame({"q": list("aaaabbbb"), "s": list("xxxxxyxy")})
    desensitize.run(people, policy=policy("{ k = 4 }"), out=tmp_path / "k")
    release = desensitize.run(people, policy=policy("{ k = 4, l = 2 }"), out=tmp_path / "l")
    assert sorted(pq.read_table(tmp_path / "k" / "d.parquet")["q"].to_pylist()) == list("aaaabbbb")
    assert set(pq.read_table(tmp_path / "l" / "d.parquet")["q"].to_pylist()) == {"*"}
    assert release.levels == {"q": "*"}


def test_salaries_that_differ_but_are_all_low_are_told_by_t() -> None:
    """The similarity attack: Li et al., "t-closeness" (ICDE 2007), table 3 and section 4.2."""
    # Salaries of 3k to 11k.
    salaries = [3, 4, 5, 6, 11, 8, 7, 9, 10]
    people = pd.DataFrame({"q": list("aaabbbccc"), "s": salaries})
    report = desensitize.risk(people, ["q"], ["s"])
    [salary] = report.sensitive
    assert salary.l == 3
    assert salary.t == pytest.approx(0.375)  # of {3k, 4k, 5k}; that of {6k, 8k, 11k} is 0.167
    others = desensitize.risk(people[people["q"] != "a"].assign(q="b"), ["q"], ["s"])
    assert others.sensitive[0].t == pytest.approx(0, abs=1e-12)


def test_an_empty_cell_hides_nobody() -> None:
    people = pd.DataFrame({"q": ["a", "a", None], "s": ["x", "y", "z"]})
    report = desensitize.risk(people, ["q"], ["s"])
    assert (report.k, report.unique_rows) == (1, 1)


def test_noise_does_not_count_as_being_alike(tmp_path: Path) -> None:
    """A quasi-identifier that is drawn anew is measured as it was written, and refuses."""
    rules = parse_policy(
        """dataset = "d"
[columns.age]
role = "quasi"
bounds = [0, 100]
[columns.q]
role = "quasi"
[publish]
models = { k = 2 }
methods = { age = { noise = 5 } }
hierarchies = { q = ["value", "*"] }
"""
    )
    people = pd.DataFrame({"age": [30] * 8, "q": list("aaaabbbb")})
    with pytest.raises(PolicyError) as refused:
        desensitize.run(people, policy=rules, out=tmp_path / "o")
    assert refused.value.code in {"release.models", "lattice.impossible"}
    assert not (tmp_path / "o").exists()


def test_rows_left_out_do_not_make_the_others_stand_out(tmp_path: Path) -> None:
    """Leaving a class out changes the table that t compares with; the search knows that.

    Of the table as it was, both classes that are left were within 0.3; of what is left, one is not.
    """
    rows = [("a", x) for x in (1, 9) * 5] + [("b", 1)] * 20 + [("c", 9)] * 5
    people = pd.DataFrame(rows, columns=["q", "s"])
    release = desensitize.run(
        people, policy=policy("{ k = 2, t = 0.3, max_suppressed = 0.2 }"), out=tmp_path / "o"
    )
    assert release.levels == {"q": "*"}
    assert release.figures["risk"]["sensitive"][0]["t"] <= 0.3


@pytest.mark.parametrize(
    ("role", "models", "said"),
    [
        ("other", "{ l = 2 }", "none is published"),
        ("other", "{ k = 2, t = 0.1 }", "none is published"),
        ("quasi", "{ k = 2, l = 2 }", "none is published"),
    ],
)
def test_models_with_nothing_to_hold_of_are_no_promise(role: str, models: str, said: str) -> None:
    text = policy("{ k = 2 }").text.replace('"sensitive"', f'"{role}"')
    parse_policy(text)
    with pytest.raises(InputError, match=said) as refused:
        parse_policy(text.replace("{ k = 2 }", models))
    assert refused.value.code == "policy.models"


def test_k_of_no_column_is_no_promise() -> None:
    published = '[publish]\nmodels = { k = 5 }\nmethods = { s = "keep" }'
    with pytest.raises(InputError, match="no quasi-identifier is published"):
        parse_policy(f'dataset = "d"\n[columns.s]\n{published}')


def test_a_column_with_levels_counts_whatever_it_is_called(tmp_path: Path) -> None:
    text = policy("{ k = 2 }").text.replace('"quasi"', '"other"')
    people = pd.DataFrame({"q": list("aab"), "s": list("xyz")})
    release = desensitize.run(people, policy=parse_policy(text), out=tmp_path / "o")
    assert release.levels == {"q": "*"}
    assert release.figures["risk"]["quasi"] == ["q"]
    assert release.figures["risk"]["k"] == 3


def test_figures_carry_no_value_of_the_table() -> None:
    people = pd.DataFrame({"q": ["SECRET-Q"] * 3, "s": ["SECRET-S", "SECRET-S", "other"]})
    report = desensitize.risk(people, ["q"], ["s"])
    said = json.dumps(report.to_dict()) + "".join(str(each) for each in report.sentences())
    assert "SECRET" not in said


def test_who_is_certainly_in_the_table_is_told(tmp_path: Path) -> None:
    """δ-presence: two of two like this are in it, one of four like that."""
    table, everybody = tmp_path / "table.csv", tmp_path / "everybody.csv"
    table.write_text("q\na\na\nb\n", "utf-8")
    everybody.write_text("q\na\na\nb\nb\nb\nb\nc\n", "utf-8")
    report = desensitize.risk(table, ["q"], population=everybody)
    assert report.presence is not None
    assert (report.presence.least, report.presence.most) == (0.25, 1.0)
    assert report.journalist == 0.5
    assert (report.presence.population, report.presence.outside) == (7, 0)


def test_one_value_that_nearly_all_have_is_no_diversity(tmp_path: Path) -> None:
    """Distinct l = 2 holds of nine who are ill and one who is not; entropy l does not."""
    people = pd.DataFrame({"q": ["a"] * 10 + ["b"] * 10, "s": list("x" * 9 + "y" + "y" * 9 + "x")})
    kept = desensitize.run(people, policy=policy("{ l = 2 }"), out=tmp_path / "l")
    assert kept.levels == {"q": "value"}
    merged = desensitize.run(people, policy=policy("{ entropy_l = 2 }"), out=tmp_path / "e")
    assert merged.levels == {"q": "*"}
    [told] = merged.figures["risk"]["sensitive"]
    assert told["entropy_l"] == pytest.approx(2)


def released_from(tmp_path: Path, delta: str, everybody: str) -> Path:
    """Releases four people of a population; both are files."""
    rows = ["q,s", "a,x", "a,y", "b,x", "b,y"]
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (tmp_path / "everybody.csv").write_text(everybody.replace(" ", "\n") + "\n", "utf-8")
    rules = tmp_path / "policy.toml"
    rules.write_text(policy(f"{{ delta = {{ file = 'everybody.csv', {delta} }} }}").text, "utf-8")
    desensitize.run(tmp_path / "table.csv", policy=rules, out=tmp_path / "o")
    return tmp_path / "o"


def test_that_somebody_is_in_the_table_stays_uncertain(tmp_path: Path) -> None:
    """Both who are like a are in the table; merged with b, two of three in all of the town are."""
    out = released_from(tmp_path, "most = 0.7", "q a a b b b b")
    release = json.loads((out / "manifest.json").read_text("utf-8"))
    assert release["levels"] == {"q": "*"}
    presence = release["figures"]["risk"]["presence"]
    assert presence["most"] == pytest.approx(4 / 6)
    assert "everybody.csv" not in {path.name for path in out.iterdir()}
    # The gate measures it anew, and needs the population for it.
    with pytest.raises(InputError, match="is no file") as refused:
        desensitize.gate(out, original=tmp_path / "table.csv")
    assert "does not carry the population" in refused.value.remedy
    gated = desensitize.gate(out, original=tmp_path / "table.csv", policy=tmp_path / "policy.toml")
    [check] = [each for each in gated.verdict.checks if each.name == "risk.delta"]
    assert check.held, check.reason
    (tmp_path / "everybody.csv").write_text("q\na\na\nb\nb\nb\nb\nb\n", "utf-8")
    with pytest.raises(TrustError, match="is not the population"):
        desensitize.gate(out, original=tmp_path / "table.csv", policy=tmp_path / "policy.toml")


def test_that_somebody_is_not_in_the_table_stays_uncertain(tmp_path: Path) -> None:
    """With a least share, people who are like nobody in the table are merged with others."""
    out = released_from(tmp_path, "most = 0.9, least = 0.1", "q a a a b b b c c")
    assert json.loads((out / "manifest.json").read_text("utf-8"))["levels"] == {"q": "*"}


@pytest.mark.parametrize("everybody", ["q a b b b b", "q A A b b b b"], ids=["too few", "others"])
def test_a_population_that_the_rows_are_not_in_is_refused(tmp_path: Path, everybody: str) -> None:
    """Else a share of somebody else's people would be called a chance."""
    with pytest.raises(InputError, match="rows of the table are not in the population") as refused:
        released_from(tmp_path, "most = 1", everybody)
    assert refused.value.code == "delta.population"
    assert not (tmp_path / "o").exists()


def test_a_table_in_memory_has_no_limited_process_for_a_population(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("q\na\n", "utf-8")
    rules = parse_policy(
        policy("{ delta = { file = 'all.csv', most = 0.5 } }").text, folder=tmp_path
    )
    with pytest.raises(InputError, match="limited process only"):
        desensitize.run(pd.DataFrame({"q": ["a"], "s": ["x"]}), policy=rules, out=tmp_path / "o")


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("{ entropy_l = 1 }", "greater than 1|more than 1"),
        ("{ delta = { most = 0.5 } }", "file"),
        ("{ delta = { file = 'a.csv', most = 0.5, least = 0.6 } }", "least is above most"),
        ("{ delta = { file = 'a.csv', most = 1, least = 0.6 }, max_suppressed = 0.1 }", "left out"),
    ],
)
def test_models_that_cannot_be(models: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        policy(models)


def test_a_population_is_not_compared_under_a_key() -> None:
    text = policy("{ delta = { file = 'a.csv', most = 0.5 } }").text
    text = text.replace("[publish]", '[columns.r]\nrole = "quasi"\n[publish]')
    with pytest.raises(InputError, match="under a key"):
        parse_policy(text.replace("methods = { ", 'methods = { r = { token = "d" }, '))


def random_groups(seed: int) -> Groups:
    """Three columns of up to four values and three levels, and a sensitive one."""
    rng = np.random.default_rng(seed)
    domains, codes = [], []
    for _ in range(3):
        finest = np.arange(4)
        middle = finest // 2
        stacked = np.stack([finest, middle, np.zeros(4, np.int64)])
        shares = (np.zeros(4), np.full(2, 1 / 3), np.ones(1))
        labels = (tuple("abcd"), tuple("ef"), ("*",))
        domains.append(Domain(("value", "half", "*"), stacked, labels, shares))
        codes.append(rng.integers(0, 4, 60))
    sensitive = rng.integers(0, 3, 60)
    lines, counts = np.unique(np.stack([*codes, sensitive]), axis=1, return_counts=True)
    combined, member = np.unique(lines[:3], axis=1, return_inverse=True)
    member = member.reshape(-1)
    beside = Sensitive("s", 3, bool(seed % 2), member, lines[3], counts)
    return Groups(
        tuple(domains), combined, np.bincount(member, weights=counts).astype(np.int64), (beside,)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "models",
    [
        Models(k=3),
        Models(k=3, max_suppressed=0.1),
        Models(k=2, l=2, max_suppressed=0.05),
        Models(k=2, t=0.4),
        Models(k=2, l=2, t=0.35, max_suppressed=0.3),
        Models(k=2, entropy_l=2.2, max_suppressed=0.2),
    ],
    ids=str,
)
def test_no_other_levels_would_lose_less(seed: int, models: Models) -> None:
    """Row by row, over all nodes: what the search finds, it finds because nothing is better."""
    groups = random_groups(seed)
    best = min(
        (loss, node)
        for node in product(range(3), repeat=3)
        if (loss := loss_of(groups, models, node)) is not None
    )
    found = search(groups, models)
    assert found.loss == pytest.approx(best[0])
    assert loss_of(groups, models, found.node) == pytest.approx(best[0])


def loss_of(groups: Groups, models: Models, node: tuple[int, ...]) -> float | None:
    """A node's loss in plain Python, row by row; None if the models do not hold of it."""
    [beside] = groups.sensitive
    rows = []
    for group, value, count in zip(beside.group, beside.code, beside.count, strict=True):
        labels = tuple(
            int(d.codes[level][groups.codes[i, group]])
            for i, (d, level) in enumerate(zip(groups.domains, node, strict=True))
        )
        rows += [(labels, int(value))] * int(count)
    classes = {labels: [v for one, v in rows if one == labels] for labels, _ in rows}
    # k and l do not depend on the other rows, so what breaks them goes first.
    kept = {labels for labels, values in classes.items() if is_diverse(values, models)}
    while models.t is not None:
        table = [value for labels, value in rows if labels in kept]
        far = {
            labels for labels in kept
            if distance(classes[labels], table, beside.ordered) > models.t + 1e-9
        }  # fmt: skip
        if not far:
            break
        kept -= far
    out = sum(labels not in kept for labels, _ in rows)
    if out > int(models.max_suppressed * len(rows)):
        return None
    product_ = 1.0
    for i, (domain, level) in enumerate(zip(groups.domains, node, strict=True)):
        lost = [
            float(domain.shares[level][labels[i]]) if labels in kept else 1.0 for labels, _ in rows
        ]
        product_ *= 1 + sum(lost) / len(lost)
    return float(product_ ** (1 / 3) - 1)


def is_diverse(values: list[int], models: Models) -> bool:
    """Whether one class meets k and l."""
    shares = np.unique(values, return_counts=True)[1] / len(values)
    return (
        len(values) >= (models.k or 0)
        and len(set(values)) >= (models.l or 0)
        and float(np.exp(-(shares * np.log(shares)).sum())) >= (models.entropy_l or 0) - 1e-9
    )


def distance(values: list[int], table: list[int], ordered: bool) -> float:
    """Earth mover's distance of one class from a table, as the paper writes it."""
    off = [values.count(v) / len(values) - table.count(v) / len(table) for v in range(3)]
    if ordered:
        return sum(abs(sum(off[: i + 1])) for i in range(3)) / 2
    return sum(map(abs, off)) / 2


def test_sentences_are_in_both_languages() -> None:
    for sentence in desensitize.risk(INPATIENTS, ["zip", "age"], ["condition"]).sentences():
        assert isinstance(sentence, Text)
        assert sentence.zh
        assert sentence.zh != sentence.en
