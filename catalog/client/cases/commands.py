"""The commands of a workflow, made from its table: a list, one case, and one for each step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from catalog.cli_options import AsJson, print_json, said
from catalog.client.cases.options import body_of, option
from catalog.client.connection import Connection
from catalog.client.profile import KeyFileOption, ServerOption, connection
from catalog.show.step_commands import OTHERWISE, command
from catalog.workflows.model import PARTIES, Step, Workflow
from protos.language import Text, joined

_COMMON: Final = {
    "server": (ServerOption, ""), "key_file": (KeyFileOption, None), "as_json": (AsJson, False),
}  # fmt: skip
CaseId = Annotated[str, typer.Argument(metavar="ID", help=said("The case's id.", "案件编号。"))]
SignWith = Annotated[
    Path,
    typer.Option("--sign-with", help=said("Your own key file, as an officer.",
                                          "负责人本人的密钥文件。")),
]  # fmt: skip
Reasons = Annotated[
    str, typer.Option("--reasons", help=said("Why; you sign it, too.", "理由；将一并签署。"))
]
_PATTERN: Final = "0123456789abcdef"
_MOST_BYTES: Final = 64 << 20  # of a file of events


def app_of(workflow: Workflow, about: Text) -> typer.Typer:
    """Returns the commands of a workflow."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, help=str(about))
    add_to(app, workflow)
    return app


def add_to(app: typer.Typer, workflow: Workflow) -> None:
    """Adds the commands of a workflow to others."""
    title = workflow.title
    # A product is listed by ``list``, so lists of cases have a word of their own.
    app.command("list", help=said(f"List cases ({title.en}), the newest first.",
                                  f"列出{title.zh}，新的在前。"))(_finder(workflow))  # fmt: skip
    app.command("show", help=said("Show a case, what was done in it, and verify that.",
                                  "查看案件及办理过程，并核验。"))(_shower(workflow))  # fmt: skip
    for step in workflow.steps:
        name = OTHERWISE.get((workflow.kind, step.name), step.name)
        app.command(name, help=str(_about(workflow, step)))(_taker(workflow, step))
    if any(step.office for step in workflow.steps):
        app.command("decide", help=said(
            "As an officer, sign a step's decision offline, into a file, for REST.",
            "由签批人离线签署某一步的决定并写入文件，供 REST 使用。",
        ))(_decider(workflow))  # fmt: skip


def _about(workflow: Workflow, step: Step) -> Text:
    """What a step is, who takes it, from where to where it leads, and an example."""
    titles = [workflow.state(name).title for name in step.before]
    before = joined(titles, Text(", ", "、")) if titles else Text("new", "新建")
    after = workflow.state(step.after).title if step.after else before
    who, what, kind = PARTIES[step.by], step.title, workflow.title
    example = command(workflow, step, "ID" if step.before else "")
    return Text(f"{what.en[:1].upper()}{what.en[1:]}.\n\n{kind.en[:1].upper()}{kind.en[1:]}: "
                f"{before.en} → {after.en}. By {who.en}.\n\n{example}",
                f"{what.zh}。\n\n{kind.zh}：{before.zh} → {after.zh}。"
                f"办理人：{who.zh}。\n\n{example}")  # fmt: skip


