"""``search`` and ``searches``: looking for data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli_options import DEFAULT, AsJson, CatalogDirectory, opened, print_json, said
from protos.language import Text

if TYPE_CHECKING:
    from catalog.registry.registry import Registry
    from catalog.search.query import Facet, Query

app = typer.Typer()


def _facet(name: str, en: str, zh: str) -> object:
    return typer.Option(f"--{name}", help=said(f"{en}; may be given again.", f"{zh}；可多次指定。"))


@app.command(
    help=said(
        "Find datasets by words, Chinese or English, and by facets.",
        "按中英文词语和分面检索数据资源。",
    )
)
def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(help=said("All of them must be in the record.", "须全部出现在同一资源中。")),
    ] = None,
    directory: CatalogDirectory = DEFAULT,
    theme: Annotated[list[str] | None, _facet("theme", "Theme", "主题")] = None,
    scenario: Annotated[list[str] | None, _facet("scenario", "Scenario", "应用场景")] = None,
    department: Annotated[
        list[str] | None,
        _facet("department", "Department: name or code", "部门名称或代码"),
    ] = None,
    grade: Annotated[
        list[str] | None, _facet("grade", "Highest grade, L1 to L4", "最高分级，L1 至 L4")
    ] = None,
    format_: Annotated[list[str] | None, _facet("format", "Format", "格式")] = None,
    sharing: Annotated[list[str] | None, _facet("sharing", "Sharing attribute", "共享类型")] = None,
    opening: Annotated[list[str] | None, _facet("open", "Open attribute", "开放类型")] = None,
    place: Annotated[
        list[str] | None,
        _facet("place", "Place: name or code", "区域名称或代码"),
    ] = None,
    cycle: Annotated[list[str] | None, _facet("cycle", "Update cycle", "更新周期")] = None,
    kind: Annotated[list[str] | None, _facet("kind", "Kind of dataset", "资源类型")] = None,
    sort: Annotated[
        str,
        typer.Option(
            help=said("relevance, date, name or usage.", "relevance、date、name 或 usage。")
        ),
    ] = "relevance",
    limit: Annotated[int, typer.Option(help=said("Hits on a page.", "每页条数。"))] = 10,
    cursor: Annotated[
        str, typer.Option(help=said("Where the page before ended.", "上一页的翻页标记。"))
    ] = "",
    facets: Annotated[
        bool,
        typer.Option(
            "--facets/--no-facets", help=said("Show how many by facet.", "显示分面统计。")
        ),
    ] = True,
    save: Annotated[
        str, typer.Option(help=said("Keep this search under a name.", "以此名称保存检索。"))
    ] = "",
    saved: Annotated[
        str, typer.Option(help=said("Search as was saved under a name.", "使用已保存的检索。"))
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Searches, prints a page, and says what else there is."""
    from catalog.search.find import Search

    asked: dict[Facet, list[str] | None] = {
        "theme": theme, "scenario": scenario, "department": department, "grade": grade,
        "format": format_, "sharing": sharing, "opening": opening, "place": place,
        "cycle": cycle, "kind": kind,
    }  # fmt: skip
    with opened(directory) as registry:
        query = _query(registry, words or [], asked, sort, saved)
        if save:
            import time

            from catalog.search.saved import save as keep

            keep(registry.database, save, query, int(time.time()))
        from dataclasses import replace

        query = replace(query, limit=limit, cursor=cursor)
        page = Search(registry.database).find(query)
        if as_json:
            print_json(
                {
                    "total": page.total,
                    "hits": [hit.to_dict() for hit in page.hits],
                    "facets": page.facets,
                    "cursor": page.cursor,
                }
            )
            return
        from catalog.search.department_names import names
        from catalog.show.page import show_page

        show_page(page, query, names(registry.database), facets=facets)


def _query(registry: Registry, words: list[str], asked: dict[Facet, list[str] | None], sort: str,
           saved: str) -> Query:  # fmt: skip
    """Puts together what is asked; a saved search takes no more words or facets."""
    from catalog.search.department_names import codes_of
    from catalog.search.query import Query, read_filter, read_order
    from catalog.search.saved import named
    from protos.faults import InputError

    if saved:
        if words or any(asked.values()):
            raise InputError(
                Text("a saved search has its own words and facets", "已保存的检索不能再加条件"),
                remedy=Text("leave them out, or search anew", "请去掉其他条件，或重新检索"),
                code="search.saved",
            )
        return named(registry.database, saved)
    filters: dict[Facet, tuple[str, ...]] = {}
    for facet, texts in asked.items():
        codes: list[str] = []
        for text in texts or ():
            if facet == "department":
                codes += codes_of(registry.database, text)
            else:
                codes.append(read_filter(facet, text))
        if codes:
            filters[facet] = tuple(codes)
    return Query(" ".join(words), filters, read_order(sort))


@app.command(help=said("The searches that were saved.", "查看已保存的检索。"))
def searches(
    directory: CatalogDirectory = DEFAULT,
    forget: Annotated[
        str, typer.Option(help=said("Remove the one of this name.", "删除此名称的检索。"))
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Lists or removes saved searches."""
    from catalog.search import saved as kept
    from catalog.search.query import TITLES
    from protos import terminal

    with opened(directory) as registry:
        if forget:
            kept.forget(registry.database, forget)
        found = kept.saved(registry.database)
    if as_json:
        print_json({name: query.to_dict() for name, query in found.items()})
        return
    if not found:
        terminal.say(
            Text(
                "No search is saved: veil catalog search … --save NAME",
                "没有已保存的检索：veil catalog search … --save 名称",
            )
        )
        return
    rows = [
        (
            name,
            query.text,
            "; ".join(f"{TITLES[f]}={','.join(codes)}" for f, codes in query.filters.items()),
            query.order,
        )
        for name, query in found.items()
    ]
    columns = (Text("Name", "名称"), Text("Words", "词语"), Text("Facets", "分面"),
               Text("Sorted by", "排序"))  # fmt: skip
    terminal.table([str(column) for column in columns], rows)
