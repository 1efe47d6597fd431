"""Every setting of the program, in one tree: defaults < TOML file < environment (`CHLDO_…`) < command line.

A field `f` of group `g` is the environment variable `CHLDO_G_F`, the TOML key `f` under `[g]`; a field outside a
group is `CHLDO_F` and a top-level key. docs/configuration.md lists them; a test holds it to this file.
"""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as UnreadableSettings

from app.demo import DEMO_KEY
from app.emulation.clock import CENTURY, check_instant
from app.forwarding import TrustedProxies

PREFIX = "CHLDO_"


class SettingsError(Exception):
    """A setting that cannot be used; the text is one line that says which, from where, and what was expected."""


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _http_url(value: str | None) -> str | None:
    """A base of URLs, without a slash at its end. Raises ValueError."""
    if not value:
        return None
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")


class V3Settings(Group):
    """The chldo wire. Sizes in bytes, times in seconds."""

    som_eom: bool = Field(True, description="START and END carry <SOM> and <EOM>; false sends empty texts.")
    require_msg: bool | None = Field(None, description="Whether msg is required; unset keeps each revision's own rule.")
    min_sentence: int = Field(13, ge=1, description="Characters a sentence has before a terminator ends it.")
    frame_limit: int = Field(32 * 1024, ge=128, description="Largest single frame; above it: close 1009.")
    message_limit: int = Field(
        128 * 1024, ge=128, description="Largest message of several frames; above it: close 1009."
    )
    idle_limit: float = Field(600.0, gt=0, description="Seconds without a frame in either direction; then close 1001.")
    age_limit: float = Field(7200.0, gt=0, description="Seconds a connection may last; then close 1001.")
    send_timeout: float = Field(
        30.0, gt=0, description="Seconds a client may leave its frames unread; then the socket is dropped."
    )
    turn_timeout: float = Field(300.0, gt=0, description="Seconds a turn may last; then it fails inside the flow.")
    turns_limit: int = Field(32, ge=1, description="Turns that one connection may have running at once.")
    compression: bool = Field(False, description="Negotiate permessage-deflate (the real service does not).")
    uploads: Literal["strict", "lenient"] | None = Field(
        None,
        description="Names of images never uploaded: refused, or gone on without; unset keeps each space's own.",
    )
    url_base: str | None = Field(None, description="Base of voice URLs; unset: the address the client used.")
    url_life: float | None = Field(
        None, gt=0, le=CENTURY, description="Seconds a voice URL lasts; unset keeps each revision's own."
    )

    @field_validator("url_base")
    @classmethod
    def _no_slash(cls, value: str | None) -> str | None:
        return _http_url(value)


class HttpSettings(Group):
    """What a client may send before it is answered, over HTTP and in handshakes. Sizes in bytes, times in seconds."""

    head_limit: int = Field(
        64 * 1024, ge=4096, description="Request line and headers together; above it: 414 or 431. Trailers too."
    )
    head_timeout: float = Field(10.0, gt=0, description="For the request line and the headers; then it is closed.")
    body_timeout: float = Field(30.0, gt=0, description="Without a byte of a body that is due; then 408.")
    body_deadline: float = Field(300.0, gt=0, description="For all of a body; then 408.")


class VoiceSettings(Group):
    """Speech. Times in seconds."""

    engine: Literal["pyttsx3", "openai", "tone"] = Field("pyttsx3", description="Who speaks: pyttsx3, openai or tone.")
    workers: int = Field(min(2, os.cpu_count() or 1), ge=1, le=32, description="Processes that synthesise.")
    timeout: float = Field(10.0, gt=0, description="Seconds for one sentence; then the worker is replaced.")
    fallback: bool = Field(True, description="Speak with the tone engine when the chosen one fails.")
    cache: int = Field(64 * 1024 * 1024, ge=0, description="Bytes of spoken sentences kept in memory.")
    model: str = Field("tts-1", description="Model of the openai engine.")
    name: str = Field("alloy", description="Voice of the openai engine.")
    base_url: str | None = Field(None, description="Endpoint of the openai engine; unset: OPENAI_BASE_URL.")

    @field_validator("base_url")
    @classmethod
    def _over_http(cls, value: str | None) -> str | None:
        return _http_url(value)


class AgentSettings(Group):
    """Graphs and models."""

    history: int = Field(20, ge=0, description="Earlier turns that go into the graph's input.")
    model: str | None = Field(
        None, description="Model for every space in place of its own (`scripted`: none leaves the machine)."
    )
    graphs: Path | None = Field(None, description="A langgraph.json; unset: the shipped one.")
    timeout: float = Field(30.0, gt=0, description="Seconds for the upstream model to connect, and between two chunks.")
    retries: int = Field(1, ge=0, description="Times a failed upstream request is sent again.")
    tracing: bool = Field(False, description="Send every run to LangSmith, as its own variables say.")


class StoreSettings(Group):
    """Where turns, balances and rooms live."""

    url: SecretStr | None = Field(
        None, description="PostgreSQL or SQLite URL; unset: chldo.sqlite3 in the data folder."
    )


