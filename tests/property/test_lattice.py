"""The search finds what trying every node finds, whatever the table and the models."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitize.generalise.lattice import search
from desensitize.policy import Delta, Models
from protos.faults import PolicyError
from tests.generalise_world import every_node, groups_of, policy_of

CODES = ["a11", "a12", "a21", "b11", "b12", "b21"]
AGES = ["1", "4", "7", "12", "18"]


def written_delta(delta: Delta) -> str:
    return f'{{ file = "{delta.file}", most = {delta.most}, least = {delta.least} }}'


def decade(age: str, width: int) -> str:
    return f"[{int(age) // width * width}"


LEVELS = [
    [{c: c[:n] for c in CODES} for n in (3, 2, 1)] + [dict.fromkeys(CODES, "*")],
    [{a: a for a in AGES}, *({a: decade(a, w) for a in AGES} for w in (5, 10)),
     dict.fromkeys(AGES, "*")],
]  # fmt: skip
HIERARCHIES = {"code": '["value", "first2", "first1", "*"]', "age": '["value", "5", "10", "*"]'}

rows = st.lists(
    st.tuples(st.sampled_from(CODES), st.sampled_from(AGES), st.sampled_from("0123")),
    min_size=1, max_size=40,
)  # fmt: skip
strangers = st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(AGES)), max_size=40)
deltas = st.one_of(
    st.none(),
    st.builds(Delta, st.just("all.csv"), st.sampled_from([0.3, 0.5, 0.8, 1.0])),
    st.builds(Delta, st.just("all.csv"), st.sampled_from([0.6, 1.0]), st.sampled_from([0.1, 0.4])),
)
models = st.builds(
    Models,
    k=st.one_of(st.none(), st.integers(2, 6)),
    l=st.one_of(st.none(), st.integers(2, 3)),
    entropy_l=st.one_of(st.none(), st.sampled_from([1.5, 2.0, 2.5])),
    delta=deltas,
    t=st.one_of(st.none(), st.sampled_from([0.1, 0.25, 0.5])),
    max_suppressed=st.sampled_from([0.0, 0.05, 0.2, 0.5]),
).filter(lambda each: each.asked and not (each.delta and each.delta.least and each.max_suppressed))


@settings(max_examples=80, deadline=None)
@given(rows, models, strangers)
def test_it_is_the_optimum(
    table: list[tuple[str, str, str]], asked: Models, others: list[tuple[str, str]]
) -> None:
    written = ", ".join(
        f"{name} = {value}"
        for name, value in (("k", asked.k), ("l", asked.l), ("entropy_l", asked.entropy_l),
                            ("t", asked.t), ("delta", asked.delta and written_delta(asked.delta)),
                            ("max_suppressed", asked.max_suppressed))
        if value is not None
    )  # fmt: skip
    policy = policy_of(HIERARCHIES, ["wage"], written)
    assert policy.models == asked
    others = others if asked.delta else []
    everybody = [row[:2] for row in table] + others
    groups = groups_of(
        {
            "code": [row[0] for row in table],
            "age": [int(row[1]) for row in table],
            "wage": [int(row[2]) for row in table],
        },
        policy,
        # A population whose ages are text, as a CSV file has them.
        {"code": [row[0] for row in everybody], "age": [row[1] for row in everybody]}
        if asked.delta else None,
    )  # fmt: skip
    nodes = every_node([row[:2] for row in table], [row[2] for row in table], LEVELS, asked, others)
    most = int(asked.max_suppressed * len(table))
    good = {node: loss for node, (out, loss) in nodes.items() if out <= most}
    if not good:
        with pytest.raises(PolicyError, match="no combination of levels"):
            search(groups, asked)
        return
    found = search(groups, asked)
    assert found.loss == pytest.approx(min(good.values()), abs=1e-12)
    assert found.suppressed == nodes[found.node][0]
    assert found.node in good
    assert found.tried <= found.nodes == len(nodes)
