"""How long a state may take: days, working days if the catalog says so, in its own time zone.

``clocks.toml`` in the catalog's directory, all of it optional::

    working_days = true               # days off do not count
    utc_offset_hours = 8              # where a day begins
    days_off = [2026-10-01, 2026-10-02]      # besides Saturdays and Sundays
    work_days = [2026-10-10]          # Saturdays or Sundays that are worked

    [days.demands]
    submitted = 5                     # instead of what the table says; 0 stops the clock

Whether something is overdue is worked out when it is asked, and stands nowhere: a change of this
file counts for cases that wait already.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from catalog.workflows.model import Workflow
from protos.faults import InputError
from protos.language import Text
from protos.toml_file import read_toml, validated

FILE: Final = "clocks.toml"
_MISSING: Final = Text("it is optional", "该文件可省略")
_DAY: Final = dt.timedelta(days=1)


class _ClocksFile(BaseModel):
    """``clocks.toml``."""

    model_config = ConfigDict(extra="forbid", strict=True)
    working_days: bool = True
    utc_offset_hours: Annotated[int, Field(ge=-12, le=14)] = 8
    days_off: list[dt.date] = []
    work_days: list[dt.date] = []
    days: dict[str, dict[str, Annotated[int, Field(ge=0, le=3660)]]] = {}


@dataclass(frozen=True)
class Clocks:
    """What the catalog says about days.

    Attributes:
        working_days: Whether Saturdays, Sundays and days off do not count.
        utc_offset_hours: Where a day begins.
        days_off: Days that are no working days, besides Saturdays and Sundays.
        work_days: Saturdays and Sundays that are.
        days: Kind and state → days, instead of the table's.
    """

    working_days: bool = True
    utc_offset_hours: int = 8
    days_off: frozenset[dt.date] = frozenset()
    work_days: frozenset[dt.date] = frozenset()
    days: dict[tuple[str, str], int] = field(default_factory=dict)

    def days_of(self, workflow: Workflow, state: str) -> int:
        """Returns how many days a state may take; 0 for as long as it takes."""
        return self.days.get((workflow.kind, state), workflow.state(state).days)

    def deadline(self, workflow: Workflow, state: str, since: int) -> int | None:
        """Returns when a state's days are over: the end of the last one, Unix seconds.

        The day on which the state was entered does not count (as in the Civil Code, article 201).

        Args:
            workflow: The case's.
            state: In which it is.
            since: When it entered it, Unix seconds.
        """
        left = self.days_of(workflow, state)
        if not left:
            return None
        day = self.day(since)
        while left:
            day += _DAY
            left -= self._counts(day)
        return self._begin(day + _DAY)

    def entered_before(self, workflow: Workflow, state: str, now: int) -> int | None:
        """Returns before when a case that is overdue now has entered a state, Unix seconds.

        A state entered on a day has its deadline ever later the later that day is, so overdue are
        those entered before one moment: a search needs no look at every case.
        """
        left = self.days_of(workflow, state)
        if not left:
            return None
        day = self.day(now)  # its end is still to come: the last day that counts was before it
        while left:
            day -= _DAY
            left -= self._counts(day)
        return self._begin(day)

    def _counts(self, day: dt.date) -> bool:
        if not self.working_days:
            return True
        return day in self.work_days or (day.weekday() < 5 and day not in self.days_off)

    @property
    def _zone(self) -> dt.timezone:
        return dt.timezone(dt.timedelta(hours=self.utc_offset_hours))

    def day(self, seconds: int) -> dt.date:
        """Returns the day that it is at a time, Unix seconds."""
        return dt.datetime.fromtimestamp(seconds, self._zone).date()

    def _begin(self, day: dt.date) -> int:
        return int(dt.datetime.combine(day, dt.time(), self._zone).timestamp())


def read_clocks(directory: Path, workflows: tuple[Workflow, ...]) -> Clocks:
    """Reads ``clocks.toml`` of a catalog's directory; without one the tables' days count.

    Raises:
        InputError: It is malformed, or names a state that no workflow has.
    """
    path = directory / FILE
    if not path.exists():
        return Clocks()
    file = validated(_ClocksFile, read_toml(path, _MISSING), FILE)
    known = {(each.kind, state.name) for each in workflows for state in each.states}
    days = {(kind, state): n for kind, states in file.days.items() for state, n in states.items()}
    if unknown := sorted(days.keys() - known):
        raise InputError(
            Text(f"{FILE}: days.{'.'.join(unknown[0])} is no state of a workflow",
                 f"{FILE}：days.{'.'.join(unknown[0])} 不是任何流程的状态"),
            remedy=Text("see docs/guides/workflows.md for all of them",
                        "全部状态见 docs/guides/workflows.md"),
            code="clocks.state",
        )  # fmt: skip
    return Clocks(
        file.working_days, file.utc_offset_hours, frozenset(file.days_off),
        frozenset(file.work_days), days,
    )  # fmt: skip
