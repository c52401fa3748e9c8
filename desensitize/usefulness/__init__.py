"""What a release is still good for, beside its original: a model's accuracy, marginals, losses."""

from __future__ import annotations

from desensitize.usefulness.report import (
    MODELS,
    ColumnUse,
    Error,
    ModelUse,
    Score,
    UtilityReport,
    from_dict,
)

__all__ = [
    "MODELS", "ColumnUse", "Error", "ModelUse", "Score", "UtilityReport", "from_dict",
]  # fmt: skip
