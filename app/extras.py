"""How a missing extra of the package is installed. The package is on no index: from the checkout. PURE."""

from __future__ import annotations


def install_extra(name: str) -> str:
    """What to do, for the end of a message."""
    return f"install the extra {name}: pip install '.[{name}]' in the program's checkout"
