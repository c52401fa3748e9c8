"""Whatever is given as a receipt, verification answers; it never breaks."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.proof.receipt import verify_receipt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
TOKENS = st.one_of(st.text(max_size=20), st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"))


@given(JSON)
def test_any_json_gets_a_report_that_fails(document: object) -> None:
    assert not verify_receipt(document).ok


@given(TOKENS, TOKENS, st.lists(TOKENS, max_size=3), st.dictionaries(st.text(max_size=5), TOKENS))
def test_any_tokens_get_a_report_that_fails(
    receipt: str, plan: str, cards: list[str], statements: dict[str, str]
) -> None:
    document = {
        "version": 1,
        "receipt": receipt,
        "plan": plan,
        "cards": cards,
        "statements": statements,
        "release": None,
    }
    report = verify_receipt(document)
    assert not report.ok
    assert all(check.what for check in report.checks)
