"""People for a catalog that `veil up --catalog` serves: an analyst, two officers of a department.

They have what such people have in life, each in a file of mode 0600: an API key of their account,
and, the officers, the key of their office. The catalog enrols the officers, and so does the
department's own node, which from then on signs grants on their words. On one machine, all of this
is one person's to try; nobody has a password.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import Final

from catalog.access.accounts import Account, Accounts
from catalog.access.audit import Audit
from catalog.access.keys import ApiKeys, Wish, usual_scopes
from catalog.access.roles import Role
from catalog.interchange.declared import Node, read_nodes
from catalog.publishing.signers import enrol
from catalog.registry.registry import Registry, opened
from desensitize.attesting.signing import new_signing_key
from exchange.cluster.cluster import PEOPLE
from protos.did_key import fingerprint_of
from protos.faults import UnavailableError
from protos.keyfile import write_private
from protos.language import Text
from protos.whole_file import write_whole

ANALYST: Final = ("wang", "王晓（分析员）")
OFFICERS: Final[tuple[tuple[str, str, Role], ...]] = (
    ("li", "李华（数据专员）", "steward"),
    ("wu", "吴敏（首席数据官）", "chief"),
)
_DAYS: Final = 90
_WAIT_S: Final = 30.0  # until the node has said what it holds


def make_people(cluster: Path, catalog: Path, node: str) -> None:
    """Makes accounts, keys and officers.

    Args:
        cluster: Its directory.
        catalog: The served catalog's.
        node: Name of the department whose officers two of them are.

    Raises:
        UnavailableError: The department does not come into the catalog, or a file is not written.
    """
    folder = cluster / PEOPLE
    folder.mkdir(mode=0o700, exist_ok=True)
    code = read_nodes(catalog).get(node, Node()).code or node
    with opened(catalog) as registry:
        _wait_for(registry, code)
        _note(registry)
        dids = {name: new_signing_key(folder / f"{name}.pem") for name, _, _ in OFFICERS}
        _account(registry, folder, Account(*ANALYST, frozenset[Role]({"analyst"})))
        for name, title, office in OFFICERS:
            _account(registry, folder, Account(name, title, frozenset[Role]({office}), code))
            enrol(registry, code, dids[name], role=office, name=title, by="veil up", days=_DAYS)
    _rule(cluster / "nodes" / node / "node.toml", code, dids)


def _wait_for(registry: Registry, code: str) -> None:
    """Waits until the department is in the catalog, which its node's declaration brings."""
    end = time.monotonic() + _WAIT_S
    while all(known.department.code != code for known in registry.providers()):
        if time.monotonic() > end:
            raise UnavailableError(
                Text(
                    f"the node of {code} has not come into the catalog",
                    f"{code} 的节点未登记到目录",
                ),
                remedy=Text("see the exchange's log", "请查看交换中心日志"),
                code="catalog.people",
            )
        time.sleep(0.05)


def _note(registry: Registry) -> None:
    audit = Audit(registry.directory, lambda: time.time_ns() // 1_000_000)
    audit.open()
    try:
        audit.write({"action": "account.write", "account": "", "operator": "veil up",
                     "command": "veil up --catalog"})  # fmt: skip
    finally:
        audit.close()


def _account(registry: Registry, folder: Path, account: Account) -> None:
    Accounts(registry.database, registry.now).add(account)
    maker = account.principal()
    wish = Wish("veil up", usual_scopes(maker), _DAYS * 86_400)
    _, text = ApiKeys(registry.database, registry.now).add(maker, wish)
    write_private(folder / f"{account.name}.key", text.encode())


def _rule(file: Path, code: str, dids: dict[str, str]) -> None:
    """Names the officers in the node's own file, which it reads anew for each request."""
    today = dt.datetime.now(dt.UTC).date()
    lines = ["", "[grants]", f"department = {json.dumps(code)}"]
    for name, _, office in OFFICERS:
        lines += [
            "[[grants.officer]]", f'name = "{name}"', f'office = "{office}"',
            f'key = "{fingerprint_of(dids[name])}"',
            f"since = {today - dt.timedelta(1)}", f"until = {today + dt.timedelta(_DAYS)}",
        ]  # fmt: skip
    lines += ["[[grants.rule]]", 'datasets = ["*"]', "steward = 1", "chief = 1", ""]
    write_whole(file, (file.read_text("utf-8") + "\n".join(lines)).encode())
