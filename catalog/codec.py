"""The one JSON form of plans, datasets and policies: strict in, canonical out.

The dataclasses' own annotations drive both directions, so a new field cannot be forgotten on
one side. Rules:

- every field is present, no other is; a union is tagged by ``"node"`` (the class name);
- an integer beyond ±(2**53 - 1) is written as a string of digits, where JSON numbers end
  (RFC 8785, section 3.2.2.3), or as ``{"integer": digits}`` in a field that may also hold text;
  the same integer never has two forms;
- a dict of named things (columns) is a list in declared order, a set is a sorted list.
"""

from __future__ import annotations

import math
import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from catalog.algebra import Expr
from catalog.dataset import Dataset
from catalog.policy import Policy
from protos.faults import InputError
from protos.signing import digest

MAX_DEPTH: Final = 64
MAX_ITEMS: Final = 100_000
_SAFE: Final = 2**53 - 1
_MAX_DIGITS: Final = 80
_MOST_DIGESTS: Final = 256
_DIGESTS: Final[dict[int, tuple[Dataset, str]]] = {}
T = TypeVar("T")


def to_json(value: object) -> dict[str, Any]:
    """Returns the JSON form of a `Plan`, `Aggregate`, `Dataset`, `Policy` or any part of one.

    Raises:
        InputError: A float is not finite, or an expression is nested deeper than 64.
    """
    kind: object = Expr if type(value) in get_args(Expr) else type(value)
    return cast("dict[str, Any]", _write(value, kind, 0))


def from_json(kind: type[T], body: object) -> T:
    """Reads what `to_json` wrote; pass the class, or the union ``Expr``.

    Raises:
        InputError: Code ``json.shape``: something is missing, unknown, of a wrong type, nested
            deeper than 64 or longer than 100,000 items. The message names the place.
    """
    return cast("T", _read(kind, body, "$", 0))


def dataset_digest(dataset: Dataset) -> str:
    """Returns the SHA-256 (hex) of the dataset's canonical JSON; worked out once per object."""
    known = _DIGESTS.get(id(dataset))
    if known is None or known[0] is not dataset:
        if len(_DIGESTS) >= _MOST_DIGESTS:
            _DIGESTS.clear()
        # The entry holds the dataset, so that no other object can get its id.
        known = _DIGESTS[id(dataset)] = dataset, digest(to_json(dataset))
    return known[1]


def policy_version(policy: Policy) -> str:
    """Returns the SHA-256 (hex) of the policy's canonical JSON without its ``version``."""
    body = to_json(policy)
    del body["version"]
    return digest(body)


