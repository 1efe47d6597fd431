"""Starts the installed program on a free port, talks to it with its own client, and fails unless it answers with a
voice.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

program = sys.argv[1]
with tempfile.TemporaryDirectory() as folder:
    server = subprocess.Popen(
        [program, "serve", "--port", "0", "--data", folder], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert server.stdout is not None
        address = None
        for line in server.stdout:
            found = re.search(r"ws://[0-9.]+:\d+/v3/", line)
            if found:
                address = found[0]
                break
        assert address, "the server printed no address"
        said = subprocess.run(
            [
                program,
                "chat",
                address,
                "--api-key",
                "d4a3653a4ba72d6e04a293",
                "--voice-dir",
                str(Path(folder) / "heard"),
                "-m",
                "안녕 반가워요",
            ],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=90,
            check=False,
        )
        print(said.stdout, said.stderr)
        assert said.returncode == 0, f"chat ended with {said.returncode}"
        assert said.stdout.strip(), "no answer"
        assert list((Path(folder) / "heard").glob("*.mp3")), "no voice"
    finally:
        server.terminate()
        assert server.wait(10) == 0, "the server did not end well"
print("the installed wheel answers")
