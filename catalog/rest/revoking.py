"""``/api/certificates/{id}/revoke``: a certificate is revoked, for ever, with a reason."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, StringConstraints

from catalog.access.principal import Principal
from catalog.rest.certificates import Identifier, line, office_of
from catalog.web.guard import Everything, May
from protos.faults import ConflictError, InputError
from protos.language import Text

router = APIRouter(prefix="/api/certificates", tags=["certificates"])


class Revocation(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


@router.post("/{identifier}/revoke")
def revoke(
    services: Everything,
    _: Annotated[Principal, Depends(May("certificate.revoke"))],
    identifier: Identifier,
    asked: Revocation,
) -> dict[str, Any]:
    """Revokes a certificate; the change is signed, and an entry of the log."""
    opened = office_of(services)
    record = opened.book.get(identifier)
    if opened.issuing is None:
        raise ConflictError(
            Text("this server only shows certificates", "此服务仅展示证书"),
            remedy=Text("revoke it at the exchange", "请在交换中心撤销"),
            code="certificate.read_only",
        )
    try:
        change = opened.issuing.change(record.id, "revocation", asked.reason)
    except InputError as error:
        if error.code != "status.same":
            raise
        raise ConflictError(error.said, remedy=error.advice, code=error.code) from error
    opened.issuing.sign_lists()
    return {**line(record, opened.book.state(record)), "change": change.id}
