"""Cases say until when what they are about may be used: a licence, an authorisation, a request."""

import base64
import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds a column, and fills it from the events, which say it already."""
    op.add_column("cases", sa.Column("until", sa.Text(), nullable=True))
    connection = op.get_bind()
    events = connection.execute(
        sa.text('SELECT "case", token FROM case_events ORDER BY "case", number')
    )
    last = {case: day for case, token in events if (day := _until(token))}
    if last:
        connection.execute(
            sa.text("UPDATE cases SET until = :day WHERE id = :case"),
            [{"case": case, "day": day} for case, day in last.items()],
        )


def _until(token: str) -> str:
    payload = token.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(said["fields"].get("until", ""))
