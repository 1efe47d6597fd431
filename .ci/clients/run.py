"""Starts the installed program on a free port, and has clients of OpenAI's API ask it: `run.py PROGRAM COMMAND…`.

Each COMMAND is run with the address and a key behind it. The first one that fails ends it.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile

KEY = "d4a3653a4ba72d6e04a293"

program, *commands = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    server = subprocess.Popen(
        [program, "serve", "--port", "0", "--data", folder], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert server.stdout is not None
        found = next((match for line in server.stdout if (match := re.search(r"ws://([0-9.]+:\d+)/v3/", line))), None)
        assert found, "the server printed no address"
        for command in commands:
            subprocess.run([*shlex.split(command), f"http://{found[1]}", KEY], check=True, timeout=120)
    finally:
        server.terminate()
        assert server.wait(10) == 0, "the server did not end well"
