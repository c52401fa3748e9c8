"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from catalog.plan import Protocol
from protos.language import Text

DEFAULT_DIRECTORY: Final = Path(".veil")

Directory = Annotated[
    Path,
    typer.Option("--dir", help=str(Text("Directory of the cluster.", "集群所在目录。"))),
]
ProfileFile = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        envvar="VEIL_PROFILE",
        help=str(Text("The analyst's profile.", "分析员配置文件。")),
    ),
]
Sql = Annotated[str, typer.Argument(help=str(Text("The statement.", "SQL 语句。")))]
Epsilon = Annotated[
    float | None,
    typer.Option(
        help=str(
            Text(
                "Privacy of this answer; smaller is noisier.", "本次查询的隐私参数；越小噪声越大。"
            )
        )
    ),
]
Exact = Annotated[
    bool,
    typer.Option(
        "--exact",
        help=str(Text("Exact figures, under every owner's grant.", "精确结果，需全部数据方授权。")),
    ),
]
ProtocolName = Annotated[
    Protocol | None,
    typer.Option(
        "--protocol",
        help=str(
            Text(
                "Which protocol sums; chosen for you if not given.",
                "求和协议；不指定则自动选择。",
            )
        ),
    ),
]
WaitSeconds = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=86_000,
        help=str(
            Text(
                "Seconds within which departments must answer; he_sum lets them choose when.",
                "各部门须在多少秒内应答；he_sum 由部门自定时间。",
            )
        ),
    ),
]
Project = Annotated[
    str | None,
    typer.Option(help=str(Text("Whose budget share pays.", "由哪个项目的预算份额支付。"))),
]
Without = Annotated[
    list[str] | None,
    typer.Option(help=str(Text("A department to leave out.", "不参与的部门。"))),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        help=str(
            Text(
                "Write the table: .csv, .parquet or .json.",
                "将结果写为文件：.csv、.parquet 或 .json。",
            )
        ),
    ),
]
ReceiptFile = Annotated[
    Path | None,
    typer.Option(
        "--receipt", help=str(Text("Write the receipt as JSON.", "将回执写为 JSON 文件。"))
    ),
]
CertificateFile = Annotated[
    Path | None,
    typer.Option(
        "--certificate",
        help=str(
            Text(
                "Write the result's certificate with all that proves it, for veil verify.",
                "写出结果证书及其全部证明，供 veil verify 核验。",
            )
        ),
    ),
]
