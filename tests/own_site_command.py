"""The console command for a site of a test's own: see OwnSite."""

import signal
import sys
from functools import partial
from importlib import import_module
from urllib.parse import urlsplit

from badges import settings
from badges.cli.main import main
from sinks.pool import create_pool
from tests.own_site import OwnSite

OPENED_BY = {"doctor": "badges.doctor.deployment"}
"""What opens the site of a command; versions before have no doctor, so it alone imports it."""

AT_ONCE = ("doctor", "lag")
"""Commands that tell who does not answer soon."""

PATIENCE_S = 180.0
"""How long the others wait for a connection: LIMIT_S of tests.stack, which versions before lack."""

command = sys.argv[1] if len(sys.argv) > 1 else ""
# Here and in the processes that a command begins, which take this for a module.
if command not in AT_ONCE:
    assert create_pool.__kwdefaults__ is not None
    create_pool.__kwdefaults__["connect_timeout"] = PATIENCE_S

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it
    url = settings.load().database_url.get_secret_value()
    own = partial(OwnSite, database=urlsplit(url).path.lstrip("/"))
    opener = OPENED_BY.get(command, "badges.cli.provision")
    setattr(import_module(opener), "Site", own)  # noqa: B010
    main()
