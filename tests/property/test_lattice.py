"""The search finds what trying every node finds, whatever the table and the models."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitize.generalise.lattice import search
from desensitize.policy import Models
from protos.faults import PolicyError
from tests.generalise_world import every_node, groups_of, policy_of

CODES = ["a11", "a12", "a21", "b11", "b12", "b21"]
AGES = ["1", "4", "7", "12", "18"]


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
models = st.builds(
    Models,
    k=st.one_of(st.none(), st.integers(2, 6)),
    l=st.one_of(st.none(), st.integers(2, 3)),
    t=st.one_of(st.none(), st.sampled_from([0.1, 0.25, 0.5])),
    max_suppressed=st.sampled_from([0.0, 0.05, 0.2, 0.5]),
).filter(lambda each: each.asked)


@settings(max_examples=80, deadline=None)
@given(rows, models)
def test_it_is_the_optimum(table: list[tuple[str, str, str]], asked: Models) -> None:
    written = ", ".join(
        f"{name} = {value}"
        for name, value in (("k", asked.k), ("l", asked.l), ("t", asked.t),
                            ("max_suppressed", asked.max_suppressed))
        if value is not None
    )  # fmt: skip
    policy = policy_of(HIERARCHIES, ["wage"], written)
    groups = groups_of(
        {
            "code": [row[0] for row in table],
            "age": [int(row[1]) for row in table],
            "wage": [int(row[2]) for row in table],
        },
        policy,
    )
    nodes = every_node([row[:2] for row in table], [row[2] for row in table], LEVELS, asked)
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
