"""A certificate's name as a QR code (ISO/IEC 18004), for a page, a print-out or a terminal.

It holds no claims: the id, and the fingerprint of the canonical claims as a name of RFC 6920.
Whoever scans it compares the fingerprint with that of the bundle that was verified.
"""

from __future__ import annotations

import base64
import hashlib
import io

import segno

from catalog.certificates.records import Record
from protos.compact_jws import unverified_payload


def fingerprint_of(token: str) -> str:
    """SHA-256 (hex) of a certificate's canonical claims."""
    return hashlib.sha256(unverified_payload(token)).hexdigest()


def content_of(record: Record) -> str:
    """What the code says: ``urn:uuid:…`` and ``ni:///sha-256;…``, on two lines."""
    digest = bytes.fromhex(fingerprint_of(record.token))
    name = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return f"{record.urn}\nni:///sha-256;{name}"


def svg(record: Record) -> str:
    """Returns the code as an SVG document."""
    out = io.BytesIO()
    segno.make(content_of(record), error="m").save(out, kind="svg", scale=4, title=record.urn)
    return out.getvalue().decode("utf-8")


def for_terminal(record: Record) -> str:
    """Returns the code in half blocks, two rows a line, dark on light as scanners expect."""
    out = io.StringIO()
    segno.make(content_of(record), error="m").terminal(out, compact=True)
    return out.getvalue()
