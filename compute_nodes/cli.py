"""``veil node``: what a department's operator does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from protos.language import Text

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(Text("Run a department's node.", "运行部门节点。")),
)
grants_app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(
        Text(
            "Look at grant requests; approve or deny them, revoke grants.",
            "查看、批准或拒绝授权申请，撤销授权。",
        )
    ),
)
app.add_typer(grants_app, name="grants")

DEFAULT: Final = Path("veil-node")


def _enrolled(directory: Path) -> Path:
    """Refuses a directory that is no member's, before a command looks for files in it."""
    from protos.faults import InputError

    if not (directory / "member.json").is_file():
        raise InputError(
            Text(f"{directory} is no node's directory", f"{directory} 不是节点目录"),
            remedy=Text(
                "name it with --dir: `veil up` makes DIR/nodes/NAME, `veil node enroll` its own",
                "请用 --dir 指定：veil up 生成 DIR/nodes/NAME，veil node enroll 生成独立目录",
            ),
            code="node.directory",
        )
    return directory


NewDirectory = Annotated[
    Path,
    typer.Option(
        "--dir", help=str(Text("Where keys and certificate are put.", "存放密钥和证书的目录。"))
    ),
]
NodeDirectory = Annotated[
    Path,
    typer.Option(
        "--dir", callback=_enrolled, help=str(Text("The node's directory.", "节点目录。"))
    ),
]
RequestId = Annotated[
    str, typer.Argument(help=str(Text("Beginning of the request's id.", "申请编号的开头。")))
]


@app.command(help=str(Text("Become a member with an invitation.", "凭邀请成为成员。")))
def enroll(
    token: Annotated[
        str,
        typer.Argument(help=str(Text("The invitation, or a file with it.", "邀请码或其文件。"))),
    ],
    directory: NewDirectory = DEFAULT,
    analyst: Annotated[
        bool, typer.Option("--analyst", help=str(Text("Enrol an analyst.", "注册为分析员。")))
    ] = False,
) -> None:
    """Makes keys on this machine and gets a certificate for the name that the exchange chose."""
    from compute_nodes.rpc.enrol import enroll as redeem
    from protos import terminal
    from protos.cards import read_card
    from protos.identity import show_fingerprint

    text = Path(token).read_text("ascii") if Path(token).is_file() else token
    member = redeem(text.strip(), directory, "analyst" if analyst else "department")
    card = read_card((directory / "card.jwt").read_text("ascii"))
    terminal.done(
        Text(
            f"{directory} is {member.role} {member.name}.", f"{directory} 已注册为 {member.name}。"
        )
    )
    shown = show_fingerprint(card.identity.fingerprint, full=True)
    terminal.say(
        Text(f"Fingerprint, to be compared by telephone: {shown}", f"指纹（请电话核对）：{shown}")
    )


@app.command(help=str(Text("Show this member's fingerprint, and the exchange's.", "显示指纹。")))
def fingerprint(directory: NodeDirectory = DEFAULT) -> None:
    """Prints what others pin, and what to compare with the exchange's operator."""
    from compute_nodes.rpc.membership import Membership
    from protos import terminal
    from protos.cards import read_card

    own = read_card((directory / "card.jwt").read_text("ascii"))
    exchange = read_card(Membership.load(directory).exchange_card)
    rows = [(card.role, card.name, card.identity.fingerprint) for card in (own, exchange)]
    columns = (Text("Role", "角色"), Text("Name", "名称"), Text("Fingerprint", "指纹"))
    terminal.table([str(c) for c in columns], rows)


@app.command(help=str(Text("Believe somebody's key.", "信任某个身份密钥。")))
def pin(
    role: Annotated[
        str,
        typer.Argument(
            help=str(
                Text(
                    "department, analyst, exchange or auditor.",
                    "department/analyst/exchange/auditor。",
                )
            )
        ),
    ],
    name: Annotated[str, typer.Argument(help=str(Text("Name.", "名称。")))],
    key: Annotated[
        str, typer.Argument(help=str(Text("Fingerprint, 64 hex digits.", "指纹，64 位十六进制。")))
    ],
    directory: NodeDirectory = DEFAULT,
    department: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "To which department an analyst belongs; it does not count for min_parties.",
                    "分析员所属部门;该部门不计入 min_parties。",
                )
            )
        ),
    ] = "",
) -> None:
    """Pins a fingerprint that you have compared over another channel."""
    from protos import terminal
    from protos.cards import Pins
    from protos.names import check_role

    pins = Pins.load(directory / "pins.toml")
    pins.add(check_role(role), name, key.replace(" ", "").lower(), department)
    pins.save(directory / "pins.toml")
    terminal.done(Text(f"Pinned {role} {name}.", f"已信任 {role} {name}。"))


