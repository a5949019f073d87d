"""ETags, and the conditions that a request puts on them (RFC 9110, sections 8.8.3 and 13.1)."""

import re
from http import HTTPStatus
from typing import Any, Final, Literal, TypeAlias

from fastapi import Request

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

_ANY: Final = "*"
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS: Final = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")


def etag_of(version: int) -> str:
    """The ETag of what is there in this version."""
    return f'"{version}"'


def knows(request: Request, etag: str) -> bool:
    """Whether If-None-Match has the strong ETag, by weak comparison."""
    return not {_ANY, etag, f"W/{etag}"}.isdisjoint(_tags(request, "If-None-Match"))


def check(request: Request, version: int, *, needed: bool) -> None:
    """Hold the conditions of a write against the version that there is.

    Raises ProblemError: 412 where they do not hold, 428 where one is needed and there is none.
    """
    etag = etag_of(version)
    match = _tags(request, "If-Match")
    if needed and not match:
        raise ProblemError(
            HTTPStatus.PRECONDITION_REQUIRED,
            "Send If-Match with the ETag that you read, so that nobody's change is lost",
            headers={"ETag": etag},
        )
    # Strong comparison: a weak tag matches nothing here.
    if (match and match.isdisjoint({_ANY, etag})) or knows(request, etag):
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED,
            f"It is in version {version} by now: read it again, and save your change to that",
            headers={"ETag": etag},
            version=version,
        )


def _tags(request: Request, header: _Header) -> set[str]:
    """The ETags that the header lists, the weak ones with their W/, or _ANY; none without it.

    Raises ProblemError, 400, when it is no list.
    """
    values = request.headers.getlist(header)
    if not values:
        return set()
    value = ", ".join(values)
    if value.strip(" \t") == _ANY:
        return {_ANY}
    if _TAGS.fullmatch(value) is None:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            f'{header} has to be * or ETags in double quotes, as in {header}: "3"',
        )
    return set(_TAG.findall(value))
