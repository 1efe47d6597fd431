"""What HTTP answers: successes, lists, refusals. PURE."""

from __future__ import annotations

from app.contract.checks.rules import Sights
from app.contract.hashee.reading import Evidence
from app.contract.hashee.words import STATUS, key_of

ERROR = ("code", "message", "i18n_key", "params")


def successes_have_data(seen: Evidence) -> Sights:
    for deed in seen.deeds:
        if deed.done:
            body = deed.body or {}
            wanted = ("data", "next_cursor") if isinstance(body.get("data"), list) else ("data",)
            yield None if tuple(body) == wanted else deed.breach(", ".join(wanted), ", ".join(body) or "no JSON object")


def refusals_have_shape(seen: Evidence) -> Sights:
    for deed in seen.deeds:
        if deed.done:
            continue
        error = (deed.body or {}).get("error")
        if tuple(deed.body or ()) != ("error",) or not isinstance(error, dict) or tuple(error) != ERROR:
            yield deed.breach(f"error with {', '.join(ERROR)}", deed.raw[:80])
        else:
            held = isinstance(error["params"], dict) and isinstance(error["message"], str)
            yield None if held else deed.breach("message as text, params as object", str(error)[:200])


def refusals_have_codes(seen: Evidence) -> Sights:
    for deed in seen.deeds:
        error = (deed.body or {}).get("error")
        if deed.done or not isinstance(error, dict):
            continue
        code = str(error.get("code"))
        if STATUS.get(code) != deed.status:
            yield deed.breach(f"a known code with its status ({STATUS.get(code, 'unknown')})", f"{code}, {deed.status}")
        else:
            right = error.get("i18n_key") == key_of(code)
            yield None if right else deed.breach(f"i18n_key {key_of(code)}", str(error.get("i18n_key")))


def refusals_are_right(seen: Evidence) -> Sights:
    """Requests that are refused by their name: `refusal CODE`."""
    for deed in seen.deeds:
        kind, _, wanted = deed.name.partition(" ")
        if kind == "refusal":
            error = (deed.body or {}).get("error")
            got = str(error.get("code")) if isinstance(error, dict) else f"HTTP {deed.status}"
            yield None if got == wanted else deed.breach(wanted, got)
