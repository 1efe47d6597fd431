"""Whether a space refuses names of images that were never uploaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("spaces", sa.Column("uploads", sa.Text(), nullable=False, server_default="strict"))
