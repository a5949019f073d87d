"""How pages are served: their language, look and policy, and to whom."""

import pytest
from playwright.async_api import Browser, expect

from tests import http
from tests.api.service import Service
from tests.pages.axe import axe
from tests.pages.browser import LIMIT_MS

pytestmark = pytest.mark.anyio


async def test_a_page_loads_without_an_error_under_its_own_policy(
    browser: Browser, service: Service
) -> None:
    context = await browser.new_context(locale="en-GB")
    page = await context.new_page()
    page.set_default_timeout(LIMIT_MS)
    wrong: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    response = await page.goto(service.url)
    assert response is not None
    policy = await response.header_value("content-security-policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    await expect(page.locator("h1")).to_have_text("Badges are late.")
    assert await axe(page) == []
    assert wrong == []
    assert all(url.startswith(service.url) for url in asked)
    await context.close()


def test_the_language_is_that_of_the_address_or_else_of_the_browser(service: Service) -> None:
    for path, accepted, expected in (
        ("/", "nn,en;q=0.5", "nb"),
        ("/", "de", "en"),
        ("/?lang=nb", "en", "nb"),
        ("/?lang=en", "nb", "en"),
        ("/?lang=xx", "nb", "nb"),
    ):
        answer = http.get(f"{service.url}{path}", headers={"Accept-Language": accepted})
        assert answer.headers["content-language"] == expected
        assert f'<html lang="{expected}"' in answer.text


@pytest.mark.parametrize("path", ["/", "/assets/base.css", "/assets/page.js", "/assets/icon.svg"])
def test_what_the_browser_has_is_not_sent_again(service: Service, path: str) -> None:
    first = http.get(f"{service.url}{path}")
    again = http.get(f"{service.url}{path}", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    plain = http.get(f"{service.url}{path}", headers={"Accept-Encoding": "identity"})
    assert first.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.content == first.content
    assert plain.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["nothing.js", "layout.html", "..%2Fsite.py", "en.json"])
def test_nothing_else_is_an_asset(service: Service, name: str) -> None:
    assert http.get(f"{service.url}/assets/{name}").status_code == 404


def test_elsewhere_it_says_in_words_that_it_is_not_shown(service: Service) -> None:
    for language, said in (("en", "not shown to your network"), ("nb", "ikke til ditt nettverk")):
        headers = {"X-Forwarded-For": "127.0.0.1", "Accept-Language": language}
        answer = http.get(service.url, headers=headers)
        assert answer.status_code == 403
        assert said in answer.text
        assert "BADGES_OPEN_NETWORKS" in answer.text
