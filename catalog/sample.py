"""A sample province: five cities' health departments with the same table ``visits``.

Everything is a function of the seed through SHAKE-256 and integer arithmetic, so the same seed
gives the same rows on any machine and any version of NumPy. Nobody in it exists: the resident
ids have the right form (GB 11643-1999: division, birth date, sequence, MOD 11-2 check) and are
drawn, not collected.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from catalog.sample_lists import (
    AGE_WEIGHTS,
    CITIES,
    DIAGNOSES,
    DISTRICT_NAMES,
    GIVEN,
    SURNAMES,
    City,
)
from protos.faults import InputError
from protos.language import Text

if TYPE_CHECKING:
    import pyarrow as pa

Ints = NDArray[np.int64]

DATASET: Final = "visits"
ROWS: Final = 20_000
YEAR: Final = 2025
COST_CAP_FEN: Final = 500_000
MOST_DAYS: Final = 60

# GB 11643-1999, after ISO 7064 MOD 11-2: weight of position i is 2**(17 - i) mod 11.
_WEIGHTS: Final = np.array([pow(2, 17 - i, 11) for i in range(17)], dtype=np.int64)
_CHECK: Final = np.frombuffer(b"10X98765432", dtype=np.uint8)
_NEW_YEAR: Final = np.datetime64(f"{YEAR}-01-01", "D")


@dataclass(frozen=True)
class Draws:
    """Uniform 64-bit numbers named by what they are for.

    Args:
        seed: Any integer.
        city: Name of the city, so that cities are independent.
    """

    seed: int
    city: str

    def uniform(self, purpose: str, n: int) -> NDArray[np.uint64]:
        """Returns ``n`` numbers in [0, 2**64), the same for the same arguments."""
        label = f"veil sample/{self.seed}/{self.city}/{purpose}".encode()
        return np.frombuffer(hashlib.shake_256(label).digest(8 * n), dtype="<u8")

    def below(self, purpose: str, n: int, bound: int) -> Ints:
        """Returns ``n`` numbers in [0, bound); bias below 2**-40."""
        return (self.uniform(purpose, n) % np.uint64(bound)).astype(np.int64)

    def weighted(self, purpose: str, n: int, weights: tuple[int, ...]) -> Ints:
        """Returns ``n`` indexes into ``weights``, each with that relative frequency."""
        steps = np.cumsum(np.array(weights, dtype=np.int64))
        return np.searchsorted(steps, self.below(purpose, n, int(steps[-1])), side="right")


def city_named(name: str) -> City:
    """Returns the city of that name; raises InputError for a name that is not in the sample."""
    for city in CITIES:
        if city.name == name:
            return city
    known = ", ".join(city.name for city in CITIES)
    raise InputError(
        Text(f"the sample province has no city {name!r}", f"示例省份没有城市 {name!r}"),
        remedy=Text(f"use one of {known}", f"可用：{known}"),
    )


def visits(name: str, *, seed: int = 1, rows: int = ROWS, most_visits: int = 1) -> pa.Table:
    """Generates one city's table.

    Args:
        name: One of the five cities.
        seed: Same seed, same table.
        rows: Number of rows, at least 1.
        most_visits: Each resident has 1 to this many rows.

    Returns:
        Columns resident_id, name, sex, birth_date, age, district, visit_date, department,
        diagnosis, cost (decimal with 2 digits), insured, days (2 % NULL); in no meaningful
        order.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    city = city_named(name)
    if rows < 1 or most_visits < 1:
        raise InputError("rows and most_visits must be 1 or more")
    draws = Draws(seed, name)

    # People first, …
    district_codes = tuple(city.districts)
    home = draws.weighted("home", rows, tuple(range(len(district_codes) + 2, 2, -1)))
    male = draws.below("sex", rows, 1000) < 487
    born = _NEW_YEAR - _age_in_days(draws, rows).astype("timedelta64[D]")
    ids = _resident_ids(draws, np.array(district_codes, dtype=np.int64)[home], born, male)
    people_names = _names(draws, male)

    # … then their visits: person[i] is who came for row i.
    times = 1 + draws.below("times", rows, most_visits)
    person = np.repeat(np.arange(rows), times)[:rows]
    day = draws.below("visit day", rows, 365)
    visit = _NEW_YEAR + day.astype("timedelta64[D]")
    moved = draws.below("moved", rows, 100) < 12
    where = np.where(moved, draws.below("moved to", rows, len(district_codes)), home[person])
    what = draws.weighted("diagnosis", rows, tuple(row[2] for row in DIAGNOSES))
    diagnoses = pa.array([row[0] for row in DIAGNOSES])
    departments = pa.array([row[1] for row in DIAGNOSES])
    return pa.table(
        {
            "resident_id": ids.take(pa.array(person)),
            "name": people_names.take(pa.array(person)),
            "sex": pa.array(["F", "M"]).take(pa.array(male[person].astype(np.int64))),
            "birth_date": pa.array(born[person]),
            "age": pa.array(_full_years(born[person], visit)),
            "district": pa.array(district_codes).take(pa.array(where)),
            "visit_date": pa.array(visit),
            "department": departments.take(pa.array(what)),
            "diagnosis": diagnoses.take(pa.array(what)),
            "cost": pc.multiply(
                pa.array(_cost_in_fen(draws, what)).cast(pa.decimal128(19, 0)),
                pa.scalar(Decimal("0.01")),
            ).cast(pa.decimal128(9, 2)),
            "insured": pa.array(draws.below("insured", rows, 1000) < 934),
            "days": pa.array(_days(draws, what), mask=draws.below("no days", rows, 100) < 2),
        }
    )


