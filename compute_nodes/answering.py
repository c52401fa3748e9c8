"""What an owner has answered to a request goes to the exchange, from a command beside the node."""

from __future__ import annotations

import secrets
from pathlib import Path

from compute_nodes.jobs.requests import grant_answer
from compute_nodes.rpc.link import ExchangeLink
from compute_nodes.rpc.membership import Membership, TlsFiles


def send_answer(directory: Path, member: Membership, request: str, kind: str, body: str) -> None:
    """Sends an answer.

    Args:
        directory: The node's.
        member: Whose it is.
        request: Id of the request.
        kind: See `grant_answer`.
        body: The grant, its end, or the reason of a denial.

    Raises:
        VeilError: The exchange cannot be reached, or does not take it.
    """
    link = ExchangeLink(
        member.exchange, TlsFiles.within(directory), session=lambda: secrets.token_hex(16)
    )
    link.start()
    try:
        link.push(grant_answer(request, member.name, kind, body))
    finally:
        link.close()
