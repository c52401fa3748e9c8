"""Noise on each value, drawn by OpenDP: the Laplace mechanism on one cell.

OpenDP draws from the operating system and cannot be seeded; so a release with noise is never the
same twice, and its manifest says so. Own sampling would be repeatable, and open to the attacks on
floating-point samplers that OpenDP has closed (Mironov 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from desensitize.masking.base import Cell, Function, Workshop
from desensitize.masking.numbers import Positive
from desensitize.masking.readings import as_number
from protos.faults import InputError
from protos.language import Text

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Noise:
    """Adds Laplace noise to each number; whole numbers get the discrete (geometric) one.

    Needs ``bounds`` of the column. Each cell by itself is then (hi - lo) / scale locally
    differentially private (Dwork and Roth 2014, definition 3.3); a person in n rows, or in n
    noisy columns, n times that. Sums and means stay right, and better the more rows there are.

    Conclusions: the value within some multiples of the scale. Extreme values remain visible as
    such if the scale is small against the bounds.

    Attributes:
        scale: Mean absolute error, in the unit of the value.
    """

    scale: Positive

    fresh: ClassVar = True
    title: ClassVar = Text("noise added", "添加噪声")
    concludes: ClassVar = Text("the value, give or take the noise", "可知其值，误差为所加噪声")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns noisy numbers."""
        if shop.bounds is None or not isinstance(shop.bounds[0], Decimal):
            raise InputError(
                Text(
                    f"noise on {shop.column!r} needs bounds: without them it promises nothing",
                    f"对“{shop.column}”加噪需要声明 bounds：没有取值范围，噪声不提供任何保证",
                ),
                remedy=Text(
                    f'write bounds = [lowest, highest] under [columns."{shop.column}"]',
                    f'请在 [columns."{shop.column}"] 下写 bounds = [最小值, 最大值]',
                ),
                code="masking.bounds",
            )
        number = as_number(cell)
        shop.fresh.add(shop.column)
        adder = _adder(float(self.scale), number.stored)
        return shop.call(Function(adder, number.stored, number.stored, pure=False), number.sql)


def _adder(scale: float, stored: str) -> Any:  # noqa: ANN401 - from an Arrow array to another
    """Builds the function; OpenDP's proofs are about vectors, so a batch is one call."""
    # Not the prelude: it brings along every library that opendp can work with and that is there.
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_laplace
    from opendp.metrics import l1_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    kind: type[int | float] = int if stored == "BIGINT" else float
    domain = vector_domain(atom_domain(T=kind, nan=False) if kind is float
                           else atom_domain(T=kind))  # fmt: skip
    measure = make_laplace(domain, l1_distance(T=kind), scale)
    dtype: npt.DTypeLike = np.int64 if kind is int else np.float64

    def add(values: pa.Array) -> pa.Array:
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        there = values.is_valid().to_numpy(zero_copy_only=False)
        result = np.zeros(len(values), dtype=dtype)
        if there.any():
            result[there] = measure(values.drop_null().to_pylist())
        return pa.array(result, mask=~there)

    return add
