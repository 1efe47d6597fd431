"""What can go wrong with speech, in one tree.

VoiceFailure            nothing could speak; the only one a caller of `Speaker` meets
EngineFault             an engine did not speak
  EngineRefusal           it says so itself and would say so again: no second try
  WorkerLost              its process died, hung or talked nonsense: worth a second try elsewhere
  EngineDown              its processes do not start any more, or are being closed
UnusableKey             the signing key on disk is no RSA key
"""

from __future__ import annotations


class VoiceFailure(Exception):
    """Nothing could speak. `reason` is one line for a log or a journal; it never holds a key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EngineFault(Exception):
    """An engine did not speak; the next one may."""


class EngineRefusal(EngineFault):
    """The engine works but cannot speak this text with this voice."""


class WorkerLost(EngineFault):
    """The worker process died, ran out of time or broke the protocol."""


class EngineDown(EngineFault):
    """No worker of this engine can be had."""


class UnusableKey(Exception):
    """The key file exists but holds no RSA private key."""
