"""What is sent with a step, as OpenAPI describes it: made from the workflow's table."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model

from catalog.certificates.officers_word import MOST_BYTES
from catalog.workflows import fields as forms
from catalog.workflows.model import Step


class StrictBody(BaseModel):
    """A body in which nothing unknown stands."""

    model_config = ConfigDict(extra="forbid")


class Dataset(StrictBody):
    """A dataset of the catalog."""

    source: Annotated[str, Field(min_length=1, max_length=forms.LONGEST["line"])]
    identifier: Annotated[str, Field(min_length=1, max_length=forms.LONGEST["line"])]


class Statement(StrictBody):
    """A statement, and the analyst's signed request for its grant (``veil-grant-request+jwt``)."""

    sql: Annotated[str, Field(min_length=1, max_length=forms.LONGEST_SQL)]
    grant_request: Annotated[str, Field(min_length=1, max_length=forms.LONGEST_TOKEN)]


_Line = Annotated[str, Field(min_length=1, max_length=forms.LONGEST["line"])]
_Token = Annotated[str, Field(min_length=1, max_length=forms.LONGEST_TOKEN)]
_TYPES: Final[dict[forms.Form, Any]] = {
    "line": _Line,
    "text": Annotated[str, Field(min_length=1, max_length=forms.LONGEST["text"])],
    "day": dt.date,
    "number": Annotated[int, Field(ge=1, le=forms.MOST_NUMBER, strict=True)],
    "code": Annotated[str, Field(pattern=f"^{forms.CODE}$")],
    "names": Annotated[list[_Line], Field(min_length=1, max_length=forms.MOST["names"])],
    "datasets": Annotated[list[Dataset], Field(min_length=1, max_length=forms.MOST["datasets"])],
    "statements": Annotated[
        list[Statement], Field(min_length=1, max_length=forms.MOST["statements"])
    ],
    "tokens": Annotated[list[_Token], Field(min_length=1, max_length=forms.MOST["tokens"])],
}
_REVISION: Final = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
_DECISION: Final = Annotated[str, Field(min_length=2, max_length=MOST_BYTES)]


def body_of(kind: str, step: Step) -> type[BaseModel]:
    """Returns the model of a step's body."""
    members: dict[str, Any] = {}
    if step.before:
        members["revision"] = (_REVISION, Field(description="of the case, as you have seen it"))
    if step.office:
        about = f"the signed decision of the department's {step.office}, canonical JSON"
        members["decision"] = (_DECISION, Field(description=about))
    for field in step.fields:
        form, about = _TYPES[field.form], Field(description=field.title.en)
        if field.required:
            members[field.name] = (form, about)
        else:
            members[field.name] = (form | None, Field(None, description=field.title.en))
    name = f"{kind}_{step.name}".replace("-", "_").title().replace("_", "")
    made: type[BaseModel] = create_model(
        name, __base__=StrictBody, __doc__=f"{step.title.en}.", **members
    )
    return made
