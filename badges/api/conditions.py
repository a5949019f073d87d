"""ETags, and the conditions that a request puts on them (RFC 9110, sections 8.8.3 and 13.1)."""

import re
from http import HTTPStatus
from typing import Any, Final, Literal, TypeAlias

from fastapi import Request
from msgspec import Struct

from badges.api.problem import ProblemError

IF_MATCH: Final[dict[str, Any]] = {
    "name": "If-Match",
    "in": "header",
    "description": 'the ETag of the version that is changed, such as `"3"`; or `*` for any',
    "schema": {"type": "string"},
}
IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "the ETag of the version that the client has: 304 while it is the newest",
    "schema": {"type": "string"},
}
"""Parameters as OpenAPI describes them: read by hand, for a header may come several times."""

_Header: TypeAlias = Literal["If-Match", "If-None-Match"]

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS: Final = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")


class _Condition(Struct, frozen=True):
    """The ETags that a header lists, the weak ones with their W/; None: `*`, whatever there is."""

    tags: frozenset[str] | None

    def names(self, etag: str) -> bool:
        """Whether the strong ETag is among them, by strong comparison."""
        return self.tags is None or etag in self.tags

    def knows(self, etag: str) -> bool:
        """Whether it is, by weak comparison."""
        return self.names(etag) or (self.tags is not None and f"W/{etag}" in self.tags)


def etag_of(version: int) -> str:
    """The ETag of what is there in this version."""
    return f'"{version}"'


def is_known(request: Request, version: int) -> bool:
    """Whether If-None-Match says that the client has this version."""
    return knows(request, etag_of(version))


def knows(request: Request, etag: str) -> bool:
    """Whether If-None-Match has the strong ETag, by weak comparison."""
    condition = _condition(request, "If-None-Match")
    return condition is not None and condition.knows(etag)


def check(request: Request, version: int, *, needed: bool) -> None:
    """Hold the conditions of a write against the version that there is.

    Raises ProblemError: 412 where they do not hold, 428 where one is needed and there is none.
    """
    match = _condition(request, "If-Match")
    if match is None and needed:
        raise ProblemError(
            HTTPStatus.PRECONDITION_REQUIRED,
            "Send If-Match with the ETag that you read, so that nobody's change is lost",
            headers={"ETag": etag_of(version)},
        )
    if (match is not None and not match.names(etag_of(version))) or is_known(request, version):
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED,
            f"It is in version {version} by now: read it again, and save your change to that",
            headers={"ETag": etag_of(version)},
            version=version,
        )


def _condition(request: Request, header: _Header) -> _Condition | None:
    """What the header says; None without it. Raises ProblemError, 400, when it is no list."""
    values = request.headers.getlist(header)
    if not values:
        return None
    value = ", ".join(values)
    if value.strip(" \t") == "*":
        return _Condition(None)
    if _TAGS.fullmatch(value) is None:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            f'{header} has to be * or ETags in double quotes, as in {header}: "3"',
        )
    return _Condition(frozenset(_TAG.findall(value)))
