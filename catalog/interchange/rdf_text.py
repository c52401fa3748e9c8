"""Nodes of JSON-LD, as `dcat` makes them, written as Turtle (W3C 2014) and RDF/XML (W3C 2014).

A graph in memory takes seven milliseconds a record to build and to write; a province has 41,600.
Our own nodes have one form, so they are written as they are, and a property test compares what
RDF's own library reads from all three. Whatever a text holds, the document stays well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

Node = Mapping[str, Any]
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPECIAL: Final = re.compile(r'["\\\x00-\x1f\x7f]')
_NOT_IRI: Final = re.compile(r'[\x00-\x20<>"{}|^`\\\x7f]')
# XML 1.0 has no way to write these, not even as references (section 2.2).
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def turtle(nodes: Iterable[Node], prefixes: Mapping[str, str]) -> Iterator[str]:
    """Yields the parts of a Turtle document.

    Args:
        nodes: Subjects with names (``@id``); what they hold is written with them.
        prefixes: All that names in the nodes begin with.
    """
    yield "".join(f"@prefix {name}: <{_iri(iri)}> .\n" for name, iri in prefixes.items()) + "\n"
    writer = _Turtle()
    for node in nodes:
        yield writer.text(node)


def rdf_xml(nodes: Iterable[Node], prefixes: Mapping[str, str]) -> Iterator[str]:
    """Yields the parts of an RDF/XML document; see `turtle`."""
    names = "".join(f"\n  xmlns:{name}={quoteattr(iri)}" for name, iri in prefixes.items())
    yield f'<?xml version="1.0" encoding="utf-8"?>\n<rdf:RDF xmlns:rdf="{RDF}"{names}>\n'
    writer = _Xml(prefixes)
    for node in nodes:
        yield writer.node(node)
    yield "</rdf:RDF>\n"


def xml_safe(text: str) -> str:
    """Returns a text that XML can hold: U+FFFD stands for each character that it cannot."""
    return _NOT_XML.sub("\ufffd", text)


def properties(node: Node) -> Iterator[tuple[str, Any]]:
    """Yields the properties of a node with one value each; types are no properties."""
    for name, value in node.items():
        if not name.startswith("@"):
            for one in value if isinstance(value, list) else [value]:
                yield name, one


def types(node: Node) -> list[str]:
    """Returns the types of a node."""
    found = node.get("@type", [])
    return list(found) if isinstance(found, list) else [found]


def _iri(iri: str) -> str:
    return _NOT_IRI.sub(lambda m: f"%{ord(m.group()):02X}", iri)


class _Turtle:
    """Writes subjects; what many datasets share, such as a theme, only once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def text(self, node: Node) -> str:
        """Returns a subject, and after it the named ones that it holds."""
        parts: list[str] = []
        waiting = [node]
        for now in waiting:
            text = f"<{_iri(now['@id'])}> {self._body(now, waiting)} .\n\n"
            if now is node or text not in self._said:
                parts.append(text)
            if now is not node and "#item-" not in now["@id"]:  # columns are nobody else's
                self._said.add(text)
        return "".join(parts)

    def _body(self, node: Node, waiting: list[Node]) -> str:
        said: dict[str, list[str]] = {}
        for name, value in properties(node):
            said.setdefault(name, []).append(self._object(value, waiting))
        lines = ["a " + ", ".join(types(node))] if types(node) else []
        lines += [f"{name} {', '.join(values)}" for name, values in said.items()]
        return " ;\n    ".join(lines)

    def _object(self, value: Any, waiting: list[Node]) -> str:  # noqa: ANN401 - JSON
        if isinstance(value, int):
            return str(value)
        if isinstance(value, str):
            return _quoted(value)
        if "@value" in value:
            language, datatype = value.get("@language"), value.get("@type")
            end = f"@{language}" if language else f"^^{datatype}" if datatype else ""
            return _quoted(value["@value"]) + end
        if "@list" in value:
            return f"( {' '.join(self._object(each, waiting) for each in value['@list'])} )"
        if "@id" in value:
            if len(value) > 1:
                waiting.append(value)
            return f"<{_iri(value['@id'])}>"
        return f"[ {self._body(value, waiting)} ]"


class _Xml:
    """Writes nodes inside one another, as the standard's striped syntax has it."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._prefixes = prefixes

    def node(self, node: Node) -> str:
        """Returns one node with all that it holds."""
        first, *others = [*types(node), "rdf:Description"][: len(types(node)) or 1]
        about = f" rdf:about={_attribute(_iri(node['@id']))}" if "@id" in node else ""
        inside = [
            f"<rdf:type rdf:resource={_attribute(self._whole(name))}/>\n" for name in others
        ] + [self._property(name, value) for name, value in properties(node)]
        return f"<{first}{about}>\n{''.join(inside)}</{first}>\n"

    def _property(self, name: str, value: Any) -> str:  # noqa: ANN401 - JSON
        if isinstance(value, int):
            value = {"@value": str(value), "@type": "xsd:integer"}
        if isinstance(value, str):
            value = {"@value": value}
        if "@list" in value:
            return self._list(name, value["@list"])
        if "@value" not in value:
            if "@id" in value and len(value) == 1:
                return f"<{name} rdf:resource={_attribute(_iri(value['@id']))}/>\n"
            return f"<{name}>{self.node(value)}</{name}>\n"
        more = ""
        if language := value.get("@language"):
            more = f" xml:lang={_attribute(language)}"
        elif datatype := value.get("@type"):
            more = f" rdf:datatype={_attribute(self._whole(datatype))}"
        # A carriage return that stands as it is would be read as a line feed (section 2.11).
        text = escape(xml_safe(value["@value"]), {"\r": "&#13;"})
        return f"<{name}{more}>{text}</{name}>\n"

    def _list(self, name: str, values: list[Any]) -> str:
        if not values:
            return f'<{name} rdf:resource="{RDF}nil"/>\n'
        first, rest = self._property("rdf:first", values[0]), self._list("rdf:rest", values[1:])
        return f"<{name}><rdf:Description>\n{first}{rest}</rdf:Description></{name}>\n"

    def _whole(self, name: str) -> str:
        prefix, _, local = name.partition(":")
        return self._prefixes[prefix] + local


def _quoted(text: str) -> str:
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found.group()) or f"\\u{ord(found.group()):04X}"


def _attribute(text: str) -> str:
    return quoteattr(xml_safe(text))
