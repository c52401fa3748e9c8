"""DCAT as records: what others publish about their datasets, and our own documents back.

Nothing is fetched: a JSON-LD document that names a context by its address is refused, or it could
make this machine call where its author likes.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Final, cast
from urllib.parse import unquote
from xml.parsers import expat
from xml.parsers.expat import ExpatError
from xml.sax import SAXException

import rdflib
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, RDFS
from rdflib.term import Node

from catalog.interchange.dcat import (
    ADMS,
    CONTEXT,
    CSVW,
    CYCLES,
    DATASET,
    FREQUENCY,
    ITEM_TEXTS,
    OPENING,
    RELATED,
    RIGHTS,
    VEIL,
)
from catalog.interchange.problems import Parsed, judged, problem_of
from catalog.registry import vocabulary as v
from catalog.registry.cities import GUANGDONG
from catalog.registry.record import (
    COUNTS,
    Access,
    Department,
    Item,
    Record,
    Relation,
    Version,
)
from catalog.registry.rules import is_sound
from desensitize.column import Use
from protos.faults import InputError
from protos.language import Text


def graph_of(text: str, format_: str) -> rdflib.Graph:
    """Reads a document; nothing is fetched.

    Args:
        text: The document.
        format_: ``turtle``, ``json-ld`` or ``xml``.

    Raises:
        InputError: It is malformed, or names a context that would have to be fetched.
    """
    graph = rdflib.Graph(bind_namespaces="none")
    try:
        if format_ == "json-ld":
            _refuse_remote(json.loads(text))
        if format_ == "xml":
            _refuse_declarations(text)
        graph.parse(data=text, format=format_)
    except InputError:
        raise
    # rdflib's parsers raise what their helpers raise, errors of their own and of Python.
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError,
            SyntaxError, RecursionError, LookupError, ExpatError,
            SAXException) as error:  # fmt: skip
        raise InputError(
            Text("the document is no DCAT that can be read", "无法读取该 DCAT 文件"),
            remedy=Text(
                "check it with another RDF tool; Turtle, JSON-LD and RDF/XML are read",
                "请用其他 RDF 工具检查；支持 Turtle、JSON-LD 和 RDF/XML",
            ),
            code="import.dcat",
            detail=repr(error),
        ) from error
    return graph


def _refuse_declarations(text: str) -> None:
    """Refuses XML that declares anything: entities grow without end, or name other files."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _declared
    parser.Parse(text.encode("utf-8", "surrogatepass"), True)  # noqa: FBT003 - expat's own


def _declared(*_: object) -> None:
    raise InputError(
        Text("the document declares a type or entities", "XML 文件含 DOCTYPE 或实体声明"),
        remedy=Text("export it without a DOCTYPE", "请导出不含 DOCTYPE 的文件"),
        code="import.doctype",
    )


