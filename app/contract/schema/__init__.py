"""Machine-readable descriptions of the wires: AsyncAPI, JSON Schema, TypeScript and Python, all from the frame classes.

A wire says what its messages look like in `shapes`, puts them together as an `Edition` (`wire`), and stands in one line
of `registry`. The renderers (`json_schema`, `asyncapi`, `typescript`, `models`) know shapes and no wire. `tree` is all
of it as files: what `chldo-emulator schema` writes and `/_emulator/schema/` serves.
"""
