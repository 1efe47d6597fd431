"""Users have their name a second time, as it is searched; addresses are in the form that is looked up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.hashee.folding import fold_email, fold_name

revision = "h0003"
down_revision: str | None = "h0002"
branch_labels = None
depends_on = None

_USERS = sa.table("hashee_users", *(sa.column(name) for name in ("id", "email", "display_name", "name_folded")))


def upgrade() -> None:
    op.add_column("hashee_users", sa.Column("name_folded", sa.Text(), nullable=False, server_default=""))
    connection = op.get_bind()
    rows = connection.execute(sa.select(_USERS.c.id, _USERS.c.email, _USERS.c.display_name)).fetchall()
    taken = {row.email for row in rows}
    for row in rows:
        email = fold_email(row.email)
        values = {"name_folded": fold_name(row.display_name)}
        if email not in taken:
            taken.add(email)
            values["email"] = email
        connection.execute(sa.update(_USERS).where(_USERS.c.id == row.id).values(**values))
