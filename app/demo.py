"""What a newcomer can paste at once: the shipped demo space's key, and a turn with it. PURE."""

from __future__ import annotations

import json

DEMO_KEY = "d4a3653a4ba72d6e04a293"


def chat_command(program: str, socket: str) -> str:
    """A line for a shell. `socket`: the URL of the chldo wire, without its query."""
    return f'{program} chat {socket} --api-key {DEMO_KEY} -m "안녕하세요"'


def console_snippet(socket: str) -> str:
    """The same in JavaScript, for a browser's console or Node."""
    return f"""\
const ws = new WebSocket({json.dumps(f"{socket}?room_uid=51VPKp3F0yPX&user_uid=s8dfkjsdf")});
let answer = "";
ws.onopen = () => ws.send(JSON.stringify({{
  action: "sendmsg", room_uid: "51VPKp3F0yPX", user_id: "s8dfkjsdf", msg: "안녕 반가워요",
  api_key: "{DEMO_KEY}", return_voice: 1,
}}));
ws.onmessage = ({{ data }}) => {{
  const frame = JSON.parse(data);
  if (frame.msgtype === "error") console.error(frame.msg);
  if (frame.status === "stream") answer += frame.msg;
  if (frame.status === "voice_ready") console.log(frame.voice_length, frame.voice_url);
  if (frame.status === "END") {{ console.log(answer); ws.close(); }}
}};
"""
