"""The notebooks run, from the first cell to the last, against a federation with real processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from catalog.sample_files import write_cluster
from exchange.cluster import Cluster
from exchange.cluster_config import load_cluster_config

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
# Jupyter's own libraries; nothing of ours warns.
QUIET = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The analyst's profile of a running sample federation."""
    directory = tmp_path_factory.mktemp("federation")
    cluster = Cluster(directory / "cluster")
    config = load_cluster_config(write_cluster(directory / "sample", rows=500))
    cluster.up(config, lambda _: None)
    try:
        yield cluster.profile
    finally:
        cluster.down()


def test_there_is_a_notebook() -> None:
    assert [path.name for path in NOTEBOOKS][:1] == ["01_first_query.ipynb"]


@QUIET
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(path: Path, profile: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    kernel = {**os.environ, "VEIL_PROFILE": str(profile), "VEIL_LANG": "en"}
    client = NotebookClient(notebook, timeout=90, kernel_name="python3")
    client.execute(env=kernel, cwd=str(tmp_path))
    shown = "\n".join(
        str(output.get("text", "")) + str(output.get("data", {}))
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert "<svg" in shown, "the answer shows its error bars"
    assert "it cost nothing" in shown
    assert shown.count("'text/plain': 'True'") == 2, "the stored answer is the same; receipt holds"
    assert "rows themselves never leave a department" in shown


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_repository_holds_no_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert not cell.outputs, "strip the outputs before you commit"
            assert cell.execution_count is None


def test_the_kernel_is_this_python() -> None:
    kernels = Path(sys.prefix) / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    assert kernels.exists(), "ipykernel is not installed in this environment"
