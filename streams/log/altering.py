"""The request to change some of a topic's settings (KIP-339), which aiokafka lacks."""

from collections.abc import Mapping

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

_TOPIC = 2
_SET = 0


class _AlterResponse(Response):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _AlterStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("config_operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class AlterSettingsRequest(Request[_AlterStruct]):  # type: ignore[misc]
    """Set some of a topic's settings and leave all others (Kafka 2.3 and later).

    aiokafka's own request takes away every setting that it does not name.
    """

    API_KEY = 44

    def __init__(self, topic: str, settings: Mapping[str, str]) -> None:
        self._topic = topic
        self._settings = settings

    def build(self, request_struct_class: type[_AlterStruct]) -> _AlterStruct:
        configs = [(name, _SET, value) for name, value in self._settings.items()]
        return request_struct_class([(_TOPIC, self._topic, configs)], False)
