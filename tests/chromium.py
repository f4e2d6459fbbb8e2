"""Finds a Chromium for the browser tests, or installs Debian's; says so plainly when neither works."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "No Chromium was found and none could be installed, so the browser tests are NOT run. "
    "Install one (Debian and Ubuntu: apt-get install chromium) and call make test again."
)


def find() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Install Debian's Chromium where that is possible without asking anybody."""
    if find() or not shutil.which("apt-get"):
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and not shutil.which("sudo"):
        return
    print("Installing a Chromium for the browser tests")
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "chromium"]):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run([*prefix, *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr.strip()[-500:])
            return


if __name__ == "__main__":
    if "--install" in sys.argv:
        install()
    if not find():
        print(MISSING)
