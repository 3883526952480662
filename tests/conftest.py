"""What every test module shares."""

import os

# Signals, closed pipes, devices and file modes as POSIX has them.
collect_ignore_glob = [] if os.name == "posix" else ["*_posix.py"]
