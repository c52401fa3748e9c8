"""Files of a few kilobytes that unpack to more than their reader may use."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

MIB: Final = 2**20


def one_enormous_value(path: Path, column: str, mib: int, **others: list[int]) -> None:
    """Writes a Parquet file with one row, whose text is so long.

    Without a dictionary and statistics, which would cost the test seconds and its reader nothing.
    """
    offsets = b"".join(at.to_bytes(8, "little") for at in (0, mib * MIB))
    zeros = pa.py_buffer(bytes(mib * MIB))
    text = pa.LargeStringArray.from_buffers(1, pa.py_buffer(offsets), zeros)
    table = pa.table({**others, column: text})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    assert path.stat().st_size < MIB
