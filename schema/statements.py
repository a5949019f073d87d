"""Cut a SQL file into its statements, as the Supabase CLI records them."""

import re

_PIECES = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*" | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<end> ; )
    | (?P<text> [^-/'"$;]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)


def split(sql: str) -> list[str]:
    """The statements of `sql` without their semicolons; quoted semicolons do not count.

    Comments before and within a statement stay with it.
    """
    statements: list[str] = []
    current: list[str] = []
    for piece in _PIECES.finditer(sql):
        if piece["end"]:
            statements.append("".join(current).strip())
            current = []
        else:
            current.append(piece[0])
    statements.append("".join(current).strip())
    return [statement for statement in statements if bare(statement)]


def bare(statement: str) -> str:
    """The statement without its comments and outer blanks."""
    return "".join(
        piece[0] for piece in _PIECES.finditer(statement) if piece["comment"] is None
    ).strip()
