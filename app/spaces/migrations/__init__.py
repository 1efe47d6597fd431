"""Alembic revisions of the store, shipped in the package and run without an alembic.ini. They lead upwards only."""
