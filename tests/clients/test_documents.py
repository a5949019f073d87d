"""The documents that clients are tried on mean the same to the service."""

import json

import pytest

from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.criteria.union import TYPES
from tests.clients.documents import BAD, KEPT, examples


def test_every_type_has_an_example() -> None:
    assert {example["type"] for example in examples()} == set(TYPES)


@pytest.mark.parametrize("document", [*examples(), *KEPT], ids=json.dumps)
def test_the_service_takes_what_clients_keep(document: object) -> None:
    assert parse(json.dumps(document)).summary()


@pytest.mark.parametrize("document", [document for document, _ in BAD], ids=json.dumps)
def test_the_service_refuses_what_clients_refuse(document: object) -> None:
    with pytest.raises(InvalidCriteria):
        parse(json.dumps(document))
