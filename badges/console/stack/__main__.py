"""`python -m badges.console.stack`, which make calls; what it does is in command."""

import sys

from badges.console import starting

if __name__ == "__main__":
    with starting.imports():
        from badges.console.stack.command import main
    sys.exit(main())
