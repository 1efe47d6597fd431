"""A file knows after which message it came: who joins later does not see it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "h0002"
down_revision: str | None = "h0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hashee_files", sa.Column("seq", sa.BigInteger(), nullable=False, server_default="0"))