class JournalSettings(Group):
    """What the journal keeps."""

    entries: int = Field(50_000, ge=0, description="Entries kept in memory; 0 keeps none.")
    bytes: int = Field(64 * 1024 * 1024, ge=0, description="Bytes kept in memory.")
    folder: Path | None = Field(None, description="Folder to write it to as well, as JSON lines; unset: memory only.")
    file: int = Field(64 * 1024 * 1024, ge=1024, description="Bytes of one file on disk; then the next one begins.")
    files: int = Field(5, ge=0, le=1000, description="Older files on disk that are kept.")


class ControlSettings(Group):
    """The control plane under /_emulator."""

    enabled: bool = Field(True, description="Whether it is there; the health check always is.")
    token: SecretStr | None = Field(
        None,
        description="Bearer token that callers must show; made and printed where other machines can call.",
    )


class MalangeeSettings(Group):
    """The MaLangEE wire. Times in seconds."""

    dialect: Literal["guide", "backend"] = Field("guide", description="Dialect of the chat sockets.")
    ready: bool | None = Field(None, description="Whether `ready` comes first; unset keeps each dialect's own way.")
    order: Literal["dialect", "transcript-first", "audio-first"] = Field(
        "dialect", description="What ends an AI turn: `transcript.done` then `audio.done`, or the other way round."
    )
    transcript: Literal["dialect", "before", "late"] = Field(
        "dialect", description="Whether the user's transcript comes before the answer, or may come after it."
    )
    answers: Literal["auto", "asked"] = Field(
        "auto", description="Guide: whether turns by commit or text are answered, or wait for `response.create`."
    )
    strict_paths: bool = Field(False, description="Refuse the wrong spellings of the scenario paths with 403.")
    strict_sessions: bool = Field(False, description="Close 4004 for unknown sessions instead of creating them.")
    tokens: Literal["strict", "lax"] = Field(
        "strict",
        description="`lax` takes tokens that are unsigned or signed by others and have not expired.",
    )
    secret: SecretStr | None = Field(None, description="Key that signs tokens (HS256); unset: one in the data folder.")
    token_life: float = Field(14_400.0, gt=0, le=CENTURY, description="Seconds a token lasts.")
    guest_life: float = Field(
        1_800.0, gt=0, le=CENTURY, description="Seconds an idle guest session lasts; after it: close 4004."
    )
    pace: Literal["dialect", "realtime", "burst"] | float = Field(
        "dialect",
        description="How fast `audio.delta` comes: `realtime`, `burst` or a factor (2 is twice as fast); `dialect`: "
        "burst on the backend's chat, else real time.",
    )
    threshold: float = Field(0.7, ge=0, le=1, description="How likely speech has to be to count as such.")
    prefix: float = Field(0.3, ge=0, le=5, description="Seconds before the speech that belong to it.")
    silence: float = Field(1.5, ge=0.1, le=10, description="Seconds of silence that end the user's turn.")
    transcription: Literal["auto", "script", "pocketsphinx", "openai"] = Field(
        "auto",
        description="Who transcribes; `auto`: the endpoint if set, pocketsphinx if installed, else the script.",
    )
    transcription_url: str | None = Field(None, description="Base of an OpenAI-compatible endpoint that transcribes.")
    transcription_model: str = Field("whisper-1", description="Its model.")
    transcription_timeout: float = Field(15.0, gt=0, description="Seconds for one transcription; then it is empty.")
    graph: str = Field("companion", description="The graph that answers.")
    model: str = Field("scripted", description="The model that answers and reads scenarios.")
    turn_timeout: float = Field(60.0, gt=0, description="Seconds without a sentence after which an answer is given up.")
    frame_limit: int = Field(1024 * 1024, ge=16_384, description="Bytes of the largest message; above it: close 1009.")
    guest_sessions: int = Field(
        1_000, ge=1, description="Guests' sessions that are kept; a new one takes the place of the quietest."
    )
    scenarios: int = Field(500, ge=1, description="Scenarios that are kept, with those of the fixtures; then 429.")
    users: int = Field(10_000, ge=1, description="Users that are kept, with those of the fixtures; then 429.")
    public_insights: bool = Field(
        True, description="Whether strangers get hints of a session and words of a scenario, as from the service."
    )
    login_failures: int = Field(10, ge=1, description="Wrong passwords in a row after which a login is refused: 429.")
    login_pause: float = Field(60.0, gt=0, description="Seconds for which it is refused then.")
    body_limit: int = Field(1024 * 1024, ge=1024, description="Bytes of the largest body over HTTP; above it: 413.")
    ping_interval: float = Field(20.0, gt=0, description="Seconds between two pings of a socket.")
    ping_timeout: float = Field(20.0, gt=0, description="Seconds for the answer to a ping; without one: close 1011.")

    @field_validator("transcription_url")
    @classmethod
    def _over_http(cls, value: str | None) -> str | None:
        return _http_url(value)

    @field_validator("pace")
    @classmethod
    def _moves(cls, value: str | float) -> str | float:
        if isinstance(value, float) and not 0.1 <= value <= 1000:
            raise ValueError("must be dialect, realtime, burst or a factor from 0.1 to 1000")
        return value


