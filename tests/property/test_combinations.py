"""A search over combinations in the engine finds what one over all of them in memory finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitize.generalise.choose import read_combinations
from desensitize.generalise.lattice import Search, suppressed_groups
from desensitize.generalise.utility import utility
from desensitize.keys import TokenKeys
from desensitize.policy import Models
from desensitize.sources import Table, columns_of, open_object
from protos.faults import PolicyError
from tests.generalise_world import hierarchies_of, policy_of
from tests.property.test_lattice import AGES, CODES, HIERARCHIES, models, strangers, written_delta

rows = st.lists(
    st.tuples(
        st.sampled_from([*CODES, None]),
        st.sampled_from([*AGES, None]),
        st.sampled_from([0, 1, 2, 3, None]),
        st.sampled_from(["x", "y", "z"]),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(rows, models, strangers, st.sampled_from([0, 1, 8, 20, 40]))
def test_how_many_are_in_memory_changes_nothing(
    people: list[tuple[str | None, str | None, int | None, str]],
    asked: Models,
    others: list[tuple[str, str]],
    few: int,
) -> None:
    written = f"k = 2{'' if asked.delta is None else f', delta = {written_delta(asked.delta)}'}"
    policy = replace(policy_of(HIERARCHIES, ["wage", "ill"], written), models=asked)
    code, age, wage, ill = zip(*people, strict=True)
    ages = [None if each is None else int(each) for each in age]
    columns = {"code": pa.array(code, pa.string()), "age": pa.array(ages, pa.int64()),
               "wage": pa.array(wage, pa.int64()), "ill": pa.array(ill)}  # fmt: skip
    source = open_object(pa.table(columns))
    population = None
    if asked.delta is not None:
        everybody = [row[:2] for row in people] + others
        source.engine.register("people", pa.table({
            "code": pa.array([row[0] for row in everybody], pa.string()),
            "age": pa.array([row[1] for row in everybody], pa.string()),
        }))  # fmt: skip
        population = Table("p", source.engine, "people", columns_of(source.engine, "people"))
    hierarchies = hierarchies_of(policy)
    with read_combinations(source, policy, TokenKeys(), hierarchies, population) as held:
        whole = held.taken((0, 0))
        held.few = few
        for most in range(4 if held.sensitive else 0):
            assert held.vanishing(0, most) == whole.vanishing(0, most)
        expected, searched = Search(whole), Search(held)
        stricter = replace(asked, k=(asked.k or 1) + 1)
        for each in (asked, stricter):
            try:
                found = expected.least(each)
            except PolicyError as none:
                with pytest.raises(PolicyError) as refused:
                    searched.least(each)
                assert str(refused.value) == str(none)
                continue
            assert searched.least(each) == found
            out = suppressed_groups(whole, each, found.node)
            groups = held.at(found.node)
            flags = suppressed_groups(groups, each, found.node)
            measured = utility(held, groups, found.node, flags)
            assert measured == utility(whole, whole, found.node, out)
            assert groups.counts[flags].sum() == whole.counts[out].sum() == found.suppressed
    source.engine.close()


def test_a_tables_many_combinations_are_never_all_in_memory() -> None:
    rng = np.random.default_rng(1)
    columns = {name: rng.integers(0, 10_000, 20_000) for name in ("age", "wage")}
    columns["code"] = np.array(CODES)[rng.integers(0, len(CODES), 20_000)]
    policy = policy_of(
        {"code": '["value", "first1", "*"]', "age": '["value", "10", "1000", "*"]'},
        ["wage"], "k = 20, l = 2, max_suppressed = 0.01",
    )  # fmt: skip
    source = open_object(pa.table(columns))
    with read_combinations(source, policy, TokenKeys(), hierarchies_of(policy)) as held:
        whole = held.taken((0, 0))
        held.few = 1000
        found = Search(held).least(policy.models)
        assert found == Search(whole).least(policy.models)
        assert found.node == (0, 2)
        assert held.lines > 19_000
        assert len(held.at(found.node).counts) == 60
        assert not any(len(each.counts) > held.few for each in held.kept)
    source.engine.close()
