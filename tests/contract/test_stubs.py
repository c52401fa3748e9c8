"""The committed stubs are what veil.proto says, and the contract keeps its numbers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor

from protos.v1 import veil_pb2

Run = Callable[..., subprocess.CompletedProcess[str]]
STUBS = ("veil_pb2.py", "veil_pb2.pyi", "veil_pb2_grpc.py", "veil_pb2_grpc.pyi")


def test_the_committed_stubs_are_current(run: Run, root: Path, tmp_path: Path) -> None:
    assert shutil.which("make")
    said = run("make", "stubs", f"STUBS_OUT={tmp_path}", timeout_s=110)
    assert said.returncode == 0, said.stderr
    for name in STUBS:
        fresh = (tmp_path / "protos" / "v1" / name).read_text("utf-8")
        committed = (root / "protos" / "v1" / name).read_text("utf-8")
        assert fresh == committed, f"{name} is not what veil.proto says: run `make stubs`"


def test_the_service_offers_exactly_the_contract() -> None:
    (service,) = veil_pb2.DESCRIPTOR.services_by_name.values()
    assert service.full_name == "veil.v1.Exchange"
    calls = {
        method.name: (method.client_streaming, method.server_streaming)
        for method in service.methods
    }
    assert calls == {
        "Pull": (False, True),
        "Push": (True, False),
        "PushSmall": (False, False),
        "Register": (False, False),
        "Directory": (False, False),
        "Submit": (True, False),
        "Watch": (False, True),
        "Fetch": (False, True),
        "Certificate": (False, True),
        "Cancel": (False, False),
        "RequestGrant": (False, False),
        "Grants": (False, False),
    }


def test_the_frame_s_numbers_never_change() -> None:
    """Old and new programs meet on the wire: a number once given stays."""
    header = veil_pb2.Header.DESCRIPTOR.fields_by_name
    assert {name: field.number for name, field in header.items()} == {
        "job": 1,
        "round": 2,
        "attempt": 3,
        "sender": 4,
        "recipient": 5,
        "size": 6,
        "sha256": 7,
        "kind": 8,
    }
    frame = veil_pb2.Frame.DESCRIPTOR.fields_by_name
    assert {name: field.number for name, field in frame.items()} == {"header": 1, "chunk": 2}
    assert header["size"].type == FieldDescriptor.TYPE_UINT64
