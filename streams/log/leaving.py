"""The request to leave a group under a static member's name (KIP-345), which aiokafka lacks."""

from collections.abc import Sequence

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String

_ANYBODY = ""
"""The member id of whoever has the name: only a living member knows its own id."""


class _LeaveGroupResponse(Response):  # type: ignore[misc]
    API_KEY = 13
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "members",
            Array(
                ("member_id", String("utf-8")),
                ("group_instance_id", String("utf-8")),
                ("error_code", Int16),
            ),
        ),
    )


class _LeaveGroupStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 13
    API_VERSION = 3
    RESPONSE_TYPE = _LeaveGroupResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        (
            "members",
            Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8"))),
        ),
    )


class LeaveGroupRequest(Request[_LeaveGroupStruct]):  # type: ignore[misc]
    """Take members out of a group by their names (Kafka 2.4 and later).

    aiokafka's own request ends at version 1, which knows member ids alone.
    """

    API_KEY = 13

    def __init__(self, group: str, names: Sequence[str]) -> None:
        self._group = group
        self._names = names

    def build(self, request_struct_class: type[_LeaveGroupStruct]) -> _LeaveGroupStruct:
        return request_struct_class(self._group, [(_ANYBODY, name) for name in self._names])
