"""The console command for a site of a test's own: see OwnSite."""

import signal
from functools import partial
from urllib.parse import urlsplit

from badges import settings
from badges.cli import provision
from badges.cli.main import main
from badges.doctor import deployment
from tests.own_site import OwnSite

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it
    url = settings.load().database_url.get_secret_value()
    own = partial(OwnSite, database=urlsplit(url).path.lstrip("/"))
    setattr(provision, "Site", own)  # noqa: B010
    setattr(deployment, "Site", own)  # noqa: B010
    main()
