"""What benchmarks/recognition.py measures at full size holds at a small one."""

import pytest

from benchmarks.recognition import misnamed, per_type
from desensitize.recognisers import by_name
from tests.chinese_tables import KINDS, Kind


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if by_name()[k.name].in_text], ids=lambda kind: kind.name
)
def test_precision_and_recall(kind: Kind) -> None:
    score = per_type(kind, 400, seed=11)
    assert score.right + score.missed == 400
    # Surnames that few bear and many words begin with (南, 平, 国) are left out on purpose.
    assert score.recall >= (0.97 if kind.name == "cn_person" else 0.99)
    assert score.precision >= 0.99


def test_columns_under_messy_headers() -> None:
    number, wrong = misnamed(60, seed=12)
    assert number > 250
    assert 1 - len(wrong) / number >= 0.98, wrong
