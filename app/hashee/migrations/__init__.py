"""Revisions of the wire's tables, for Alembic; beside those of the spaces, with a version of their own."""
