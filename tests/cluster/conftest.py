"""One cluster for all tests that leave it as it was, and a fresh one for those that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exchange.analyst.client import Veil
from tests.cluster_world import TestCluster


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    cluster = TestCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()


@pytest.fixture
def cluster(shared: TestCluster) -> Iterator[TestCluster]:
    """The shared cluster with everything running, before and after."""
    yield shared
    shared.heal()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Callable[..., TestCluster]]:
    """Makes clusters that a test may break beyond repair; not yet up."""
    made: list[TestCluster] = []

    def make(**options: int) -> TestCluster:
        made.append(TestCluster(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for cluster in made:
        cluster.down()


@pytest.fixture
def veil(cluster: TestCluster) -> Iterator[Veil]:
    with cluster.connect() as veil:
        yield veil
