"""How departments get into the tables, and whose word of them counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, insert, select, update

from catalog.registry.record import Department
from catalog.registry.tables import DatasetRow, DepartmentRow


class Departments:
    """The departments of one write.

    Args:
        connection: Within the write's transaction.
        harvest: Name of the harvest that writes; empty for this catalog itself.
        others: Names of all other harvests.

    Attributes:
        known: By their codes.
    """

    def __init__(self, connection: Connection, harvest: str, others: Collection[str]) -> None:
        self._connection = connection
        self._harvest = harvest
        self._others = others
        self.known = {
            row.code: Department(row.code, row.name, row.place, row.name_en)
            for row in connection.execute(select(DepartmentRow.__table__))
        }

    def enrol(self, departments: Iterable[Department]) -> None:
        """Adds departments that are not known yet; the first spelling of a code stands.

        What another catalog has said of a department, and nobody here, gives way to our own word:
        or whoever is harvested could take any code before its department comes.
        """
        fresh: dict[str, Department] = {}
        for department in departments:
            known = self.known.get(department.code)
            if known is None:
                fresh.setdefault(department.code, department)
            elif known != department and not self._harvest and self._hearsay(known.code):
                self._correct(department)
        if fresh:
            self._connection.execute(
                insert(DepartmentRow),
                [{"code": d.code, "name": d.name, "name_en": d.name_en, "place": d.place}
                 for d in fresh.values()],
            )  # fmt: skip
            self.known |= fresh

    def place_anew(self, departments: Sequence[Department]) -> None:
        """Moves departments of which this harvest alone has records to where it says they are now.

        What does not say where it is from is of the harvest's place; when that is changed, its
        departments would be strangers to themselves.
        """
        first = {department.code: department for department in reversed(departments)}
        for department in first.values():
            known = self.known[department.code]
            moved = known != department and replace(known, place=department.place) == department
            if moved and self._roots(known.code) == {self._harvest}:
                self._correct(department)

    def _hearsay(self, code: str) -> bool:
        """Whether all that is known of a department was harvested."""
        return bool(self._others) and self._roots(code) <= set(self._others)

    def _roots(self, code: str) -> set[str]:
        """Which catalogs have, or had, datasets of a department."""
        sources = select(DatasetRow.source).where(DatasetRow.provider == code).distinct()
        found = self._connection.execute(sources).scalars()
        return {source.partition(".")[0] for source in found}

    def _correct(self, department: Department) -> None:
        self._connection.execute(
            update(DepartmentRow)
            .where(DepartmentRow.code == department.code)
            .values(name=department.name, name_en=department.name_en, place=department.place)
        )
        self.known[department.code] = department
