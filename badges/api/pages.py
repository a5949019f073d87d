"""The pages for a browser, and what they load: nothing from anywhere else, and no inline code."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Request, Response

from badges.api.conditions import knows
from badges.api.languages import AnswersIn
from badges.api.networks import comes_from_open_network
from badges.api.problem import ProblemError
from badges.pages.site import LANGUAGES, PAGES, REFUSED, THEMES, File, WebPage, asset, rendered
from tables.languages import Language

router = APIRouter(include_in_schema=False)

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        *(f"{each}-src 'self'" for each in ("script", "style", "img", "connect")),
        *(f"{each} 'none'" for each in ("base-uri", "form-action", "frame-ancestors")),
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Kept, and asked for again each time: an upgrade shows at once.
    "Cache-Control": "no-cache",
}


def _page_language(answers_in: AnswersIn, lang: str = "") -> Language:
    """What the address asks for, else what the browser prefers."""
    return LANGUAGES.get(lang, answers_in)


_PageLanguage: TypeAlias = Annotated[Language, Depends(_page_language)]


def _showing(page: WebPage) -> Callable[[Request, Language], Response]:
    def show(request: Request, language: _PageLanguage) -> Response:
        theme = THEMES.get(request.cookies.get("theme", ""), "")
        headers = {"Content-Language": language, "Vary": "Accept-Language, Cookie"}
        if page.restricted and not comes_from_open_network(request):
            refusal = rendered(REFUSED, language, theme)
            return _sent(request, refusal, headers, HTTPStatus.FORBIDDEN)
        return _sent(request, rendered(page, language, theme), headers)

    return show


for _path, _page in PAGES.items():
    router.add_api_route(_path, _showing(_page), name=_page.name)


@router.get("/assets/{name}")
def assets(request: Request, name: str) -> Response:
    """A file that pages load."""
    found = asset(name)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "No page has a file of this name")
    return _sent(request, found, {})


def _sent(
    request: Request, file: File, headers: dict[str, str], status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """The file, compressed where the client can read that, or that it has it already."""
    # Weak: the same tag stands for both forms.
    vary = ", ".join(filter(None, ("Accept-Encoding", headers.get("Vary"))))
    sent = {**_HEADERS, **headers, "Vary": vary, "ETag": f"W/{file.etag}"}
    if status == HTTPStatus.OK and knows(request, file.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=sent)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return Response(
            file.compressed, status, {**sent, "Content-Encoding": "gzip"}, file.media_type
        )
    return Response(file.body, status, sent, file.media_type)
