"""What keeps worker and API running: also where they cannot be started for a while."""

from types import SimpleNamespace
from typing import Any

import pytest

from badges.stack import processes, services, supervisor
from badges.stack.supervisor import Restart
from streams.errors import Failure


@pytest.mark.parametrize("error", [Failure("no memory"), OSError("no space")])
def test_what_cannot_be_started_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    starts: list[object] = []

    def spawn(*what: object) -> None:
        starts.append(what)
        if len(starts) == 1:
            raise error

    monkeypatch.setattr(services, "command", lambda _, name: name)
    monkeypatch.setattr(processes, "spawn", spawn)
    infra: Any = SimpleNamespace(process=lambda _: None, layout=None)
    restart = Restart()

    supervisor._look_after(infra, "worker", restart)
    assert len(starts) == 1
    assert f"{error}; trying again in " in capsys.readouterr().out
    supervisor._look_after(infra, "worker", restart)
    assert len(starts) == 1, "it is not due yet"
    # Due long ago; 0 would mean that it runs.
    restart.due = 1e-9
    supervisor._look_after(infra, "worker", restart)
    assert len(starts) == 2