@app.command(
    help=str(Text("Serve until stopped; listens on nothing.", "运行节点；不监听任何端口。"))
)
def serve(directory: NodeDirectory = DEFAULT) -> None:
    """Loads the data, dials the exchange, and answers what the policy allows."""
    import logging
    import os
    import signal
    import threading

    from compute_nodes.config import FAILED
    from compute_nodes.daemon import NodeDaemon
    from protos.canonical import canonical
    from protos.faults import VeilError
    from protos.whole_file import write_whole

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    ready, failed_file = directory / "ready.json", directory / FAILED
    ready.unlink(missing_ok=True)
    failed_file.unlink(missing_ok=True)
    stop, failures = threading.Event(), list[VeilError]()

    def failed(error: VeilError) -> None:
        failures.append(error)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    daemon = NodeDaemon(
        directory, lambda: write_whole(ready, f'{{"pid": {os.getpid()}}}'.encode()), failed
    )
    try:
        daemon.start()
    except VeilError as error:
        write_whole(failed_file, canonical(error.public()))  # for `veil up`, which waits
        raise
    while not stop.wait(0.5):
        pass
    daemon.stop()
    ready.unlink(missing_ok=True)
    if failures:
        raise failures[0]


@app.command(
    help=str(Text("What this node holds, and what was found in the data.", "持有的数据。"))
)
def status(directory: NodeDirectory = DEFAULT) -> None:
    """Loads declarations, policies and data as `serve` does, and shows what was found."""
    from compute_nodes.views import show_holdings

    show_holdings(directory)


@app.command(help=str(Text("The latest jobs.", "最近的任务。")))
def jobs(directory: NodeDirectory = DEFAULT) -> None:
    """Shows who asked what, and how it ended."""
    from compute_nodes.views import show_jobs

    show_jobs(directory)


@app.command(help=str(Text("Budget that was spent, and bytes that left.", "预算支出与出域字节。")))
def ledger(
    directory: NodeDirectory = DEFAULT,
    job: Annotated[
        str | None,
        typer.Option(help=str(Text("Messages of one job, one by one.", "列出某任务的每条消息。"))),
    ] = None,
) -> None:
    """Shows both ledgers, and checks the egress ledger's hash chain."""
    from compute_nodes.views import show_ledger

    show_ledger(directory, job)


@grants_app.command("list", help=str(Text("Show grant requests.", "查看授权申请。")))
def grants_list(directory: NodeDirectory = DEFAULT) -> None:
    """Shows every request, with what was answered."""
    from compute_nodes.views import show_requests

    show_requests(directory)


@grants_app.command("show", help=str(Text("One request in full.", "查看一份申请的全部内容。")))
def grants_show(request: RequestId, directory: NodeDirectory = DEFAULT) -> None:
    """Shows what would be allowed, and the exact releases that it overlaps with."""
    from compute_nodes.views import show_request

    show_request(directory, request)


@grants_app.command(help=str(Text("Sign a grant.", "签发授权。")))
def approve(
    request: RequestId,
    directory: NodeDirectory = DEFAULT,
    override: Annotated[
        bool,
        typer.Option(
            "--override-overlap",
            help=str(
                Text(
                    "Approve although it overlaps with an earlier exact release.",
                    "即使与早先的精确结果人群重叠，仍予批准。",
                )
            ),
        ),
    ] = False,
) -> None:
    """Signs with the department's own key, and sends the grant to the exchange."""
    from compute_nodes.approval import approve as sign
    from protos import terminal

    identifier = sign(directory, request, override=override)
    terminal.done(Text(f"Granted {identifier[:12]}.", f"已授权 {identifier[:12]}。"))


@grants_app.command(
    help=str(
        Text(
            "End a grant: this node answers nothing under it any more.",
            "撤销授权：本节点不再据此作答。",
        )
    )
)
def revoke(
    request: RequestId,
    reason: Annotated[
        str, typer.Option(help=str(Text("Why; the analyst reads it.", "原因，分析员可见。")))
    ],
    directory: NodeDirectory = DEFAULT,
) -> None:
    """Ends a grant here first, then tells the exchange."""
    from compute_nodes.ending import revoke as end
    from protos import terminal

    identifier, untold = end(directory, request, reason)
    terminal.done(
        Text(
            f"Revoked {identifier[:12]}: nothing is answered under it any more.",
            f"已撤销 {identifier[:12]}：不再据此作答。",
        )
    )
    if untold is not None:
        terminal.say(
            Text(
                f"The exchange does not know it yet ({untold.said.en}); run this again.",
                f"交换中心尚未得知（{untold.said.zh}）；请再次运行以通知。",
            ),
            style=terminal.BAD,
        )


@grants_app.command(help=str(Text("Deny a request.", "拒绝申请。")))
def deny(
    request: RequestId,
    directory: NodeDirectory = DEFAULT,
    reason: Annotated[
        str, typer.Option(help=str(Text("Why; the analyst reads it.", "原因，分析员可见。")))
    ] = "",
) -> None:
    """Denies, and tells the analyst why."""
    from compute_nodes.approval import deny as refuse
    from protos import terminal

    identifier = refuse(directory, request, reason)
    terminal.done(Text(f"Denied {identifier[:12]}.", f"已拒绝 {identifier[:12]}。"))
