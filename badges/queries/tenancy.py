"""SQL that keeps to the organization of the caller's claims.

The application's own tables may be without row-level security: then only this hides rows of others.
"""

from typing import Final

_ORGANIZATION: Final = "(SELECT badges_private.claimed_organization())"
"""Its id, asked for once a statement."""


def is_own(row: str) -> str:
    """The condition that a row, by its table's name or alias, is the organization's."""
    return f"{row}.organization_id = {_ORGANIZATION}"


def applies(row: str) -> str:
    """The condition that a definition, or a version of one, is the organization's or for all."""
    return f"({row}.organization_id IS NULL OR {is_own(row)})"
