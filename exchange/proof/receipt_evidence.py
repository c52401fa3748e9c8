"""Reading a receipt document: from untrusted JSON to evidence, one signature after the other.

Each step needs the one before: cards give the keys, the plan the roster, the receipt the survivors,
whose statements come last. Reading stops at the first part that does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.certificates.envelope import Credential
from catalog.certificates.receipts import (
    Receipt,
    Statement,
    read_plan,
    read_receipt,
    read_statement,
)
from catalog.certificates.report import Check
from catalog.plan import Plan
from protos.cards import Card, Pins, read_card
from protos.faults import TrustError, VeilError
from protos.identity import show_fingerprint
from protos.language import Text

VERSION: Final = 1
_MEMBERS: Final = {"version", "receipt", "statements", "plan", "cards", "release"}


@dataclass(frozen=True)
class Evidence:
    """What reading established, for the checks to compare.

    Attributes:
        document: The document itself.
        cards: (role, name) → card.
        plan: The plan, signed by the analyst's card.
        receipt: The receipt, signed by the exchange's card.
        credential: Its envelope.
        statements: Department → statement, signed by the department's card; survivors only, but
            not always all of them.
        pins: Whom the reader trusts, or None.
        table: Bytes of the result's file, or None.
        outcome_digest: Digest of the aggregate that the reader holds, or None.
    """

    document: Mapping[str, Any]
    cards: dict[tuple[str, str], Card]
    plan: Plan
    receipt: Receipt
    credential: Credential
    statements: dict[str, Statement]
    pins: Pins | None
    table: bytes | None
    outcome_digest: str | None


def read_document(document: object, checks: list[Check]) -> Evidence | None:
    """Reads the whole document, or stops at the first part that does not hold."""
    name = _SHAPE
    try:
        body = _shape(document)
        checks.append(Check(name, ok=True, what=Text(f"version {VERSION}", f"版本 {VERSION}")))
        name = _CARDS
        cards = _cards(body["cards"])
        checks.append(
            Check(
                name,
                ok=True,
                what=Text(
                    f"{len(cards)} cards, each signed by its own key",
                    f"{len(cards)} 张身份卡，均由各自的密钥签名",
                ),
            )
        )
        name = _PLAN
        analyst = only(cards, "analyst")
        plan = read_plan(analyst.identity, body["plan"])
        if (plan.analyst, plan.analyst_fingerprint) != (analyst.name, analyst.identity.fingerprint):
            raise TrustError(
                Text(
                    f"the plan is of {plan.analyst}, the card of {analyst.name}",
                    f"计划属于 {plan.analyst}，身份卡属于 {analyst.name}",
                )
            )
        checks.append(
            Check(
                name,
                ok=True,
                what=Text(f"signed by analyst {analyst.name}", f"由分析员 {analyst.name} 签名"),
            )
        )
        name = _RECEIPT
        exchange = only(cards, "exchange")
        receipt, credential = read_receipt(body["receipt"])
        if (credential.issuer, credential.identity) != (exchange.name, exchange.identity):
            raise TrustError(
                Text(
                    f"the receipt is issued by {credential.issuer} with the key "
                    f"{show_fingerprint(credential.identity.fingerprint)}, but the exchange's "
                    "card is "
                    f"of {exchange.name} with {show_fingerprint(exchange.identity.fingerprint)}",
                    f"回执由 {credential.issuer} 以密钥 "
                    f"{show_fingerprint(credential.identity.fingerprint)} 签发，"
                    f"但交换中心的身份卡属于 {exchange.name}，密钥为 "
                    f"{show_fingerprint(exchange.identity.fingerprint)}",
                )
            )
        checks.append(
            Check(
                name,
                ok=True,
                what=Text(
                    f"signed by exchange {exchange.name}", f"由交换中心 {exchange.name} 签名"
                ),
            )
        )
        name = _STATEMENTS
        statements = _statements(body["statements"], cards, receipt)
        signed = list(statements) or ["–"]
        checks.append(
            Check(
                name,
                ok=True,
                what=Text(f"signed by {', '.join(signed)}", f"签名方：{', '.join(signed)}"),
            )
        )
    except VeilError as error:
        checks.append(Check(name, ok=False, what=error.said))
        return None
    return Evidence(body, cards, plan, receipt, credential, statements, None, None, None)


def _shape(document: object) -> dict[str, Any]:
    if not isinstance(document, dict) or set(document) != _MEMBERS:
        raise TrustError(
            Text(
                f"the document must have exactly {', '.join(sorted(_MEMBERS))}",
                f"文件须恰好包含 {'、'.join(sorted(_MEMBERS))}",
            )
        )
    if document["version"] != VERSION or isinstance(document["version"], bool):
        raise TrustError(
            Text(
                f"version {document['version']!r} is not known; this is {VERSION}",
                f"未知版本 {document['version']!r}；本程序支持 {VERSION}",
            )
        )
    statements, cards, release = document["statements"], document["cards"], document["release"]
    tokens = [document["receipt"], document["plan"]]
    if not isinstance(statements, dict) or not isinstance(cards, list):
        raise TrustError(
            Text(
                "'statements' must be an object and 'cards' a list",
                "statements 须为对象，cards 须为列表",
            )
        )
    tokens += [*statements, *statements.values(), *cards, *([] if release is None else [release])]
    if not all(isinstance(token, str) for token in tokens):
        raise TrustError(
            Text(
                "every part of the document must be a signed token (a text)",
                "文件的每一部分都须为已签名的令牌（文本）",
            )
        )
    return document


def _cards(tokens: list[str]) -> dict[tuple[str, str], Card]:
    cards: dict[tuple[str, str], Card] = {}
    for number, token in enumerate(tokens, 1):
        try:
            card = read_card(token)
        except TrustError as error:
            raise TrustError(
                Text(f"card {number}: {error.message}", f"第 {number} 张身份卡：{error.said.zh}")
            ) from error
        if (card.role, card.name) in cards:
            raise TrustError(
                Text(
                    f"card {number}: a second card of {card.role} {card.name}",
                    f"第 {number} 张身份卡：{card.role} {card.name} 有两张",
                )
            )
        if any(card.identity == other.identity for other in cards.values()):
            raise TrustError(
                Text(
                    f"card {number}: {card.name} shares a key with another card",
                    f"第 {number} 张身份卡：{card.name} 与另一张身份卡使用同一密钥",
                )
            )
        cards[card.role, card.name] = card
    return cards


def only(cards: dict[tuple[str, str], Card], role: str) -> Card:
    """Returns the one card of a role.

    Raises:
        TrustError: There is none, or more than one.
    """
    found = [card for (of, _), card in cards.items() if of == role]
    if len(found) != 1:
        raise TrustError(
            Text(
                f"the document needs one card of an {role}, it has {len(found)}",
                f"文件须有一张 {role} 的身份卡，现有 {len(found)} 张",
            )
        )
    return found[0]


def _statements(
    tokens: dict[str, str], cards: dict[tuple[str, str], Card], receipt: Receipt
) -> dict[str, Statement]:
    for name in sorted(tokens.keys() - set(receipt.survivors)):
        raise TrustError(
            Text(
                f"there is a statement of {name}, which the receipt does not name",
                f"有 {name} 的声明，但回执中没有该部门",
            )
        )
    found: dict[str, Statement] = {}
    for name in (survivor for survivor in receipt.survivors if survivor in tokens):
        card = cards.get(("department", name))
        if card is None:
            raise TrustError(Text(f"the card of {name} is missing", f"缺少 {name} 的身份卡"))
        try:
            found[name] = read_statement(card.identity, tokens[name])
        except TrustError as error:
            raise TrustError(
                Text(f"statement of {name}: {error.message}", f"{name} 的声明：{error.said.zh}")
            ) from error
        if found[name].department != name:
            raise TrustError(
                Text(
                    f"statement of {name}: it speaks for {found[name].department}",
                    f"{name} 的声明：署名的是 {found[name].department}",
                )
            )
    return found


_SHAPE: Final = Text("Document", "文件格式")
_CARDS: Final = Text("Identity cards", "身份卡")
_PLAN: Final = Text("Analyst's signature on the plan", "分析员对计划的签名")
_RECEIPT: Final = Text("Exchange's signature on the receipt", "交换中心对回执的签名")
_STATEMENTS: Final = Text("Each department's signature", "各部门签名")
