"""What a release goes through after its rows are written, for whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from desensitize.masking.apply import Progress
from protos.language import Text

Stages = Callable[[Text], Progress | None]
"""Told what begins; returns whom to tell about rows, None for nobody."""

SCANNING: Final = Text("Scanning the output", "正在复扫输出")
MEASURING: Final = Text("Measuring its risk", "正在度量风险")
ATTACKING: Final = Text("Attacking it", "正在进行攻击测试")
