"""``python -m facessl``."""

import sys

from facessl.cli import main

if __name__ == "__main__":
    sys.exit(main())
