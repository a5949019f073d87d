"""The console command `badges`. What it can do is in commands, which takes a while to import."""

import sys

from badges import starting


def main() -> None:
    with starting.imports():
        from badges.cli.commands import run  # noqa: PLC0415
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