def _finder(workflow: Workflow) -> Callable[..., None]:
    def find(**given: Any) -> None:  # noqa: ANN401 - as Typer reads them
        from catalog.client.cases.show import show_list

        source, colon, code = given["dataset"].rpartition(":")
        names = ("state", "department", "limit", "cursor")
        asked = {name: given[name] for name in names}
        asked |= {name: given[name] or None for name in ("overdue", "mine", "waiting")}
        asked |= {"source": (source if colon else "local") if code else "", "identifier": code}
        with connection(given["server"], given["key_file"]) as made:
            page = made.get(f"/api/{workflow.kind}", **asked)
        if given["as_json"]:
            print_json(page)
        else:
            show_list(page)

    states = ", ".join(state.name for state in workflow.states)
    options = {
        "state": (str, "", f"Only in this state: {states}.", f"仅此状态：{states}。"),
        "department": (str, "", "Only of this department's code.", "仅此部门代码。"),
        "dataset": (str, "", "Only about this dataset, [SOURCE:]CODE.",
                    "仅涉及此数据资源，[来源:]代码。"),
        "overdue": (bool, False, "Only what is late.", "仅已逾期的。"),
        "mine": (bool, False, "Only your own.", "仅本人的。"),
        "waiting": (bool, False, "Only what waits for you.", "仅待本人办理的。"),
        "limit": (int, 20, "Cases on a page.", "每页件数。"),
        "cursor": (str, "", "From the page before.", "上一页给出的游标。"),
    }  # fmt: skip
    return _signed(find, _described(options) | _COMMON)


def _shower(workflow: Workflow) -> Callable[..., None]:
    def show(**given: Any) -> None:  # noqa: ANN401 - as Typer reads them
        from catalog.client.cases.evidence import fetch
        from catalog.client.cases.show import show_case, show_history
        from catalog.transparency.policy import LogPolicy

        case, policy, key = given["case"], given["policy"], given["catalog_key"]
        log = None if policy is None else LogPolicy.load(policy)
        with connection(given["server"], given["key_file"]) as made:
            body = _case(made, workflow, case)
            # A stranger sees what is open of a case, and no history.
            inside = "owner" in body
            found = fetch(made, workflow, case, key=key, policy=log) if inside else None
        if given["as_json"]:
            print_json(body | ({} if found is None else {"verified": found.to_dict()}))
            return
        show_case(workflow, body)
        if found is not None:
            show_history(workflow, found)

    options = {
        "catalog_key": (str, "", "The catalog's fingerprint, as its operator has told it.",
                        "目录运维员告知的目录指纹。"),
        "policy": (Path, None, "The log's public policy file, to check its signature, too.",
                   "日志公开策略文件，用于同时核验日志签名。"),
    }  # fmt: skip
    return _signed(show, {"case": (CaseId, ...)} | _described(options) | _COMMON)


def _described(options: dict[str, tuple[Any, Any, str, str]]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (
            Annotated[
                kind | None if default is None else kind,
                typer.Option(f"--{name.replace('_', '-')}", help=said(en, zh)),
            ],
            default,
        )
        for name, (kind, default, en, zh) in options.items()
    }


def _decider(workflow: Workflow) -> Callable[..., None]:
    officers = {step.name: step for step in workflow.steps if step.office}

    def decide(**given: Any) -> None:  # noqa: ANN401 - as Typer reads them
        from catalog.client.cases.deciding import signed_decision
        from catalog.client.cases.evidence import read_evidence
        from catalog.client.cases.show import show_asked
        from protos import terminal
        from protos.bounded_file import read_bounded
        from protos.faults import InputError
        from protos.keyfile import write_private
        from protos.strict_json import read_strict

        events, step, output = given["events"], given["step"], given["output"]
        wanted = officers.get(step)
        if wanted is None:
            raise InputError(
                Text(f"{step!r} is no step that an officer signs", f"“{step}”不是须签批的步骤"),
                remedy=Text(f"one of {', '.join(officers)}", f"可用：{'、'.join(officers)}"),
                code="case.step",
            )
        try:
            body = read_strict(read_bounded(events, _MOST_BYTES), most=_MOST_BYTES)
        except ValueError as error:
            raise InputError(
                Text(f"{events} is no case", f"{events} 不是案件记录"),
                remedy=Text(f"write what GET /api/{workflow.kind}/ID/events gives into it",
                            f"请存入 GET /api/{workflow.kind}/编号/events 的应答"),
                code="case.file",
            ) from error  # fmt: skip
        evidence = read_evidence(body, workflow, "", key=given["catalog_key"])
        show_asked(workflow, evidence)
        document = signed_decision(evidence, wanted, given["sign_with"], given["reasons"])
        write_private(output, document.encode())
        terminal.done(
            Text(f'Signed into {output}: {wanted.title.en}. Send it as "decision" to '
                 f'POST /api/{evidence.asked.case}/{step}, with "revision": '
                 f"{len(evidence.events)}",
                 f'已签名并写入 {output}：{wanted.title.zh}。作为 "decision" 提交至 '
                 f'POST /api/{evidence.asked.case}/{step}，"revision" 为 '
                 f"{len(evidence.events)}")
        )  # fmt: skip

    file = typer.Argument(help=said("The case, as GET …/events has given it.",
                                    "由 GET …/events 取得的案件记录。"))  # fmt: skip
    which = typer.Option(help=said(f"Which: {', '.join(officers)}.",
                                   f"步骤：{'、'.join(officers)}。"))  # fmt: skip
    new = typer.Option(help=said("The decision's new file.", "决定文件（新建）。"))
    options = {
        "catalog_key": (str, "", "The catalog's fingerprint, as its operator has told it.",
                        "目录运维员告知的目录指纹。"),
    }  # fmt: skip
    return _signed(
        decide,
        {
            "events": (Annotated[Path, file], ...),
            "step": (Annotated[str, which], ...),
            "sign_with": (SignWith, ...),
            "output": (Annotated[Path, new], ...),
            "reasons": (Reasons, ""),
        }
        | _described(options),
    )


