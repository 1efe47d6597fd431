"""An edition as an AsyncAPI 3 document. PURE.

The document describes the server: what it receives is what a client sends, and its answers are replies. One operation a
request and channel, and one for all that the server sends there, so that tools without request and reply see it, too.
"""

from __future__ import annotations

from app.contract.schema.json_schema import message_schema, schema_of
from app.contract.schema.wire import Channel, Edition, Exchange, Json, Message, Server

ASYNCAPI = "3.1.0"
JSON = "application/json"


def asyncapi_document(edition: Edition) -> Json:
    """The whole document."""
    return {
        "asyncapi": ASYNCAPI,
        "id": f"urn:chldo-emulator:{edition.folder.replace('/', ':')}",
        "info": _info(edition),
        "defaultContentType": JSON,
        "servers": {server.name: _server(server) for server in edition.servers},
        "channels": {channel.name: _channel(channel, edition) for channel in edition.channels},
        "operations": {name: body for channel in edition.channels for name, body in _operations(channel, edition)},
        "components": {
            "messages": {message.type_name: _message(message) for message in edition.messages},
            "schemas": {message.type_name: _payload(message) for message in edition.messages},
        },
    }


def _info(edition: Edition) -> Json:
    return {
        "title": edition.title,
        "version": edition.id or "current",
        "description": edition.told,
        "license": {"name": "MIT"},
        "tags": [{"name": edition.wire}],
    }


def _server(server: Server) -> Json:
    gaps = {name: {"default": default, "description": told} for name, default, told in server.variables}
    body: Json = {"host": server.host, "protocol": server.protocol, "description": server.told}
    return {**body, "variables": gaps} if gaps else body


def _frames(channel: Channel, edition: Edition) -> list[Message]:
    return [frame for frame in edition.frames if channel.frames is None or frame.name in channel.frames]


def _requests(channel: Channel, edition: Edition) -> list[Message]:
    return [ask for ask in edition.requests if channel.requests is None or ask.name in channel.requests]


def _channel(channel: Channel, edition: Edition) -> Json:
    messages = (*_frames(channel, edition), *_requests(channel, edition))
    parameters = {name: {"description": told} for name, told in channel.parameters}
    return {
        "address": channel.address,
        "title": channel.address,
        "description": channel.told,
        **({"parameters": parameters} if parameters else {}),
        "messages": {m.type_name: {"$ref": f"#/components/messages/{m.type_name}"} for m in messages},
        "bindings": {"ws": {"method": "GET", "query": schema_of(channel.query), "bindingVersion": "0.1.0"}},
    }


def _operations(channel: Channel, edition: Edition) -> list[tuple[str, Json]]:
    where = channel.name[:1].upper() + channel.name[1:]
    answers = {exchange.request: exchange for exchange in edition.exchanges}
    found = [
        (f"{ask.name[:1].lower()}{ask.name[1:]}{where}", _receive(ask, channel, answers.get(ask.name), edition))
        for ask in _requests(channel, edition)
    ]
    sent: Json = {
        "action": "send",
        "channel": _ref(channel),
        "title": "frames",
        "summary": "Everything that the server sends here.",
        "messages": [_message_ref(channel, frame) for frame in _frames(channel, edition)],
    }
    return [*found, (f"frames{where}", sent)]


def _receive(ask: Message, channel: Channel, answer: Exchange | None, edition: Edition) -> Json:
    body: Json = {
        "action": "receive",
        "channel": _ref(channel),
        "title": ask.title,
        "summary": ask.told,
        "messages": [_message_ref(channel, ask)],
    }
    if answer is None:
        return body
    by_name = {frame.name: frame for frame in _frames(channel, edition)}
    frames = [_message_ref(channel, by_name[name]) for name in answer.frames if name in by_name]
    return {**body, "description": answer.told, "reply": {"channel": _ref(channel), "messages": frames}}


def _ref(channel: Channel) -> Json:
    return {"$ref": f"#/channels/{channel.name}"}


def _message_ref(channel: Channel, message: Message) -> Json:
    return {"$ref": f"#/channels/{channel.name}/messages/{message.type_name}"}


def _message(message: Message) -> Json:
    return {
        "name": message.type_name,
        "title": message.title,
        "summary": message.told,
        "contentType": JSON,
        "payload": {"$ref": f"#/components/schemas/{message.type_name}"},
        "examples": [{"payload": example} for example in message.examples],
    }


def _payload(message: Message) -> Json:
    """The schema without its examples, which stand at the message."""
    return {key: value for key, value in message_schema(message).items() if key != "examples"}
