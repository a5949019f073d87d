"""What the tests as a user share."""

from collections.abc import Iterator

import pytest

from tests.acceptance.local_stack import LocalStack, local_stack
from tests.conftest import require_processes


@pytest.fixture(scope="package")
def raised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The whole stack of make up, brought up once for the files that only use it."""
    require_processes()
    with local_stack(tmp_path_factory.mktemp("raised") / "stack") as stack:
        yield stack
