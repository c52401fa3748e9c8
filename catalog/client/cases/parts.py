"""Commands about parts of a case: officers' decisions as a file, certificates, results."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.cli_options import AsJson, print_json, said
from catalog.client.cases.commands import CaseId
from catalog.client.profile import KeyFileOption, ServerOption, connection
from protos.language import Text


def add_to_requests(app: typer.Typer) -> None:
    """Adds what only requests for use have."""
    about = said(
        "Write the officers' decisions into a file, for veil grant request.",
        "将签批人的决定写入文件，供 veil grant request 使用。",
    )
    app.command(help=about)(decisions)
    about = said(
        "Certificates of the grants, and of the results that used them.",
        "查看授权证书及使用授权的流通证书。",
    )
    app.command(help=about)(circulations)


def add_to_assets(app: typer.Typer) -> None:
    """Adds what only assets have."""
    app.command(help=said("The registration certificate.", "查看登记证书。"))(certificate)


def add_to_authorisations(app: typer.Typer) -> None:
    """Adds what only authorisations have."""
    about = said(
        "Every use of your data, each verified, with its proof in the log.",
        "查看对您数据的每次使用，逐条核验日志收录证明。",
    )
    app.command(help=about)(uses)


def decisions(
    case: CaseId,
    out: Annotated[Path, typer.Option(help=said("New file to write.", "写出的新文件。"))],
    server: ServerOption = "",
    key_file: KeyFileOption = None,
) -> None:
    """Writes the decisions by which a request was approved."""
    from catalog.certificates.decisions import read_decision_file
    from protos import terminal
    from protos.canonical import canonical
    from protos.keyfile import write_private

    content = canonical(_part("requests", case, "decisions", server, key_file))
    found = read_decision_file(content)  # their signatures hold, or nothing is written
    write_private(out, content)
    terminal.done(Text(f"{out}: {len(found)} decisions", f"{out}：{len(found)} 份决定"))


def circulations(
    case: CaseId,
    server: ServerOption = "",
    key_file: KeyFileOption = None,
    as_json: AsJson = False,
) -> None:
    """Lists the certificates behind the grants of a request."""
    from protos import terminal

    body = _part("requests", case, "circulations", server, key_file)
    if as_json:
        print_json(body)
        return
    none = Text("no certificate yet", "尚无证书")
    for grant in body["grants"]:
        identifier, known = grant["grant"], grant["authorisation"]
        terminal.say(Text(f"grant {identifier}: {known or none.en}",
                          f"授权 {identifier}：{known or none.zh}"))  # fmt: skip
        for each in grant["circulations"]:
            terminal.say(_line(each), indent=2)
    if not body["grants"]:
        terminal.say(Text("Nothing is granted yet.", "尚未授权。"))


def certificate(
    case: CaseId,
    server: ServerOption = "",
    key_file: KeyFileOption = None,
    as_json: AsJson = False,
) -> None:
    """Shows the certificate of an asset."""
    from protos import terminal

    body = _part("assets", case, "certificate", server, key_file)
    if as_json:
        print_json(body)
    elif body["certificate"] is None:
        terminal.say(Text("There is no certificate (yet).", "（尚）无证书。"))
    else:
        terminal.say(_line(body["certificate"]))


def uses(
    limit: Annotated[int, typer.Option(help=said("Uses on a page.", "每页条数。"))] = 20,
    cursor: Annotated[
        str, typer.Option(help=said("From the page before.", "上一页给出的游标。"))
    ] = "",
    server: ServerOption = "",
    key_file: KeyFileOption = None,
    as_json: AsJson = False,
) -> None:
    """Lists every use of one's own data."""
    from catalog.client.cases.evidence import check_uses
    from catalog.client.cases.show import moment
    from protos import terminal

    with connection(server, key_file) as made:
        page = made.get("/api/authorisations/uses", limit=limit, cursor=cursor)
    found = check_uses(page)
    if as_json:
        print_json(page)
        return
    for each in found:
        said_ = each.said
        place = Text("not in the log yet", "尚未收录于日志")
        if each.entry is not None:
            place = Text(f"entry {each.entry} of the log", f"日志第 {each.entry} 条")
        terminal.say(Text(f"{moment(said_.at)}  {said_.fields['reference']} by "
                          f"{said_.counterpart}, {said_.case}: {place.en}",
                          f"{moment(said_.at)}  {said_.counterpart} {said_.fields['reference']}，"
                          f"{said_.case}：{place.zh}"))  # fmt: skip
    held = "1 use holds" if len(found) == 1 else f"{len(found)} uses hold"
    terminal.done(Text(f"{held}.", f"{len(found)} 条使用记录核验通过。"))
    if page["cursor"]:
        terminal.say(Text(f"Next page: --cursor {page['cursor']}",
                          f"下一页：--cursor {page['cursor']}"), style=terminal.SOFT)  # fmt: skip


def _part(kind: str, case: str, part: str, server: str, key_file: Path | None) -> Any:  # noqa: ANN401 - JSON
    with connection(server, key_file) as made:
        return made.get(f"/api/{kind}/{case}/{part}")


def _line(record: dict[str, Any]) -> Text:
    at = dt.datetime.fromtimestamp(record["issued_at"], dt.UTC).date().isoformat()
    ended = any(record["status"].values())
    return Text(f"{record['id']}, {at}{', not in force' if ended else ''}",
                f"{record['id']}，{at}{'，已失效' if ended else ''}")  # fmt: skip