def _taker(workflow: Workflow, step: Step) -> Callable[..., None]:
    def take(**given: Any) -> None:  # noqa: ANN401 - as Typer reads them
        from catalog.client.cases.show import show_case
        from protos import terminal

        body = body_of(step.fields, given)
        with connection(given["server"], given["key_file"]) as made:
            done = _take(made, workflow, step, body, given)
        if given["as_json"]:
            print_json(done)
            return
        terminal.done(Text(f"{step.title.en}: {done['id']}", f"{step.title.zh}：{done['id']}"))
        if "state_title" in done:
            show_case(workflow, done)

    return _signed(take, _parameters(step))


def _take(
    made: Connection, workflow: Workflow, step: Step, body: dict[str, Any], given: dict[str, Any]
) -> Any:  # noqa: ANN401 - JSON
    if not step.before:
        return made.send("POST", f"/api/{workflow.kind}", body)
    case = given["case"]
    body["revision"] = _case(made, workflow, case)["revision"]
    if step.office:
        from catalog.client.cases.deciding import signed_decision
        from catalog.client.cases.evidence import fetch
        from catalog.client.cases.show import show_asked

        evidence = fetch(made, workflow, case)
        if not given["as_json"]:
            show_asked(workflow, evidence)
        body["decision"] = signed_decision(evidence, step, given["sign_with"], given["reasons"])
    return made.send("POST", f"/api/{workflow.kind}/{case}/{step.name}", body)


def _case(made: Connection, workflow: Workflow, case: str) -> Any:  # noqa: ANN401 - JSON
    from catalog.workflows.taking import absent

    if len(case) != 16 or not set(case) <= set(_PATTERN):
        raise absent(workflow)
    return made.get(f"/api/{workflow.kind}/{case}")


def _parameters(step: Step) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    if step.before:
        found["case"] = (CaseId, ...)
    for field in step.fields:
        name, kind, default = option(field)
        found[name] = (kind, default)
    if step.office:
        found["sign_with"] = (SignWith, ...)
        found["reasons"] = (Reasons, "" if step.verdict == "approve" else ...)
    return found | _COMMON


def _signed(
    command: Callable[..., None], parameters: dict[str, tuple[Any, Any]]
) -> Callable[..., None]:
    """Gives a command the parameters that its step's table says, for Typer to read."""
    empty = inspect.Parameter.empty
    command.__signature__ = inspect.Signature([  # type: ignore[attr-defined]
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=kind,
            default=empty if default is ... else default,
        )
        for name, (kind, default) in parameters.items()
    ])  # fmt: skip
    command.__annotations__ = {name: kind for name, (kind, _) in parameters.items()}
    return command
