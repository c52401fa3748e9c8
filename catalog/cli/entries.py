"""``show`` and ``departments``: one dataset, and who provides data."""

from __future__ import annotations

import typer

from catalog.cli_options import (
    DEFAULT,
    AsJson,
    CatalogDirectory,
    Identifier,
    SourceOption,
    opened,
    print_json,
    said,
    source_of,
)

app = typer.Typer()


@app.command(help=said("All that is known about one dataset.", "查看一个数据资源的全部信息。"))
def show(
    identifier: Identifier,
    directory: CatalogDirectory = DEFAULT,
    source: SourceOption = "",
    as_json: AsJson = False,
) -> None:
    """Prints record, sources, relations, versions and quality."""
    import datetime as dt

    from catalog.registry.entry_json import entry_dict
    from catalog.registry.quality import judge
    from catalog.registry.withdrawal import read_tombstone
    from catalog.show.entry import show_entry

    with opened(directory) as registry:
        entry = registry.entry(source_of(registry, identifier, source), identifier)
        tombstone = None
        if entry.tombstone:
            tombstone = read_tombstone(entry.tombstone, registry.key().public)
    quality = judge(entry.record, dt.datetime.now(dt.UTC).date())
    if as_json:
        print_json(entry_dict(entry, quality))
    else:
        show_entry(entry, quality, tombstone)


@app.command(help=said("Who provides data, and how much.", "查看提供数据的部门。"))
def departments(directory: CatalogDirectory = DEFAULT, as_json: AsJson = False) -> None:
    """Lists departments, those with most datasets first."""
    from catalog.show.departments import show_providers

    with opened(directory) as registry:
        providers = registry.providers()
    if as_json:
        print_json(
            [
                {"code": p.department.code, "name": p.department.name, "place": p.department.place,
                 "name_en": p.department.name_en, "datasets": p.datasets}
                for p in providers
            ]
        )  # fmt: skip
    else:
        show_providers(providers)
