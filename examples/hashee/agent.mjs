// An agent on Hashee: shows its token, answers each message with a stream. Node 22 or later has what it needs; with
// Node 20 add: node --experimental-websocket agent.mjs
//
// node agent.mjs http://localhost:8765 hsk_DeskDeskDeskDeskDeskDeskDeskDeskDeskDesk AGENT_ID
//
// Without arguments it is Help desk, of fixtures/hashee.yaml.
const [
  base = "http://localhost:8765",
  token = "hsk_DeskDeskDeskDeskDeskDeskDeskDeskDeskDesk",
  agentId = "1cd66c40-ce49-5390-aba9-b0f744bd5fe8",
] = process.argv.slice(2);
if (typeof WebSocket === "undefined") {
  console.error("This Node has no WebSocket: use Node 22, or node --experimental-websocket agent.mjs");
  process.exit(2);
}

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
function ulid(now = Date.now()) {
  let time = "";
  for (let n = 0; n < 10; n++, now = Math.floor(now / 32)) time = alphabet[now % 32] + time;
  return time + Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => alphabet[byte % 32]).join("");
}
const encode = (text) => Buffer.from(text, "utf8").toString("base64");
const decode = (payload) => Buffer.from(payload, "base64").toString("utf8");

const socket = new WebSocket(`${base.replace(/^http/, "ws")}/ws/agent?agent_id=${agentId}`);
const say = (frame) => socket.send(JSON.stringify(frame));

socket.onopen = () => say({ type: "auth", token, agent_id: agentId });
socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  console.log(data);
  if (frame.type !== "message.new") return;
  const stream = { stream_id: ulid(), conversation_id: frame.conversation_id };
  const words = `You said: ${decode(frame.encrypted_payload)}`.split(/(?<= )/);
  say({ type: "stream.start", ...stream });
  for (const word of words) say({ type: "stream.delta", ...stream, encrypted_payload: encode(word) });
  say({ type: "stream.done", ...stream, encrypted_payload: encode(words.join("")), client_message_id: stream.stream_id });
};
socket.onclose = ({ code, reason }) => {
  console.log(JSON.stringify({ closed: code, reason }));
  process.exit(code === 4401 ? 1 : 0);
};
