"""In CI a skipped test fails the run, so that a machine that lacks a program is noticed."""

import pytest


@pytest.mark.parametrize(
    ("reason", "ci", "expected"),
    [
        ("chromium is not installed", "1", "failed"),
        ("chromium is not installed", "", "skipped"),
        ("by design: only root can do this", "1", "skipped"),
    ],
)
def test_a_skip_in_ci_is_a_failure(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, reason: str, ci: str, expected: str
) -> None:
    monkeypatch.setenv("BADGES_CI", ci)
    pytester.makepyfile(f"import pytest\n\ndef test_it():\n    pytest.skip({reason!r})\n")

    run = pytester.runpytest_inprocess("-p", "tests.conftest")

    run.assert_outcomes(**{expected: 1})
