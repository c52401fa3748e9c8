"""``veil catalog harvest change``: other settings, without losing what was harvested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.cli_options import DEFAULT, AsJson, CatalogDirectory, opened, print_json, said
from protos.language import Text


def change(
    name: Annotated[str, typer.Argument(help=said("Name of the harvest.", "采集名称。"))],
    directory: CatalogDirectory = DEFAULT,
    place: Annotated[
        str | None,
        typer.Option(
            help=said(
                "Division for whose departments it speaks from now on; 000000 for any.",
                "该目录今后代表的区划；000000 表示不限。",
            )
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help=said(
                "Another address of the same catalog, on the same server.",
                "同一目录在同一服务器上的新地址。",
            )
        ),
    ] = None,
    moved: Annotated[
        bool,
        typer.Option(
            "--moved",
            help=said(
                "The same catalog is on another server now, at --url.",
                "同一目录已迁至 --url 所在的另一服务器。",
            ),
        ),
    ] = False,
    allow_private: Annotated[
        list[str] | None,
        typer.Option(
            help=said(
                "Range of a closed network that it may lead to, instead of those before; "
                "may be given again.",
                "允许访问的内部网络地址段，取代原有设置；可多次指定。",
            )
        ),
    ] = None,
    public_only: Annotated[
        bool,
        typer.Option(
            "--public-only",
            help=said("It may lead to no closed network.", "不允许访问任何内部网络。"),
        ),
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option(
            help=said("Certificate authorities of its network, PEM.", "该网络的 CA 证书（PEM）。")
        ),
    ] = None,
    system_ca: Annotated[
        bool,
        typer.Option(
            "--system-ca",
            help=said("The system's certificate authorities.", "使用系统证书。"),
        ),
    ] = False,
    most_withdrawn: Annotated[
        int | None,
        typer.Option(
            help=said(
                "Percentage of its records that may vanish at once without a question.",
                "一次可消失而无须确认的记录百分比。",
            )
        ),
    ] = None,
    pause: Annotated[
        float | None,
        typer.Option(help=said("Between two pages, seconds.", "两页之间的间隔（秒）。")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Changes what is given, and says what happens next."""
    from catalog.harvest.changing import change as apply
    from catalog.show.harvests import show_change

    _forbid_both("--allow-private", allow_private, "--public-only", public_only)
    _forbid_both("--ca", ca, "--system-ca", system_ca)
    networks = () if public_only else None if allow_private is None else tuple(allow_private)
    authorities = "" if system_ca else None if ca is None else str(ca.resolve())
    pause_ms = None if pause is None else round(pause * 1000)
    given = {
        "place": place, "url": url, "networks": networks, "authorities": authorities,
        "most_withdrawn": most_withdrawn, "pause_ms": pause_ms,
    }  # fmt: skip
    new = {field: value for field, value in given.items() if value is not None}
    if not new:
        raise _wrong(
            Text("no setting is given", "未指定要修改的设置"),
            Text("give --place, --url, or another that veil catalog harvest change --help names",
                 "请指定 --place、--url 或 veil catalog harvest change --help 所列的其他选项"),
        )  # fmt: skip
    with opened(directory) as registry:
        done = apply(registry, name, new, moved=moved)
    if as_json:
        print_json(done.to_dict())
    else:
        show_change(done)


def _forbid_both(one: str, first: object, other: str, second: object) -> None:
    if first and second:
        raise _wrong(
            Text(f"{one} and {other} exclude each other", f"{one} 与 {other} 不能同时使用"),
            Text("give one of them", "请只用其一"),
        )


def _wrong(what: Text, remedy: Text) -> Exception:
    from protos.faults import InputError

    return InputError(what, remedy=remedy, code="harvest.change")
