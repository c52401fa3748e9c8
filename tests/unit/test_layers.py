"""Imports only point down, and protocols are pure."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
LAYERS = ["exchange", "compute_nodes", "catalog", "desensitize", "protos"]


def test_import_linter_keeps_every_contract(run: Run) -> None:
    said = run(Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache")
    assert said.returncode == 0, said.stdout
    assert "0 broken" in said.stdout


def imports_of(path: Path, tree: ast.Module | None = None) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree or ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_protocols_import_nothing_that_acts(root: Path) -> None:
    """The same rule without the tool, and about the files themselves."""
    config = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    (pure,) = (
        contract
        for contract in config["tool"]["importlinter"]["contracts"]
        if contract["type"] == "forbidden"
    )
    forbidden = set(pure["forbidden_modules"])
    named = {"socket", "grpc", "time", "threading", "random", "secrets", "os", "logging"}
    assert named <= forbidden
    files = sorted((root / "compute_nodes" / "protocols").rglob("*.py"))
    assert files
    for path in files:
        tops = {name.split(".")[0] for name in imports_of(path)}
        assert not tops & forbidden, f"{path} imports {sorted(tops & forbidden)}"


def test_the_layers_are_those_of_the_architecture(root: Path) -> None:
    config = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    (layers,) = (
        contract
        for contract in config["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers" and "containers" not in contract
    )
    assert layers["layers"] == LAYERS


def test_every_room_of_the_catalog_has_its_place_in_the_order(root: Path) -> None:
    config = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    (order,) = (
        contract
        for contract in config["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == ["catalog"]
    )
    placed = [room for layer in order["layers"] for room in layer.split(" | ")]
    assert sorted(placed) == sorted(p.parent.name for p in (root / "catalog").glob("*/__init__.py"))


@pytest.mark.parametrize("layer", LAYERS)
def test_every_package_says_what_it_is(layer: str, root: Path) -> None:
    for folder in [root / layer, *(path for path in (root / layer).rglob("*") if path.is_dir())]:
        if any(folder.glob("*.py")):
            tree = ast.parse((folder / "__init__.py").read_text("utf-8"))
            assert ast.get_docstring(tree), folder
    banned = {"utils", "helpers", "common", "manager", "util", "helper", "misc"}
    assert not {path.stem for path in (root / layer).rglob("*.py")} & banned


def test_nothing_unpickles_and_nothing_catches_everything(root: Path) -> None:
    for layer in LAYERS:
        for path in (root / layer).rglob("*.py"):
            tree, banned = ast.parse(path.read_text("utf-8")), {"pickle", "dill", "cloudpickle"}
            assert not imports_of(path, tree) & (banned | {"marshal", "shelve"})
            for node in ast.walk(tree):
                if isinstance(node, ast.ExceptHandler):
                    caught = ast.unparse(node.type) if node.type else "everything"
                    assert caught not in {"everything", "Exception"}, f"{path}:{node.lineno}"
