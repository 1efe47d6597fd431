// What must not compile: each line under a mark is an error, or the compiler says that the mark is not needed.
import type * as r9 from "../../docs/schema/chldo/2024-11-13/chldo_2024_11_13";
import type * as r5 from "../../docs/schema/chldo/2024-10-02/chldo_2024_10_02";
import type * as r3 from "../../docs/schema/chldo/2024-08-27/chldo_2024_08_27";
import type * as v1 from "../../docs/schema/chldo/2023-12-28/chldo_2023_12_28";

declare const frame: r9.Frame;
declare const ask: { action: "sendmsg"; api_key: string; room_uid: string; user_id: string };

// @ts-expect-error no frame has this status
if (frame.status === "start") throw frame;

if (frame.status === "voice_ready") {
  // @ts-expect-error only that of a sentence has a stream
  frame.stream_uid;
}

if (frame.status === "stream" && frame.event === "on_chat_model_stream") {
  // @ts-expect-error a token has no messages
  frame.data.chunk.messages;
}

// @ts-expect-error the choices are in the second of the two frames
if (frame.status === "choices") frame.choices;

// @ts-expect-error 2 is no flag
export const loud: r9.SendmsgRequest = { ...ask, return_voice: 2 };

// @ts-expect-error user_id is required
export const nobody: r9.SendmsgRequest = { action: "sendmsg", api_key: "k", room_uid: "r" };

// @ts-expect-error such a field is in no document
export const typo: r9.SendmsgRequest = { action: "sendmsg", api_key: "k", room_uid: "r", user_id: "u", language_: "ko" };

// @ts-expect-error msg is required up to 2024-08-27
export const silent: r3.SendmsgRequest = ask;

// @ts-expect-error frames name their room from 2024-10-06 on
export const room = (start: r5.StartFrame): string => start.room_uid;

declare const message: v1.Frame;
if ("voice_url" in message) {
  // @ts-expect-error null in a text
  const url: string = message.voice_url;
  if (message.voice_url !== null) {
    const seconds: number = message.voice_length;
    throw [url, seconds];
  }
}

declare const event: r3.Frame;
if (event.event === "on_chat_model_stream" && "sent_uid" in event) {
  const token: string = event.data.chunk.content;
  // @ts-expect-error a token calls no tool
  throw [token, event.data.chunk.tool_calls[0].name];
}
