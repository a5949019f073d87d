"""The demo's organizations and badges, as written in the JSON files beside this one."""

from importlib.resources import files
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

FILE = "catalogue.json"
GIT_FILE = "git_catalogue.json"


class DemoOrganization(Struct, frozen=True):
    """An organization of the demo, its time zone (IANA name), and names for its people."""

    slug: str
    name: str
    timezone: str
    first_names: tuple[str, ...] = ()


class Badge(Struct, frozen=True, forbid_unknown_fields=True):
    """A badge definition; `organization` is a slug, None means every organization."""

    key: str
    name: str
    icon: str
    description: str
    criteria: dict[str, Any]
    organization: str | None = None
    revocable: bool = False
    status: Literal["draft", "active"] = "active"

    def for_organization(self, slug: str) -> "Badge":
        return replace(self, organization=slug)


class DemoCatalogue(Struct, frozen=True):
    badges: list[Badge]
    organizations: list[DemoOrganization] = []


def load(file: str = FILE) -> DemoCatalogue:
    text = files("badges.demo").joinpath(file).read_bytes()
    return msgspec.json.decode(text, type=DemoCatalogue)
