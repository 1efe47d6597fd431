"""A delivery knows whether its agent may have it already: who has a message hears that it is recalled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "h0005"
down_revision: str | None = "h0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hashee_deliveries", sa.Column("seen", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE hashee_deliveries SET seen = (attempts > 0)")
