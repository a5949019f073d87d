"""Which evaluator this is: a fingerprint of the source of everything that decides.

It is written with every position, so that a worker can tell that what was decided before it may
have been decided otherwise. What decides nothing does not count: comments, docstrings, layout; nor
does what the machine brings (the version of Python, of time zones, of packages).
"""

import ast
from collections.abc import Iterator
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_FOLD: Final = (
    "sinks/turns.py",
    "streams/dedup.py",
    "streams/drafts.py",
    "streams/log/debezium.py",
    "streams/log_tables.py",
    "streams/partition.py",
    "streams/records.py",
    "streams/recovery.py",
    "streams/rule_versions.py",
    "streams/unusable.py",
    "streams/whole.py",
)
"""The files outside tables/ that have a part in what is folded, and in which order."""


def _fingerprint() -> str:
    hashed = blake2b(digest_size=16)
    for name, source in _sources():
        hashed.update(f"{name}\n{_plain(ast.parse(source))}\n".encode())
    return hashed.hexdigest()


def _sources() -> Iterator[tuple[str, bytes]]:
    """The names and texts of these files and of all of tables/, by name."""
    for name in _FOLD:
        yield name, files(name.partition("/")[0]).joinpath(name.partition("/")[2]).read_bytes()
    yield from _sources_in(files("tables"), "tables")


def _sources_in(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for each in sorted(folder.iterdir(), key=lambda found: found.name):
        name = f"{path}/{each.name}"
        if each.is_dir():
            yield from _sources_in(each, name)
        elif name.endswith(".py"):
            yield name, each.read_bytes()


def _plain(node: object) -> str:
    """A syntax tree as a text that every version of Python writes alike.

    Newer ones give nodes more fields, which are empty where older syntax is used.
    """
    if isinstance(node, list):
        return f"[{','.join(_plain(each) for each in node if not _says_nothing(each))}]"
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!r}"
    if isinstance(node, ast.AST):
        said = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        fields = ",".join(f"{name}={_plain(value)}" for name, value in said)
        return f"{type(node).__name__}({fields})"
    return repr(node)


def _says_nothing(node: object) -> bool:
    """Whether it is a docstring, of whatever it stands in."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


FINGERPRINT: Final = _fingerprint()