def _refuse_remote(value: object) -> None:
    """Walks a JSON value without recursion and refuses contexts by address."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            contexts = part.get("@context")
            listed = contexts if isinstance(contexts, list) else [contexts]
            if "@import" in part or any(isinstance(context, str) for context in listed):
                raise InputError(
                    Text(
                        "the document names a context by its address, and none is fetched",
                        "文件以网址引用 @context，系统不会联网获取",
                    ),
                    remedy=Text(
                        "write the context into the document, or convert it to Turtle",
                        "请将 @context 内容写入文件，或转换为 Turtle",
                    ),
                    code="import.remote_context",
                )
            waiting += part.values()


def read_graph(graph: rdflib.Graph, source: str) -> Iterator[Parsed]:
    """Yields the records of all datasets in a graph, by name; the line is their number."""
    return (parsed for _, parsed in read_named(graph, source))


def read_named(
    graph: rdflib.Graph, source: str, place: str = GUANGDONG
) -> Iterator[tuple[str, Parsed]]:
    """Yields the same, each behind the name that the graph has for it.

    In a graph that lists the datasets of its catalogs these are all; others are only spoken of.
    ``place`` is the division of what does not say where it is from.
    """
    listed = set(graph.objects(None, DCAT.dataset))
    found = set(graph.subjects(RDF.type, DCAT.Dataset))
    for number, subject in enumerate(sorted(found & listed or found, key=str), 1):
        raw = {"dataset": str(subject)}
        try:
            parsed = judged(number, _Reader(graph, subject, source, place).record(), raw)
        except InputError as error:
            parsed = Parsed(number, None, [problem_of(error, number, str(subject))], [raw])
        yield str(subject), parsed


def read_responsible(graph: rdflib.Graph, place: str) -> tuple[Department, ...]:
    """Returns the departments that data items name as their source, as far as they are sound."""
    found = set(graph.objects(None, VEIL.responsible))
    return tuple(
        department
        for agent in sorted(found, key=str)
        for department in [_Reader(graph, agent, "", place).department(agent)]
        if is_sound(department)
    )


class _Reader:
    """Reads one dataset out of a graph."""

    def __init__(self, graph: rdflib.Graph, subject: Node, source: str, usual: str) -> None:
        self._graph = graph
        self._subject = subject
        self._source = source
        self._usual = usual

    def record(self) -> Record:
        """Returns the record; what DCAT does not say is inferred from what it does."""
        text = self._text
        place = self._place(self._subject)
        opening = self._code(DCTERMS.accessRights, RIGHTS, OPENING, "unconditional")
        sharing = text(VEIL.sharing) or ("conditional" if opening == "none" else "unconditional")
        provider = self._provider(place)
        distribution = self._distribution()
        return Record(
            source=text(VEIL.catalog) or self._source,
            identifier=self._identifier(),
            name=self._title(self._subject, DCTERMS.title, "zh"),
            provider=provider,
            items=tuple(self._items()),
            place=place or provider.place,
            sharing=Access(
                sharing,
                text(VEIL["sharing-condition"]) or _UNSAID[sharing != "unconditional"],
                text(VEIL["sharing-method"]),
            ),
            opening=Access(
                opening,
                text(VEIL["opening-condition"]) or _UNSAID[opening != "unconditional"],
                text(VEIL["opening-method"]),
            ),
            kind=text(VEIL.kind) or "file",
            category=text(VEIL.category) or "department",
            path=self._list(VEIL.path),
            name_en=self._title(self._subject, DCTERMS.title, "en", other=False),
            abstract=self._abstract(),
            format=self._text(VEIL["format"], distribution) or self._format(distribution),
            format_type=self._label(distribution, DCTERMS["format"]),
            cycle=self._code(DCTERMS.accrualPeriodicity, FREQUENCY, CYCLES, "irregular"),
            published=self._day(DCTERMS.issued),
            updated=self._day(DCTERMS.modified),
            system=text(VEIL.system),
            themes=self._list(VEIL.themes) or tuple(self._themes()),
            scenarios=self._list(VEIL.scenarios) or tuple(sorted(self._keywords())),
            relations=tuple(self._relations()),
            version=Version(
                text(rdflib.URIRef(f"{DCAT}version")),
                text(ADMS.versionNotes).replace("\r\n", "\n").strip(),
                *(self._number(self._subject, VEIL[name]) for name in COUNTS),
            ),
        )

    def _abstract(self) -> str:
        if (self._subject, VEIL.abstract, None) in self._graph:
            return ""  # what is described by its name alone, since DCAT-AP wants a description
        return self._text(DCTERMS.description).replace("\r\n", "\n").strip()

    def _distribution(self) -> Node | None:
        """The one that is the department's own; of a foreign dataset the first by name."""
        found = sorted(self._graph.objects(self._subject, DCAT.distribution), key=str)
        own = [each for each in found if (each, VEIL["format"], None) in self._graph]
        return next(iter(own or found), None)

    def _text(self, predicate: rdflib.URIRef, subject: Node | None = None) -> str:
        if subject is None:
            subject = self._subject
        values = sorted(map(str, self._graph.objects(subject, predicate)))
        return values[0] if values else ""

    def _title(
        self, subject: Node, predicate: rdflib.URIRef, wanted: str, *, other: bool = True
    ) -> str:
        """The text in one language; else, if `other`, in any."""
        found = sorted(
            (literal for literal in self._graph.objects(subject, predicate)),
            key=lambda literal: (not _in(literal, wanted), str(literal)),
        )
        if not found or not (other or _in(found[0], wanted)):
            return ""
        return str(found[0]).strip()

    def _identifier(self) -> str:
        if found := self._text(DCTERMS.identifier):
            return found
        return unquote(str(self._subject)).rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]

    def _provider(self, place: str) -> Department:
        publisher = self._graph.value(self._subject, DCTERMS.publisher)
        if publisher is None:
            raise InputError(
                Text("nobody publishes it (dct:publisher)", "未注明提供方（dct:publisher）"),
                remedy=Text("name its publisher", "请填写提供方"),
                code="import.publisher",
            )
        return self.department(publisher, place)

    def department(self, agent: Node, place: str = "") -> Department:
        """Returns the department that a node stands for."""
        code = self._text(DCTERMS.identifier, agent)
        return Department(
            code or unquote(str(agent)).rstrip("/").rsplit("/", 1)[-1],
            self._title(agent, FOAF.name, "zh"),
            self._place(agent) or place or self._usual,
            self._title(agent, FOAF.name, "en", other=False),
        )

    def _place(self, subject: Node) -> str:
        value = str(self._graph.value(subject, DCTERMS.spatial) or "")
        return value.rsplit(":", 1)[-1] if value.startswith("urn:veil:place:") else ""

    def _code(
        self, predicate: rdflib.URIRef, base: str, table: dict[str, str], default: str
    ) -> str:
        value = str(self._graph.value(self._subject, predicate) or "")
        for code, name in table.items():
            if value == base + name:
                return code
        return default

    def _format(self, distribution: Node | None) -> str:
        return v.FORMATS.find(self._label(distribution, DCTERMS["format"])) or "other"

    def _label(self, subject: Node | None, predicate: rdflib.URIRef) -> str:
        """A text, or the last part of an address such as those of the EU's authority tables."""
        value = None if subject is None else self._graph.value(subject, predicate)
        if isinstance(value, rdflib.BNode):
            return self._text(RDFS.label, value)
        if isinstance(value, rdflib.URIRef):
            return str(value).rstrip("/").rsplit("/", 1)[-1]
        return "" if value is None else str(value)

    def _day(self, predicate: rdflib.URIRef) -> dt.date | None:
        try:
            return dt.date.fromisoformat(self._text(predicate)[:10])
        except ValueError:
            return None

    def _number(self, subject: Node, predicate: rdflib.URIRef) -> int | None:
        text = self._text(predicate, subject)
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None

    def _list(self, predicate: rdflib.URIRef) -> tuple[str, ...]:
        head = self._graph.value(self._subject, predicate)
        if head is None:
            return ()
        try:
            return tuple(str(value) for value in self._graph.items(head))
        except ValueError as error:  # a list that leads back to itself
            raise InputError(
                Text("a list in the document has no end", "文件中的列表没有终点"),
                remedy=Text("export it again", "请重新导出"),
                code="import.dcat",
            ) from error

    def _keywords(self) -> set[str]:
        return {str(word).strip() for word in self._graph.objects(self._subject, DCAT.keyword)}

    def _themes(self) -> Iterator[str]:
        for theme in sorted(map(str, self._graph.objects(self._subject, DCAT.theme))):
            if found := v.THEMES.find(theme.rsplit(":", 1)[-1].rsplit("/", 1)[-1]):
                yield found

    def _relations(self) -> Iterator[Relation]:
        if told := self._list(VEIL.relations):
            for text in told:
                kind, _, rest = text.partition(" ")
                source, _, identifier = rest.partition(" ")
                yield Relation(kind, source, identifier)
            return
        for kind, predicate in RELATED.items():
            for other in sorted(map(str, self._graph.objects(self._subject, predicate))):
                if other.startswith(DATASET):
                    source, _, identifier = other.removeprefix(DATASET).partition(":")
                    yield Relation(kind, source, unquote(identifier))

    def _items(self) -> Iterator[Item]:
        columns = list(self._graph.objects(self._subject, VEIL.item))
        if columns:
            yield from (self._item(column) for column in sorted(columns, key=self._position))
            return
        names = {
            self._title(d, DCTERMS.title, "zh") or self._label(d, DCTERMS["format"]) or "数据文件"
            for d in self._graph.objects(self._subject, DCAT.distribution)
        }
        yield from (Item(name, "binary", grade=1) for name in sorted(names or {"数据文件"}))

    def _position(self, column: Node) -> tuple[int, str]:
        return self._number(column, VEIL.position) or 0, str(column)

    def _item(self, column: Node) -> Item:
        texts = {field: self._text(_expanded(name), column) for field, name in ITEM_TEXTS.items()}
        return Item(
            name=self._text(CSVW.title, column),
            length=self._number(column, VEIL.length),
            grade=self._number(column, VEIL.grade) or 0,
            uses=frozenset(cast("Use", str(use)) for use in self._graph.objects(column, VEIL.use)),
            **texts,
        )


_UNSAID: Final = {True: "按来源目录的规定", False: ""}


def _in(literal: Node, language: str) -> bool:
    said = getattr(literal, "language", None) or ""
    return str(said).lower().split("-")[0] == language


def _expanded(name: str) -> rdflib.URIRef:
    prefix, _, local = name.partition(":")
    return rdflib.URIRef(CONTEXT[prefix] + local)
