"""``veil desensitize``: what a data steward does before anything is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protos.language import Text

if TYPE_CHECKING:
    from desensitize.findings import ScanReport
    from desensitize.table_scan import Progress

app = typer.Typer(
    no_args_is_help=True,
    help=str(
        Text(
            "Find, grade and mask what is personal in a table.", "识别、分级并脱敏表中的个人信息。"
        )
    ),
)
keys = typer.Typer(
    no_args_is_help=True,
    help=str(Text("Make, rotate and list token keys.", "生成、轮换、查看令牌密钥。")),
)
app.add_typer(keys, name="keys")

FileArgument = Annotated[
    Path,
    typer.Argument(
        help=str(
            Text(
                "CSV (UTF-8 or GB18030), Parquet, Excel or OpenDocument.",
                "CSV（UTF-8 或 GB18030）、Parquet、Excel 或 OpenDocument 文件。",
            )
        )
    ),
]
FullOption = Annotated[
    bool,
    typer.Option(
        "--full/--sample",
        help=str(
            Text(
                "Look at every row (needed before a release), or at a random sample.",
                "全量扫描（发布前必需），或随机抽样。",
            )
        ),
    ),
]
SampleOption = Annotated[
    int, typer.Option(min=100, help=str(Text("Rows of the sample.", "抽样行数。")))
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", help=str(Text("Also write the report to this file.", "同时写出 JSON 报告。"))
    ),
]
SheetOption = Annotated[str, typer.Option(help=str(Text("Sheet of a workbook.", "工作表名称。")))]
MemoryOption = Annotated[
    int,
    typer.Option(
        min=256,
        help=str(Text("Memory that reading may take, MB.", "读取文件的内存上限（MB）。")),
    ),
]
KeyFileArgument = Annotated[
    Path,
    typer.Argument(help=str(Text("File of token keys, mode 0600.", "令牌密钥文件（权限 0600）。"))),
]

PolicyOption = Annotated[
    Path | None,
    typer.Option(
        help=str(
            Text(
                "Policy file, where its hierarchy files lie; the release's copy by default.",
                "策略文件（其层级文件所在处）；缺省为发布目录中的副本。",
            )
        )
    ),
]
AuxiliaryOption = Annotated[
    Path | None,
    typer.Option(
        help=str(
            Text(
                "What an attacker has, with the original's names of columns; the original itself "
                "by default.",
                "攻击者掌握的数据，列名与原始数据一致；缺省为原始数据本身。",
            )
        )
    ),
]
EarlierOption = Annotated[
    list[Path] | None,
    typer.Option(
        help=str(
            Text(
                "Directory of an earlier release of the dataset; may be given several times.",
                "同一数据集此前的发布目录；可多次指定。",
            )
        )
    ),
]


@app.command(help=str(Text("What is personal in a table, and why.", "识别表中的个人信息及依据。")))
def scan(
    file: FileArgument,
    json_file: JsonOption = None,
    full: FullOption = True,
    sample_rows: SampleOption = 10_000,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Scans a file in a limited process, prints a table and, if asked, writes JSON."""
    from desensitize.show import show

    out = _writable(json_file)
    report = _scanned(file, full, sample_rows, sheet, memory_mb)
    show(report)
    _write_json(out, report.to_dict())


