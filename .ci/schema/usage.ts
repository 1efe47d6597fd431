// How a client reads frames of the default revision. Compiled, never run: every narrowing here has to hold.
import { REVISION } from "../../docs/schema/chldo/2024-11-13/chldo_2024_11_13";
import type { Choice, ClientRequest, Frame, SendmsgRequest } from "../../docs/schema/chldo/2024-11-13/chldo_2024_11_13";

interface Screen {
  write(text: string): void;
  play(url: string, seconds: number): void;
  offer(choices: Choice[]): void;
  fail(reason: string): void;
}

export const address = `ws://127.0.0.1:8765/v3/?revision=${REVISION}`;

/** Shows a frame; true when the turn is over. */
export function show(frame: Frame, screen: Screen): boolean {
  switch (frame.status) {
    case "START":
    case "history":
    case "memory":
    case "think":
      return false;
    case "stream":
      screen.write(frame.event === "on_chain_stream" ? frame.data.chunk.messages[0].content : frame.data.chunk.content);
      return false;
    case "voice_ready":
      screen.play(frame.voice_url, frame.voice_length);
      if ("hotword_uids" in frame) {
        frame.hotword_uids.map((uid) => uid.toUpperCase());
      }
      return false;
    case "greeting":
      screen.write(frame.msg);
      return false;
    case "hotword_detected":
    case "memory_dict":
      screen.write(frame.hotword);
      return false;
    case "choices":
      if (frame.msgtype === "info_choices") {
        screen.offer(frame.choices);
      }
      return false;
    case "connected":
      if (frame.msgtype === "error") {
        screen.fail(frame.msg);
      }
      return frame.msgtype === "error";
    case "END":
      return true;
    case undefined:
      screen.fail(`${frame.message}: ${frame.requestId}`);
      return true;
    default:
      return nothingElse(frame);
  }
}

/** The compiler refuses this call if a kind of frame is left over. */
function nothingElse(frame: never): never {
  throw new Error(`unknown frame ${JSON.stringify(frame)}`);
}

export const ask: SendmsgRequest = {
  action: "sendmsg",
  api_key: "d4a3653a4ba72d6e04a293",
  room_uid: "51VPKp3F0yPX",
  user_id: "s8dfkjsdf",
  msg: "안녕 반가워요",
  return_voice: 1,
  use_choices: 3,
};

export const questions: ClientRequest[] = [ask, { action: "status" }, { ...ask, action: "greeting" } as ClientRequest];
