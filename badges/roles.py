"""What people of an organization are to the API."""

from typing import Literal, TypeAlias

Role: TypeAlias = Literal["admin", "coordinator", "mentor"]