@app.command(
    help=str(
        Text(
            "Propose a policy for a table, with the reasons; write it to a file and edit it.",
            "为表生成建议策略并说明理由；请写入文件后修改。",
        )
    )
)
def plan(
    file: FileArgument,
    full: FullOption = True,
    sample_rows: SampleOption = 10_000,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Scans a file and prints a policy (TOML) on standard output."""
    import sys

    from desensitize.proposal import proposal

    report = _scanned(file, full, sample_rows, sheet, memory_mb)
    sys.stdout.write(proposal(report))


@app.command(
    help=str(
        Text(
            "Make a release: the desensitized copy, its policy, and a manifest of what was done.",
            "生成发布：脱敏后的数据、所用策略，以及处理清单。",
        )
    )
)
def run(
    file: FileArgument,
    policy: Annotated[
        Path, typer.Option(help=str(Text("Policy file (TOML).", "策略文件（TOML）。")))
    ],
    out: Annotated[
        Path,
        typer.Option(
            help=str(Text("Directory to make; must not exist.", "要创建的目录；不得已存在。"))
        ),
    ],
    token_keys: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "File of token keys; needed by token, ff1 and date_shift.",
                    "令牌密钥文件；token、ff1、date_shift 需要。",
                )
            )
        ),
    ] = None,
    attack: Annotated[
        bool,
        typer.Option(
            "--attack/--no-attack",
            help=str(
                Text(
                    "Try the attacks that the policy limits, and refuse what they defeat; the gate "
                    "tries them in any case.",
                    "执行策略设限的攻击测试，未通过则拒绝发布；门禁无论如何都会测试。",
                )
            ),
        ),
    ] = True,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Masks a file in a limited process, scans the output and publishes the directory whole."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show_release import show_release
    from protos import terminal

    with _bars() as begins:
        release = desensitize.run(
            file,
            policy=policy,
            out=out,
            token_keys=token_keys,
            sheet=sheet,
            attack=attack,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=begins(Text(f"Masking {file.name}", f"正在脱敏 {file.name}")),
            stages=begins,
        )
    show_release(release)
    terminal.done(Text(f"Wrote {out}.", f"已写入 {out}。"))


@app.command(
    help=str(
        Text(
            "How identifying a table or a release is, and what a reader may conclude.",
            "度量表或发布数据的重标识风险，并说明读者可推断的内容。",
        )
    )
)
def risk(
    file: Annotated[
        Path,
        typer.Argument(
            help=str(Text("A table, or the directory of a release.", "数据文件，或发布目录。"))
        ),
    ],
    quasi: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "Columns that an attacker knows, divided by commas; a release knows its own.",
                    "攻击者掌握的列，以逗号分隔；发布目录可省略。",
                )
            )
        ),
    ] = "",
    sensitive: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "Columns that he wants to know, divided by commas.",
                    "攻击者想得知的列，以逗号分隔。",
                )
            )
        ),
    ] = "",
    population: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "File with everybody from whom the rows were drawn.",
                    "总体数据文件：表中各行所取自的全部人员。",
                )
            )
        ),
    ] = None,
    json_file: JsonOption = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Measures a file in a limited process, prints sentences and tables."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show_risk import show_risk
    from protos import terminal

    json_out = _writable(json_file)
    with terminal.row_progress(Text(f"Measuring {file.name}", f"正在度量 {file.name}")) as progress:
        report = desensitize.risk(
            file,
            _listed(quasi),
            _listed(sensitive),
            population=population,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show_risk(report)
    _write_json(json_out, report.to_dict())


@app.command(
    help=str(
        Text(
            "Attack a release as an outsider would; says which masks do not hold, and what would.",
            "以外部攻击者的方式测试发布数据，指出哪些掩码不成立以及可行的做法。",
        )
    )
)
def attack(
    original: Annotated[
        Path,
        typer.Argument(help=str(Text("What the release was made from.", "生成该发布的原始数据。"))),
    ],
    release: Annotated[
        Path,
        typer.Argument(
            help=str(
                Text("Directory of the release, or its rows.", "发布目录，或发布后的数据文件。")
            )
        ),
    ],
    policy: PolicyOption = None,
    auxiliary: AuxiliaryOption = None,
    earlier: EarlierOption = None,
    json_file: JsonOption = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Attacks a release in a limited process; exit code 1 if a limit of the policy is broken."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show_attack import show_attacks
    from protos import terminal

    out = _writable(json_file)
    with terminal.row_progress(
        Text(f"Attacking {release.name}", f"正在对 {release.name} 进行攻击测试")
    ) as progress:
        report = desensitize.attack(
            original,
            release,
            policy=policy,
            auxiliary=auxiliary,
            earlier=earlier or [],
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show_attacks(report)
    _write_json(out, report.to_dict())
    if any(each.verdict in {"broken", "unknown"} for each in report.findings):
        raise typer.Exit(1)


@app.command(
    help=str(
        Text(
            "Scan, measure and attack a release, and sign an attestation, or refuse with reasons.",
            "复扫、度量、攻击测试发布数据；通过则签署证明，否则说明拒绝理由。",
        )
    )
)
def gate(
    directory: Annotated[
        Path, typer.Argument(help=str(Text("Directory of the release.", "发布目录。")))
    ],
    original: Annotated[
        Path,
        typer.Option(help=str(Text("What the release was made from.", "生成该发布的原始数据。"))),
    ],
    signing_key: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "Key of whoever answers for it; without one nothing is signed.",
                    "责任人的签名密钥；缺省则不签署。",
                )
            )
        ),
    ] = None,
    policy: PolicyOption = None,
    auxiliary: AuxiliaryOption = None,
    earlier: EarlierOption = None,
    valid_days: Annotated[
        int,
        typer.Option(
            min=1,
            max=36_500,
            help=str(Text("Days for which the attestation holds.", "证明的有效天数。")),
        ),
    ] = 365,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Attests a release or refuses; exit code 1 if it refuses."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show_attack import show_gate

    with _bars() as begins:
        gated = desensitize.gate(
            directory,
            original=original,
            signing_key=signing_key,
            policy=policy,
            auxiliary=auxiliary,
            earlier=earlier or [],
            valid_days=valid_days,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            stages=begins,
        )
    show_gate(gated)
    if not gated.verdict.passed:
        raise typer.Exit(1)


@app.command(
    help=str(
        Text(
            "Check an attestation offline, check by check; exit code 1 unless everything holds.",
            "离线逐项核验发布证明；并非全部成立时退出码为 1。",
        )
    )
)
def verify(
    attestation: Annotated[
        Path, typer.Argument(help=str(Text("attestation.json", "attestation.json 文件。")))
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "The published file; the one beside the attestation by default.",
                    "已发布的数据文件；缺省为证明旁边的文件。",
                )
            )
        ),
    ] = None,
    signer: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "did:key or fingerprint of the signer whom you trust.",
                    "您信任的签署者的 did:key 或指纹。",
                )
            )
        ),
    ] = "",
) -> None:
    """Checks an attestation."""
    import desensitize
    from desensitize.show_attack import show_verification

    found = desensitize.verify(attestation, data=data, signer=signer)
    show_verification(found)
    if not found.valid:
        raise typer.Exit(1)


@contextmanager
def _bars() -> Iterator[Callable[[Text], Progress]]:
    """Shows one progress bar after the other: what begins ends what was before."""
    from protos import terminal

    with ExitStack() as stack:

        def begins(what: Text) -> Progress:
            stack.close()
            return stack.enter_context(terminal.row_progress(what))

        yield begins


def _listed(written: str) -> list[str]:
    """Column names between commas, ASCII or full-width."""
    return [name.strip() for name in written.replace("，", ",").split(",") if name.strip()]


@keys.command(
    "new",
    help=str(
        Text(
            "Make a key for each domain, in a new file or added to one.",
            "为每个域生成密钥，写入新文件或加入已有文件。",
        )
    ),
)
def new(
    file: KeyFileArgument,
    domains: Annotated[
        list[str],
        typer.Argument(
            help=str(Text("Domains, such as the policy names them.", "策略中使用的域名称。"))
        ),
    ],
) -> None:
    """Makes keys."""
    from desensitize.keys import new_keys
    from desensitize.show_release import show_keys

    show_keys(new_keys(file, domains))


@keys.command(
    "rotate",
    help=str(
        Text(
            "Retire keys and make new ones; tokens before and after do not match.",
            "停用旧密钥并生成新密钥；轮换前后的令牌互不相同。",
        )
    ),
)
def rotate(
    file: KeyFileArgument,
    domains: Annotated[
        list[str] | None,
        typer.Argument(help=str(Text("Domains; all if none is named.", "域名称；缺省为全部。"))),
    ] = None,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help=str(
                Text(
                    "Erase the retired secrets for good; their record stays.",
                    "彻底删除已停用的密钥内容，仅保留记录。",
                )
            ),
        ),
    ] = False,
) -> None:
    """Rotates keys."""
    from desensitize.keys import rotate_keys
    from desensitize.show_release import show_keys

    show_keys(rotate_keys(file, domains or [], forget=forget))


@keys.command(
    "list",
    help=str(
        Text(
            "Which keys there are and have been; never a secret.",
            "列出现有和历史密钥，不含密钥内容。",
        )
    ),
)
def list_keys(file: KeyFileArgument) -> None:
    """Lists keys."""
    from desensitize.keys import read_keys
    from desensitize.show_release import show_keys

    show_keys(read_keys(file))


@keys.command(
    "signing",
    help=str(
        Text(
            "Make a key that signs attestations; tells its DID and fingerprint.",
            "生成签署证明的密钥，并给出其 DID 与指纹。",
        )
    ),
)
def signing(
    file: Annotated[
        Path,
        typer.Argument(help=str(Text("New key file, mode 0600.", "新密钥文件（权限 0600）。"))),
    ],
) -> None:
    """Makes a signing key."""
    from desensitize.show_attack import show_signer
    from desensitize.signing import new_signing_key

    show_signer(new_signing_key(file))


def _scanned(file: Path, full: bool, sample_rows: int, sheet: str, memory_mb: int) -> ScanReport:
    """Scans a file with progress on standard error."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from protos import terminal

    with terminal.row_progress(Text(f"Scanning {file.name}", f"正在扫描 {file.name}")) as progress:
        return desensitize.scan(
            file,
            full=full,
            sample_rows=sample_rows,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )


def _write_json(path: Path | None, body: dict[str, Any]) -> None:
    """Writes a report, if somebody asked for it."""
    import json

    from protos import terminal

    if path is not None:
        path.write_text(json.dumps(body, ensure_ascii=False, indent=2) + "\n", "utf-8")
        terminal.done(Text(f"Wrote {path}.", f"已写入 {path}。"))


def _writable(path: Path | None) -> Path | None:
    """Refuses, before a long scan, a file that could not be written after it."""
    import os

    from protos.faults import InputError

    if path is not None and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InputError(
            Text(
                f"{path} cannot be written: {path.parent} is no directory that you may write to",
                f"无法写入 {path}：{path.parent} 不是可写的目录",
            ),
            code="scan.output",
        )
    return path
