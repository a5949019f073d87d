"""`python -m badges.stack`, which make calls; what it does is in command."""

import sys

from badges import starting

if __name__ == "__main__":
    with starting.imports():
        from badges.stack.command import main
    sys.exit(main())
