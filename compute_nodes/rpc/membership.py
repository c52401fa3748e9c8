"""What enrolment leaves in a member's directory.

=================  ==========================================================
``tls.key``        P-256 key of the connection, 0600, made here, stays here
``tls.crt``        its certificate, 90 days
``ca.crt``         the exchange's CA, from the invitation
``identity.key``   signs; 0600, made here, stays here
``sealing.key``    opens what is sealed to us; 0600, made here, stays here
``card.jwt``       our card
``member.json``    role, name, where the exchange is, the exchange's card
=================  ==========================================================
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.identity.files import read_public
from protos.faults import InputError
from protos.language import Text
from protos.names import Role, check_name, check_role
from protos.whole_file import write_whole


@dataclass(frozen=True)
class TlsFiles:
    """Files of a mutual TLS connection."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def within(cls, directory: Path) -> TlsFiles:
        """Returns the files that enrolment writes."""
        return cls(directory / "ca.crt", directory / "tls.crt", directory / "tls.key")


@dataclass(frozen=True)
class Membership:
    """Contents of ``member.json``.

    Attributes:
        role: As certified.
        name: As certified.
        exchange: ``host:port`` of the exchange's gRPC service.
        enrolment: ``https://host:port`` for renewals.
        exchange_card: ``veil-card+jwt`` of the exchange; compare with a pin before use.
    """

    role: Role
    name: str
    exchange: str
    enrolment: str
    exchange_card: str

    def save(self, directory: Path) -> None:
        """Writes ``member.json``."""
        body = json.dumps(asdict(self), indent=1, sort_keys=True).encode()
        write_whole(directory / "member.json", body)

    @classmethod
    def load(cls, directory: Path) -> Membership:
        """Reads ``member.json``.

        Raises:
            UnavailableError: It is missing.
            InputError: It is malformed.
        """
        path = directory / "member.json"
        try:
            member = cls(**json.loads(read_public(path)))
            check_role(member.role)
            check_name(member.name)
        except (ValueError, TypeError) as error:
            raise InputError(
                Text(f"{path} is malformed", f"{path} 格式有误"),
                remedy=Text("enrol again in a new directory", "请在新目录中重新注册"),
            ) from error
        return member
