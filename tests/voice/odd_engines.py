"""Engines that misbehave on request, for workers to run. Named in tests as `tests.voice.odd_engines:Odd`."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

from app.voice.failures import EngineRefusal

PORT = "VOICE_TEST_PORT"
"""Variable with a port of this machine: `report` sends its process id there and waits until the test hangs up."""

ONCE = "VOICE_TEST_ONCE"
"""Variable with the path of a file: `once` does the rest of the text only if it could make that file."""

CALL_SAMPLES = 2_400


class Odd:
    """Does what the words of the text say, in order, then returns 0.1 s of PCM for every call so far in its process."""

    name = "odd"
    rate = 24_000

    def __init__(self) -> None:
        self._calls = 0

    def speak(self, text: str, voice: str) -> bytes:
        self._calls += 1
        for word in text.split():
            match word:
                case "once" if Path(os.environ[ONCE]).exists():
                    break
                case "once":
                    Path(os.environ[ONCE]).touch()
                case "report":
                    with socket.create_connection(("127.0.0.1", int(os.environ[PORT]))) as test:
                        test.sendall(b"%d\n" % os.getpid())
                        test.recv(1)
                case "hang":
                    threading.Event().wait()
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "raise":
                    raise KeyError("a fault in the engine")
                case "refuse":
                    raise EngineRefusal("not in the mood")
                case "print":
                    sys.stdout.write("Audio saved to nowhere\n" * 1_000)
                    sys.stdout.flush()
                    os.write(1, b"and from C\n" * 1_000)
                case "scream":
                    sys.stderr.write("E" * 300_000)
                case "empty":
                    return b""
        return b"\x10\x00" * CALL_SAMPLES * self._calls


class Exits:
    """Ends the process while it is made, as espeak-ng does without its data."""

    def __init__(self) -> None:
        sys.stderr.write("Error processing file phontab\n")
        sys.stderr.flush()
        os._exit(1)
