"""Why a release does not become public."""

from __future__ import annotations

from dataclasses import dataclass

from protos.language import Text


@dataclass(frozen=True)
class Objection:
    """One reason why a release does not become public.

    Attributes:
        code: Stable, dotted.
        said: The reason.
        remedy: What would help.
    """

    code: str
    said: Text
    remedy: Text
