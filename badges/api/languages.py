"""The language of an answer: what the request's Accept-Language asks for."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from tables.languages import Language


def language_of(request: Request) -> Language:
    """Norwegian for nb, nn and no, whichever comes first of those and English; else English."""
    weighed: list[tuple[float, Language]] = []
    for part in request.headers.get("accept-language", "").split(","):
        name, _, weight = part.strip().partition(";")
        tag = name.strip().lower().partition("-")[0]
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if quality <= 0:  # it is refused
            continue
        if tag in {"nb", "nn", "no"}:
            weighed.append((-quality, "nb"))
        elif tag in {"en", "*"}:
            weighed.append((-quality, "en"))
    return min(weighed, key=lambda each: each[0])[1] if weighed else "en"


AnswersIn: TypeAlias = Annotated[Language, Depends(language_of)]
