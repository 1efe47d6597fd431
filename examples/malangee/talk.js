import { Player } from "./player.js";

const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
for (const name of ["server", "session", "token", "voice", "socket"]) if (asked.has(name)) $(name).value = asked.get(name);

let call = null;

$("start").onclick = () => start().catch((error) => note(`${error.name}: ${error.message}`));
$("stop").onclick = () => call?.send({ type: "disconnect" });
$("voice").onchange = () => call?.send({ type: "session.update", config: { voice: $("voice").value } });
$("typed").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !call) return;
  call.send({ type: "text", text });
  add("user", text);
  $("text").value = "";
};

async function start() {
  $("start").disabled = true;
  try {
    const context = new AudioContext({ sampleRate: 24000 });
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
    await context.audioWorklet.addModule("capture.js");
    call = open(context, microphone);
  } catch (error) {
    $("start").disabled = false;
    throw error;
  }
}

function address() {
  const path = $("socket").value;
  const query = new URLSearchParams();
  const chat = path.endsWith("/");
  if (chat) {
    query.set("voice", $("voice").value);
    query.set("show_text", "true");
  }
  if ($("token").value) query.set("token", $("token").value);
  return `${$("server").value}${path}${chat ? encodeURIComponent($("session").value) : ""}?${query}`;
}

function open(context, microphone) {
  const socket = new WebSocket(address());
  const player = new Player(context, (on) => $("ai").classList.toggle("on", on));
  const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
  const send = (frame) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame));
  capture.port.onmessage = ({ data }) => {
    level(new Int16Array(data));
    send({ type: "input_audio_buffer.append", audio: base64(new Uint8Array(data)) });
  };
  socket.onopen = () => {
    state("open");
    context.createMediaStreamSource(microphone).connect(capture);
    $("stop").disabled = $("say").disabled = false;
  };
  socket.onmessage = ({ data }) => take(JSON.parse(data), player);
  socket.onclose = ({ code, reason }) => {
    state("closed");
    note(`closed with ${code}${reason ? ` (${reason})` : ""}`);
    for (const track of microphone.getTracks()) track.stop();
    capture.port.onmessage = null;
    $("you").classList.remove("on");
    $("start").disabled = false;
    $("stop").disabled = $("say").disabled = true;
    call = null;
    // What has come is still heard to its end.
    setTimeout(() => context.close(), Math.max(0, player.until - context.currentTime) * 1000 + 200);
  };
  return { send, close: () => socket.close(1000) };
}

function take(frame, player) {
  count(frame.type);
  switch (frame.type) {
    case "ready":
      return state("ready");
    case "speech.started":
      player.flush();
      return $("you").classList.add("on");
    case "speech.stopped":
      return $("you").classList.remove("on");
    case "user.transcript":
      return add("user", frame.transcript || "(nothing understood)");
    case "audio.delta":
      state("ready");
      return player.play(bytes(frame.delta));
    case "transcript.done":
      return add("assistant", frame.transcript);
    case "scenario.completed":
      return note(`scenario: ${Object.values(frame.json).slice(0, 3).map((value) => value ?? "?").join(" / ")}`);
    case "disconnected":
      $("report").textContent = JSON.stringify(frame.report, null, 2);
      return call?.close(); // the service's own backend would leave the socket open
    case "error":
      return note(`error: ${frame.message}`);
  }
}

function add(role, text) {
  const line = document.createElement("li");
  line.className = role;
  line.textContent = text;
  $("talk").append(line);
  line.scrollIntoView({ block: "nearest" });
}

function note(text) {
  add("note", text);
}

function state(name) {
  $("state").textContent = name;
  $("state").dataset.state = name;
}

let last = null;

function count(type) {
  if (last?.type === type) {
    last.node.textContent = `${type} ×${++last.times}`;
    return;
  }
  const node = document.createElement("span");
  node.textContent = type;
  $("frames").append(last ? " → " : "", node);
  last = { type, node, times: 1 };
}

function level(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  $("level").value = peak / 32768;
}

function base64(data) {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text);
}

function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}
