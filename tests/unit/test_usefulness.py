"""What a release is still good for: by tables whose answer is known, and by hand."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import desensitize
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.sources import Table, columns_of, open_object
from desensitize.usefulness import UtilityReport, from_dict
from desensitize.usefulness.compare import compare_tables
from desensitize.usefulness.labels import feature, middle
from desensitize.usefulness.report import Score
from protos.faults import InputError, TrustError
from tests.attack_world import release_of

Run = Callable[..., subprocess.CompletedProcess[str]]
ROWS = 400


def rules(methods: Mapping[str, str], roles: Mapping[str, str] | None = None) -> PublishPolicy:
    lines = ['dataset = "t"']
    for name in methods:
        lines += [f"[columns.{name}]", f'role = "{(roles or {}).get(name, "other")}"']
        if "noise" in methods[name]:
            lines += ["bounds = [0, 100]"]
    return parse_policy(
        "\n".join([*lines, "[publish.methods]", *(f"{n} = {how}" for n, how in methods.items())])
    )


def compared(
    data: Mapping[str, Sequence[Any]],
    methods: Mapping[str, str],
    target: str,
    *,
    released: pa.Table | None = None,
    roles: Mapping[str, str] | None = None,
    models: Sequence[str] = ("linear",),
) -> UtilityReport:
    """Compares a release of a small table, one made here by default, in this process."""
    policy = rules(methods, roles)
    rows = release_of(data, policy) if released is None else released
    original = open_object(pa.table(dict(data)))
    original.engine.register("released", rows)
    release = Table(
        "released", original.engine, "released", columns_of(original.engine, "released")
    )
    try:
        return compare_tables(original, release, policy, levels={}, target=target, models=models)
    finally:
        original.engine.close()


def score(report: UtilityReport, metric: str) -> Score:
    return next(each for model in report.models for each in model.scores if each.metric == metric)


@pytest.fixture(scope="module")
def people() -> dict[str, list[Any]]:
    """Age and town tell who is ill; the name tells nothing."""
    rng = np.random.default_rng(1)
    ages, towns = rng.integers(0, 100, ROWS), rng.choice(["A", "B"], ROWS)
    ill = np.where((ages >= 50) ^ (rng.random(ROWS) < 0.05), "yes", "no")
    return {
        "age": ages.tolist(), "town": towns.tolist(), "ill": ill.tolist(),
        "wage": (ages * 10 + (towns == "A") * 300).tolist(),
        "name": [f"n{i}" for i in range(ROWS)],
    }  # fmt: skip


KEEP = {"age": '"keep"', "town": '"keep"', "ill": '"keep"', "wage": '"drop"', "name": '"drop"'}


def test_what_keeps_everything_loses_nothing(people: dict[str, list[Any]]) -> None:
    found = compared(people, KEEP | {"wage": '"keep"'}, "ill", roles={"name": "direct"})
    accuracy = score(found, "accuracy")
    assert (accuracy.released, accuracy.spread) == (accuracy.original, 0)
    assert accuracy.original > 0.9
    assert accuracy.naive < 0.6
    assert score(found, "auc").original > 0.9
    assert [(each.loss, each.entropy, each.marginal) for each in found.columns] == [(0, 0, 0)] * 4
    assert (found.one_way.worst, found.two_way.worst, found.two_way.tables) == (0, 0, 6)
    assert found.task == "classes"
    assert "learnt from the release" in found.sentences()[0].en


def test_bands_tell_as_much_as_their_middle(people: dict[str, list[Any]]) -> None:
    told = compared(people, KEEP | {"age": "{ band = 10 }"}, "ill", models=("boosting",))
    lost = compared(people, KEEP | {"age": "{ band = 100 }"}, "ill", models=("boosting",))
    assert score(told, "accuracy").released > score(told, "accuracy").original - 0.05
    assert score(lost, "accuracy").released < score(lost, "accuracy").naive + 0.05
    [age, *_] = lost.columns
    assert (age.loss, age.entropy, age.marginal) == (1, 1, 0)


def test_a_column_that_is_dropped_is_a_loss_too(people: dict[str, list[Any]]) -> None:
    found = compared(people, KEEP | {"age": '"drop"'}, "ill")
    assert score(found, "accuracy").original > 0.9
    assert score(found, "accuracy").released < 0.65


def test_amounts_are_told_as_amounts(people: dict[str, list[Any]]) -> None:
    found = compared(people, KEEP | {"wage": "{ round = 50 }", "age": "{ band = 50 }"}, "wage")
    assert found.task == "amounts"
    assert score(found, "r2").original == pytest.approx(1, abs=1e-3)
    assert 0.4 < score(found, "r2").released < 0.9
    assert score(found, "r2").naive <= 0
    assert score(found, "mean_absolute_error").naive > 100


def test_nobody_is_tested_on_whom_a_model_has_seen() -> None:
    """A label that is chance is told no better than by chance, however rich the columns are."""
    rng = np.random.default_rng(5)
    data = {
        "x": rng.random(ROWS).round(6).tolist(), "y": rng.random(ROWS).round(6).tolist(),
        "coin": rng.choice(["h", "t"], ROWS).tolist(),
    }  # fmt: skip
    found = compared(data, dict.fromkeys(data, '"keep"'), "coin", models=("boosting",))
    assert 0.4 < score(found, "accuracy").original < 0.6
    assert 0.4 < score(found, "accuracy").released < 0.6


def test_rows_left_out_are_tested_all_the_same(people: dict[str, list[Any]]) -> None:
    """Only the young are released: of the old, whom everybody asks for, the model knows nothing."""
    ages = np.array(people["age"])
    policy = rules(KEEP | {"age": "{ band = 50 }"}, {"age": "quasi"})
    young = release_of(people, policy).filter(pa.array(ages < 50))
    found = compared(
        people, KEEP | {"age": "{ band = 50 }"}, "ill", released=young, roles={"age": "quasi"}
    )
    assert (found.rows, found.released) == (ROWS, int((ages < 50).sum()))
    assert score(found, "accuracy").original > 0.9
    assert score(found, "accuracy").released < 0.65
    [age, *_] = found.columns
    assert age.marginal == pytest.approx((ages >= 50).mean())
    # Half of the ages stand under each label; of those left out, all is lost.
    assert age.loss == pytest.approx(
        ((ages < 50).sum() * 49 / 99 + (ages >= 50).sum()) / ROWS, abs=0.02
    )


def test_noise_and_shuffling_move_what_belongs_together(people: dict[str, list[Any]]) -> None:
    keyless = KEEP | {"wage": '{ shuffle = ["town"], smallest = 2 }', "age": "{ noise = 0.001 }"}
    found = compared(people, keyless, "ill", models=("boosting",))
    age, _, _, wage = found.columns
    assert (wage.loss, wage.entropy, wage.marginal) == (None, None, 0)
    assert (age.loss, age.entropy) == (None, None)
    assert found.two_way.worst > 0.3
    assert score(found, "accuracy").released > 0.9  # age is nearly there


@pytest.mark.parametrize(
    ("methods", "target", "said"),
    [
        ({}, "wage", "no column 'wage' to tell"),
        ({}, "height", "no column 'height' to tell"),
        ({"ill": '"redact"'}, "ill", "the release shows 0 of its 2|shows 1 of its 1"),
        ({"ill": '{ token = "ids" }'}, "ill", "the release shows 0 of its 2 values"),
        ({"name": '"keep"'}, "name", "of its 400 values"),
    ],
)
def test_targets_that_cannot_be_told(
    people: dict[str, list[Any]], methods: dict[str, str], target: str, said: str
) -> None:
    with pytest.raises(InputError, match=said) as refused:
        compared(people, KEEP | methods, target)
    assert refused.value.code == "utility.target"
    assert refused.value.remedy


def test_a_release_of_another_table_is_refused(people: dict[str, list[Any]]) -> None:
    other = release_of(people, rules(KEEP)).take(pa.array(range(ROWS - 1, -1, -1)))
    with pytest.raises(InputError, match="not this original's"):
        compared(people, KEEP, "ill", released=other)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("12", 12), ("-0.5", -0.5), ("[20,25)", 22.5), ("[-5,0)", -2.5), ("<18", 18),
        (">=60", 60), ("20-24", 22), ("1990–1999", 1994.5), ("1990-07", 1990 + 6.5 / 12),
        ("1990-Q3", 1990 + 2.5 / 4), ("1990-W53", 1990 + 52.5 / 53),
        ("1990-03-07", 1990 + 2 / 12 + 6.5 / 366), ("广东省", None), ("A10-B20", None), ("", None),
    ],
)  # fmt: skip
def test_labels_are_read_as_their_middle(label: str, expected: float | None) -> None:
    found = middle(label)
    assert math.isnan(found) if expected is None else found == pytest.approx(expected)


def test_a_column_without_order_is_made_of_categories() -> None:
    found = feature("x", pa.array(["a", None, "*", "b", "a"]))
    assert found.categorical
    assert found.values[0] == found.values[4] != found.values[3]
    assert np.isnan(found.values[[1, 2]]).all()
    found = feature("x", pa.array(["[0,5)", None, "*", "[5,10)"]))
    assert not found.categorical
    assert found.values[[0, 3]].tolist() == [2.5, 7.5]


def test_files_from_the_command_to_the_report(
    tmp_path: Path, people: dict[str, list[Any]], run: Run
) -> None:
    source, policy, out = tmp_path / "p.csv", tmp_path / "p.toml", tmp_path / "r"
    pd.DataFrame(people).to_csv(source, index=False)
    policy.write_text(
        '[columns.age]\nrole = "quasi"\n[columns.ill]\nrole = "sensitive"\n[publish]\n'
        'models = { k = 20, max_suppressed = 0.1 }\nhierarchies = { age = ["5", "10", "*"] }\n'
        'methods = { ill = "keep" }\n'
    )
    policy.write_text('dataset = "t"\n' + policy.read_text("utf-8"), "utf-8")
    desensitize.run(source, policy=policy, out=out)
    veil = Path(sys.executable).with_name("veil")
    done = run(veil, "desensitize", "utility", source, out, "--target", "ill", "--model", "linear",
               "--json", tmp_path / "u.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "for you, and not part of a release" in done.stdout
    text = (tmp_path / "u.json").read_text("utf-8")
    found = from_dict(json.loads(text))
    assert (found.target, found.rows, found.parts) == ("ill", ROWS, 5)
    assert score(found, "accuracy").released > 0.8
    assert found.discernibility > found.discernibility_before > 0
    assert '"yes"' not in text + done.stdout  # names of columns and figures only
    source.write_text(source.read_text("utf-8").replace("yes", "no", 1), "utf-8")
    with pytest.raises(TrustError, match="is not what the release was made from"):
        desensitize.utility(source, out, "ill")
    with pytest.raises(InputError, match="there is no model"):
        desensitize.utility(source, out, "ill", models=["forest"])
