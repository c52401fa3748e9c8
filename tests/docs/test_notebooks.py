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
from exchange.cluster.cluster import Cluster
from exchange.cluster.config import load_cluster_config

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


def test_the_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01_first_query", "04_open_a_dataset", "05_find_and_use_open_data",
    ]  # fmt: skip


def shown_by(name: str, folder: Path, profile: Path | None = None) -> str:
    """Runs a notebook in a kernel of its own; returns what its cells show."""
    [path] = (each for each in NOTEBOOKS if each.stem == name)
    notebook = nbformat.read(path, as_version=4)
    kernel = {**os.environ, "VEIL_PROFILE": str(profile or ""), "VEIL_LANG": "en"}
    client = NotebookClient(notebook, timeout=90, kernel_name="python3")
    client.execute(env=kernel, cwd=str(folder))
    return "\n".join(
        str(output.get("text", "")) + str(output.get("data", {}))
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


@QUIET
def test_a_first_query(profile: Path, tmp_path: Path) -> None:
    shown = shown_by("01_first_query", tmp_path, profile)
    assert "<svg" in shown, "the answer shows its error bars"
    assert "it cost nothing" in shown
    assert shown.count("'text/plain': 'True'") == 2, "the stored answer is the same; receipt holds"
    assert "rows themselves never leave a department" in shown


@QUIET
def test_open_a_dataset(tmp_path: Path) -> None:
    shown = shown_by("04_open_a_dataset", tmp_path)
    assert "published: False" in shown, "the usual mask is refused"
    assert "would hold: keep_first = 6" in shown
    assert "# → k = 5 " in shown, "what each k would cost"
    assert "valid: True" in shown
    assert "valid: False" in shown
    assert "changed.parquet is not the file that was attested" in shown
    assert "<iframe sandbox srcdoc=" in shown, "the report is shown"
    assert "13800138000" not in shown, "a telephone number in a remark is shown nowhere"
    assert (tmp_path / "release" / "attestation.json").is_file()
    assert "Passed the publishing gate" in (tmp_path / "report.html").read_text("utf-8")


@QUIET
def test_find_and_use_open_data(tmp_path: Path) -> None:
    shown = shown_by("05_find_and_use_open_data", tmp_path)
    assert "门诊费用 · 广州市卫生健康委员会" in shown
    assert "k = 20" in shown, "what was promised"
    assert "in all: " in shown
    assert "table functions are not supported" in shown, "SQL that reads a file is refused"
    assert "as many as were promised: True" in shown
    assert "linear-gradient" in shown, "a picture"
    assert shown.index("valid: True") < shown.index("valid: False")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_repository_holds_no_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert not cell.outputs, "strip the outputs before you commit"
            assert cell.execution_count is None


def test_the_kernel_is_this_python() -> None:
    kernels = Path(sys.prefix) / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    assert kernels.exists(), "ipykernel is not installed in this environment"