def _write(value: object, kind: object, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise InputError("an expression is nested too deeply", code="json.shape")
    if is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        body = {f.name: _write(getattr(value, f.name), hints[f.name], depth + 1)
                for f in fields(value)}  # fmt: skip
        return {"node": type(value).__name__, **body} if _is_union(kind) else body
    if isinstance(value, tuple | dict):
        return _write_items(value, _without_none(kind), depth)
    if isinstance(value, frozenset):
        return sorted(value)
    if value is None or isinstance(value, bool | str | int | float):
        return _write_scalar(value, kind)
    raise InputError(f"{type(value).__name__} has no JSON form", code="json.shape")


def _write_items(
    value: tuple[object, ...] | dict[str, object], kind: object, depth: int
) -> list[object] | dict[str, object]:
    args = get_args(kind)
    if isinstance(value, dict):
        if is_dataclass(args[1]):
            return [_write(v, args[1], depth) for v in value.values()]
        return {k: _write(v, args[1], depth) for k, v in value.items()}
    each = [args[0]] * len(value) if args[1:] == (...,) else list(args)
    return [_write(v, k, depth) for v, k in zip(value, each, strict=True)]


def _write_scalar(value: object, kind: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE:
        return {"integer": str(value)} if str in get_args(kind) else str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{value} is not a finite number", code="json.shape")
    return value


def _read(kind: object, body: object, at: str, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise _wrong(at, "is nested too deeply")
    if kind is str or kind is int or kind is float or kind is bool:  # nearly all there is
        return _read_scalar(kind, body, at)
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_dataclass(kind, body, at, depth)
    origin, args = get_origin(kind), get_args(kind)
    if _is_union(kind):
        return _read_union(args, body, at, depth)
    if origin is Literal:
        if not any(type(body) is type(option) and body == option for option in args):
            raise _wrong(at, f"must be one of {', '.join(map(str, args))}")
        return body
    if origin is tuple:
        return _read_tuple(args, body, at, depth)
    if origin is frozenset:
        found = [str(v) for v in _read_tuple((args[0], ...), body, at, depth)]
        if found != sorted(set(found)):
            raise _wrong(at, "must be sorted, without repeats")
        return frozenset(found)
    return _read_dict(args[1], body, at, depth) if origin is dict else _read_scalar(kind, body, at)


def _read_tuple(args: tuple[object, ...], body: object, at: str, depth: int) -> tuple[object, ...]:
    items = _list(body, at)
    each = [args[0]] * len(items) if args[1:] == (...,) else list(args)
    if len(items) != len(each):
        raise _wrong(at, f"must have {len(each)} items")
    return tuple(
        _read(k, v, f"{at}[{i}]", depth) for i, (k, v) in enumerate(zip(each, items, strict=True))
    )


def _read_dataclass(kind: type, body: object, at: str, depth: int) -> object:
    if not isinstance(body, dict):
        raise _wrong(at, f"must be an object ({kind.__name__})")
    wanted = {f.name for f in fields(kind)}
    if unknown := sorted(str(k) for k in body.keys() - wanted):
        raise _wrong(at, f"has an unknown key {unknown[0][:60]!r}")
    if missing := sorted(wanted - body.keys()):
        raise _wrong(at, f"lacks {missing[0]!r}")
    hints = _hints(kind)
    values = {n: _read(hints[n], body[n], f"{at}.{n}", depth + 1) for n in sorted(wanted)}
    return kind(**values)


def _read_union(options: tuple[object, ...], body: object, at: str, depth: int) -> object:
    if body is None and type(None) in options:
        return None
    nodes = {o.__name__: o for o in options if isinstance(o, type) and is_dataclass(o)}
    if nodes:
        if not isinstance(body, dict) or not isinstance(body.get("node"), str):
            raise _wrong(at, "must be an object with a node")
        if body["node"] not in nodes:
            raise _wrong(at, f"has an unknown node {body['node'][:60]!r}")
        rest = {k: v for k, v in body.items() if k != "node"}
        return _read_dataclass(nodes[body["node"]], rest, at, depth)
    plain = [o for o in options if o is not type(None)]
    if len(plain) == 1:  # X | None
        return _read(plain[0], body, at, depth)
    if isinstance(body, dict) and body.keys() == {"integer"} and isinstance(body["integer"], str):
        return _read_scalar(int, body["integer"], at)
    if type(body) in plain:
        return _read_int(body, at) if type(body) is int else body
    raise _wrong(at, "has a value of a wrong type")


def _read_dict(of: object, body: object, at: str, depth: int) -> dict[str, object]:
    if is_dataclass(of):
        found: dict[str, object] = {}
        for i, item in enumerate(_list(body, at)):
            value = cast("Any", _read(of, item, f"{at}[{i}]", depth))
            if value.name in found:
                raise _wrong(at, f"names {value.name!r} twice")
            found[value.name] = value
        return found
    if not isinstance(body, dict) or len(body) > MAX_ITEMS:
        raise _wrong(at, "must be an object")
    if not all(isinstance(k, str) for k in body):
        raise _wrong(at, "must have text keys")
    return {k: _read(of, v, f"{at}.{k[:60]}", depth) for k, v in body.items()}


def _read_scalar(kind: object, body: object, at: str) -> object:
    if kind is int:
        return _read_int(body, at)
    if kind is float:
        # RFC 8785 writes 1.0 as 1, so a float may come back as an integer.
        if isinstance(body, int | float) and type(body) is not bool and math.isfinite(body):
            return float(body)
        raise _wrong(at, "must be a finite number")
    if type(body) is kind:
        return body
    raise _wrong(at, "must be text" if kind is str else "has a value of a wrong type")


def _read_int(body: object, at: str) -> int:
    if type(body) is int and abs(body) <= _SAFE:
        return body
    if isinstance(body, str):
        digits = body.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS:
            number = int(body)
            if abs(number) > _SAFE and str(number) == body:
                return number
    raise _wrong(at, "must be an integer, as text only beyond 2**53 - 1")


def _list(body: object, at: str) -> list[object]:
    if not isinstance(body, list) or len(body) > MAX_ITEMS:
        raise _wrong(at, f"must be a list of at most {MAX_ITEMS} items")
    return body


def _without_none(kind: object) -> object:
    options = [o for o in get_args(kind) if o is not type(None)]
    return options[0] if _is_union(kind) and len(options) == 1 else kind


def _is_union(kind: object) -> bool:
    return get_origin(kind) in {Union, types.UnionType}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _wrong(at: str, what: str) -> InputError:
    return InputError(f"{at} {what}", code="json.shape")