def _age_in_days(draws: Draws, rows: int) -> Ints:
    """Days lived on 1 January: a five-year band by weight, then any day in it (at least one)."""
    band = draws.weighted("age band", rows, AGE_WEIGHTS)
    return 1 + (band * 5 * 1461) // 4 + draws.below("age day", rows, 5 * 365)


def _full_years(born: NDArray[np.datetime64], on: NDArray[np.datetime64]) -> Ints:
    """Completed years of age, as a register counts them."""
    month_of_birth, month_on = born.astype("datetime64[M]"), on.astype("datetime64[M]")
    months = (month_on - month_of_birth).astype(np.int64)
    day_not_reached = (on - month_on) < (born - month_of_birth)
    years: Ints = (months - day_not_reached) // 12
    return years


def _resident_ids(
    draws: Draws, division: Ints, born: NDArray[np.datetime64], male: NDArray[np.bool_]
) -> pa.StringArray:
    """Distinct 18-character resident ids (GB 11643-1999)."""
    import pyarrow as pa

    n = len(division)
    month = born.astype("datetime64[M]")
    year = born.astype("datetime64[Y]").astype(np.int64) + 1970
    date = year * 10_000
    date += (month.astype(np.int64) % 12 + 1) * 100
    date += (born - month).astype(np.int64) + 1
    prefix = division * 10**11 + date * 1000
    # The last sequence digit is odd for men, even for women. 000 is not given out.
    sequence = 2 * draws.below("sequence", n, 499) + 2 - male
    while True:
        number = prefix + sequence
        _, first = np.unique(number, return_index=True)
        again = np.ones(n, dtype=np.bool_)
        again[first] = False
        if not again.any():
            break
        sequence[again] = (sequence[again] + 1) % 998 + 1
    digits = number[:, None] // 10 ** np.arange(16, -1, -1, dtype=np.int64) % 10
    letters = np.empty((n, 18), dtype=np.uint8)
    letters[:, :17] = digits + ord("0")
    letters[:, 17] = _CHECK[digits @ _WEIGHTS % 11]
    offsets = np.arange(0, 18 * n + 1, 18, dtype=np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(letters))


def _names(draws: Draws, male: NDArray[np.bool_]) -> pa.StringArray:
    """Surname and one or two given characters."""
    import pyarrow as pa
    import pyarrow.compute as pc

    n = len(male)
    surname = pa.array([s for s, _ in SURNAMES]).take(
        pa.array(draws.weighted("surname", n, tuple(w for _, w in SURNAMES)))
    )
    given = pa.array([*GIVEN["F"], *GIVEN["M"], ""])
    start = np.where(male, len(GIVEN["F"]), 0)
    size = np.where(male, len(GIVEN["M"]), len(GIVEN["F"]))
    first = start + draws.below("given 1", n, 10**6) % size
    second = start + draws.below("given 2", n, 10**6) % size
    second[draws.below("one character", n, 100) < 18] = len(given) - 1
    return pc.binary_join_element_wise(
        surname, given.take(pa.array(first)), given.take(pa.array(second)), ""
    )


def _cost_in_fen(draws: Draws, what: Ints) -> Ints:
    """The diagnosis's usual cost times a factor in 0.3 … 2.6 that leans low; whole fen."""
    usual = np.array([row[3] for row in DIAGNOSES], dtype=np.int64)[what]
    n = len(what)
    lean = draws.below("cost 1", n, 1000) * draws.below("cost 2", n, 1000)  # 0 … 10**6
    cost = usual * (300_000 + lean * 23 // 10) // 10**6
    return np.minimum(cost + draws.below("cost fen", n, 100), COST_CAP_FEN)


def _days(draws: Draws, what: Ints) -> Ints:
    """Days of treatment, 0 to what is usual for the diagnosis."""
    most = np.array([row[4] for row in DIAGNOSES], dtype=np.int64)[what]
    return draws.below("days", len(what), 10**6) % (most + 1)


__all__ = [
    "CITIES",
    "DATASET",
    "DISTRICT_NAMES",
    "ROWS",
    "YEAR",
    "City",
    "city_named",
    "visits",
]
