"""What a request for use would have computed: read out of what its analyst has signed.

The SQL beside a signed request is the analyst's own words, and nothing compares the two. Officers
sign for what nodes compute, so that is what they are shown, wherever they look at a case.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from catalog.algebra import Aggregate
from catalog.algebra_text import aggregate_text
from catalog.certificates.grants import GrantRequest, read_granted
from catalog.expression_types import columns_of
from catalog.interchange.declared import SOURCE as NODES
from catalog.registry.entries import Entry
from catalog.registry.tables import DatasetRow
from protos.faults import TrustError
from protos.language import Text


def computed(token: str) -> str:
    """Returns what a signed request has computed, by whom and for whom, in one line.

    Of one that does not hold it returns that it does not.
    """
    try:
        request = read_granted(token)
    except TrustError as error:
        return f"– ({error.message})"
    names = ", ".join(member.name for member in request.members)
    return f"{aggregate_text(request.aggregate, {})} [{names} → {request.analyst}]"


def beside(
    connection: Connection, request: GrantRequest, entries: list[Entry], columns: list[str]
) -> Text | None:
    """Says where a statement goes beyond the datasets and data items that its case names.

    A node's dataset is in the catalog under the node's own name for it, so there it can be asked.

    Args:
        connection: To read with.
        request: Signed.
        entries: Datasets of the case, all of one department.
        columns: Data items of the case.
    """
    if request.aggregate.dataset != request.dataset:
        return Text("is about two datasets at once", "涉及两个不同的数据资源")
    held = declared(connection, request.dataset, entries[0].record.provider.code)
    if not held:
        return None
    if not {(NODES, each) for each in held} & {each.record.key for each in entries}:
        return Text(
            f"is about {NODES}:{held[0]}, which the case does not name",
            f"涉及本案未列出的 {NODES}:{held[0]}",
        )
    if more := sorted(columns_used(request.aggregate) - set(columns)):
        return Text(
            f"uses {more[0]}, which is not among the case's data items",
            f"使用了本案未列出的数据项 {more[0]}",
        )
    return None


def declared(connection: Connection, dataset: str, provider: str = "") -> list[str]:
    """Returns the catalog's identifiers of a dataset that nodes have declared.

    Args:
        connection: To read with.
        dataset: The nodes' own name for it.
        provider: Code of the only department whose nodes count; "" for all.
    """
    found = select(DatasetRow.identifier).where(
        DatasetRow.source == NODES, DatasetRow.state == "registered",
        DatasetRow.identifier.endswith(f"/{dataset}", autoescape=True),
    )  # fmt: skip
    if provider:
        found = found.where(DatasetRow.provider == provider)
    return list(connection.execute(found).scalars())


def columns_used(aggregate: Aggregate) -> frozenset[str]:
    """Returns the names of all columns of which an aggregate computes something."""
    exprs = [key.expr for key in aggregate.keys]
    exprs += [measure.value for measure in aggregate.measures if measure.value is not None]
    exprs += [] if aggregate.predicate is None else [aggregate.predicate]
    return frozenset[str]().union(*map(columns_of, exprs))