class HasheeSettings(Group):
    """The Hashee wire. Sizes in bytes, times in seconds."""

    profile: Literal["2026-01", "2026-05"] = Field("2026-01", description="The documented state that is spoken.")
    frame_limit: int = Field(256 * 1024, ge=128, description="Largest frame; above it: close 1009.")
    frame_rate: int = Field(100, ge=1, description="Frames a second of one socket; for 10 s more: close 1008.")
    agent_rate: int = Field(5, ge=1, description="Messages a second of one agent; above it: 429.")
    code: str = Field("123456", min_length=1, description="Verification code of every address.")
    turnstile: bool = Field(False, description="Public auth endpoints need a turnstile_token.")
    secure_cookie: bool = Field(False, description="The refresh cookie is Secure over plain http too.")
    webhook_private: bool = Field(True, description="Webhooks may lead to loopback and private networks.")
    webhook_timeout: float = Field(10.0, gt=0, le=50, description="Seconds for one try of a webhook.")


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1, extra="forbid", frozen=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8765, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    fixtures: Path | None = Field(None, description="Folder with spaces.yaml and replies/; unset: the shipped one.")
    data: Path = Field(Path("data"), description="Folder for the database, the voices and the signing key.")
    revision: str = Field("2024-11-13", description="The dated revision of the chldo wire that is spoken.")
    log_format: Literal["text", "json"] = Field("text", description="Logs for people or for machines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    cors: str = Field(
        "*",
        description="Origins that browsers may call the HTTP endpoints from, comma separated; named ones with cookies.",
    )
    forwarded_allow_ips: str = Field(
        "",
        description="Proxies whose forwarding headers are believed: addresses and networks, comma separated, or *.",
    )
    watch: bool = Field(True, description="Read the fixtures again when their files change.")
    seed: int | None = Field(None, description="Makes ids, pauses and the dice of faults come out the same every time.")
    start_at: datetime | None = Field(
        None, description="Where the emulated clock starts; unset: now, or 2024-11-13 00:00 UTC with a seed."
    )
    profile: str | None = Field(None, description="Fault profiles in force from the start, comma separated.")
    strict: bool = Field(False, description="Only reply entries answer, in every space; what none matches fails.")
    tape: Path | None = Field(None, description="Tapes that answer in place of the wires: a file or a folder of them.")
    tape_speed: float = Field(
        1.0, ge=0, le=1000, description="How fast tapes play: 1 as recorded, 2 twice as fast, 0 at once."
    )
    http: HttpSettings = HttpSettings()
    v3: V3Settings = V3Settings()
    voice: VoiceSettings = VoiceSettings()
    agent: AgentSettings = AgentSettings()
    store: StoreSettings = StoreSettings()
    journal: JournalSettings = JournalSettings()
    control: ControlSettings = ControlSettings()
    malangee: MalangeeSettings = MalangeeSettings()
    hashee: HasheeSettings = HasheeSettings()

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _names_proxies(cls, value: str) -> str:
        TrustedProxies.of(value)
        return value

    @field_validator("start_at")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        check_instant((moment - datetime.fromtimestamp(0, UTC)).total_seconds())
        return moment

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = init_settings() if callable(init_settings) else {}
        table = given.pop("toml", None) or {}
        return (
            InitSettingsSource(settings_cls, given),
            env_settings,
            InitSettingsSource(settings_cls, table),
        )


def load_settings(config: Path | None = None, **given: Any) -> Settings:
    """The settings in force. `given` (the command line) wins; None there means not given.

    Raises `SettingsError` with one line for the first setting that does not fit.
    """
    table = _read_toml(config) if config else {}
    try:
        return Settings(**{"toml": table} | {key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(_first_line(error, given, table)) from None
    except UnreadableSettings as error:
        raise SettingsError(str(error).partition("\n")[0]) from None


def _read_toml(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {config}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config} is no valid TOML: {error}") from None


def _first_line(error: ValidationError, given: dict[str, Any], table: dict[str, Any]) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    variable = PREFIX + "_".join(path).upper()
    if given.get(path[0]) is not None:
        source = "--" + path[0].replace("_", "-")
    elif variable in os.environ:
        source = variable
    else:
        source = ".".join(path)
    message = first["msg"].removeprefix("Value error, ")
    secret = path[0] in ("store", "control") or path[-1] == "secret"  # a URL with a password, a token
    shown = "" if secret or first["type"] == "extra_forbidden" else f" (got {first['input']!r})"
    if first["type"] == "extra_forbidden":
        message = "unknown setting"
    return f"{source}: {message}{shown}"


def serves_demo(settings: Settings) -> bool:
    """Whether the demo key opens a space: with the shipped fixtures, or with a copy of them that still has it."""
    if settings.tape is not None:
        return False
    if settings.fixtures is None:
        return True
    try:
        return DEMO_KEY in (settings.fixtures / "spaces.yaml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def shipped(name: str) -> Path:
    """A file or folder that comes with the program: in the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "shipped" / name
    return installed if installed.exists() else here.parent / name
