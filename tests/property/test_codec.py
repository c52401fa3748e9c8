"""The JSON form loses nothing, and nothing else has that form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.algebra import Aggregate, Expr, Key, Measure
from catalog.codec import dataset_digest, from_json, to_json
from catalog.dataset import Dataset
from protos.canonical import canonical
from protos.faults import InputError
from tests.sql_world import DATASET, conditions, numbers

SCALARS = st.none() | st.booleans() | st.text(max_size=5) | st.integers(-(2**70), 2**70)
MEASURES = st.just(Measure("rows")) | st.builds(
    Measure,
    st.sampled_from(["count", "sum", "sum_squares"]),
    numbers(2),
    st.integers(-(2**80), 2**80),
)
AGGREGATES = st.builds(
    Aggregate,
    st.text(max_size=8),
    st.none() | conditions(),
    st.lists(st.builds(Key, numbers(2), st.lists(SCALARS, max_size=4).map(tuple)), max_size=3).map(
        tuple
    ),
    st.lists(MEASURES, max_size=3).map(tuple),
)


@given(AGGREGATES)
def test_an_aggregate_survives_canonical_json(aggregate: Aggregate):
    body = json.loads(canonical(to_json(aggregate)))
    found = from_json(Aggregate, body)
    assert found == aggregate
    assert repr(found) == repr(aggregate)  # 1 is not True


@given(conditions() | numbers())
def test_an_expression_survives(expr: Expr):
    union: Any = Expr
    assert from_json(union, json.loads(canonical(to_json(expr)))) == expr


def test_a_dataset_keeps_the_order_of_its_columns():
    found = from_json(Dataset, json.loads(canonical(to_json(DATASET))))
    assert found == DATASET
    assert list(found.columns) == list(DATASET.columns)
    assert dataset_digest(found) == dataset_digest(DATASET)


@given(AGGREGATES, st.data())
def test_one_change_anywhere_is_refused_or_means_something_else(
    aggregate: Aggregate, data: st.DataObject
):
    body = json.loads(canonical(to_json(aggregate)))
    places = list(_places(body))
    holder, key = data.draw(st.sampled_from(places))
    old = holder[key]
    new = data.draw(
        st.sampled_from([None, True, 0, 7, 1.5, "", "x", [], {}, {"node": "Not"}, 2**60, "12"])
    )
    holder[key] = new
    if new == old and type(new) is type(old):
        return
    try:
        found = from_json(Aggregate, body)
    except InputError:
        return
    assert repr(found) != repr(aggregate)


def _places(body: Any) -> Any:  # noqa: ANN401 - any JSON
    for key in body if isinstance(body, dict) else range(len(body)):
        yield body, key
        if isinstance(body[key], dict | list):
            yield from _places(body[key])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"more": 1}, "unknown key 'more'"),
        ({"members": "a"}, "must be a list"),
        ({"max_rows": True}, "integer"),
        ({"max_rows": "5"}, "integer"),
        ({"max_rows": 2**53}, "integer"),
        ({"delta": "1e-6"}, "finite number"),
        ({"delta": float("nan")}, "finite number"),
        ({"subjects_disjoint": 1}, "wrong type"),
        ({"name": None}, "text"),
        ({"columns": {}}, "list"),
    ],
)
def test_shapes_are_strict(change: dict[str, Any], says: str):
    with pytest.raises(InputError) as caught:
        from_json(Dataset, to_json(DATASET) | change)
    assert says in caught.value.message


def test_a_column_may_not_be_named_twice():
    body = to_json(DATASET)
    body["columns"].append(body["columns"][0])
    with pytest.raises(InputError, match="twice"):
        from_json(Dataset, body)


def test_deep_nesting_is_refused_both_ways():
    union: Any = Expr
    body: dict[str, Any] = {"node": "ColumnRef", "name": "age"}
    for _ in range(100):
        body = {"node": "Not", "arg": body}
    with pytest.raises(InputError, match="deep"):
        from_json(union, body)
