/**
 * Hashee messaging, as of 2026-01.
 *
 * Message, stream and auth frames are flat, the others have their fields under `payload`. Keys stand in this
 * order; those without a value are left out.
 *
 * Generated from the frame classes by `chldo-emulator schema`; do not edit.
 */

/** What these types describe. */
export const REVISION = "2026-01";

/** `auth.ok`: The socket is authenticated. */
export interface AuthOkFrame {
  /** The kind. */
  type: "auth.ok";
}

/** `auth.error`: It is not; the socket is closed. */
export interface AuthErrorFrame {
  /** The kind. */
  type: "auth.error";
  /** Why, for programs. */
  reason: string;
  /** Why, for people, in English. */
  message: string;
  /** The key of a translation. */
  i18n_key: string;
}

/** `auth.expiring`: The access token is about to expire. */
export interface AuthExpiringFrame {
  /** The kind. */
  type: "auth.expiring";
  /** How long it holds, in seconds. */
  expires_in_seconds: number;
}

/** `pong`: The answer to ping. */
export interface PongFrame {
  /** The kind. */
  type: "pong";
}

/** `session.invalidated`: The session is over; the socket is closed. */
export interface SessionInvalidatedFrame {
  /** The kind. */
  type: "session.invalidated";
  /** What it says. */
  payload: { reason: string; message: string; i18n_key: string };
}

/** `error`: A frame could not be taken. */
export interface ErrorFrame {
  /** The kind. */
  type: "error";
  /** What it says. */
  payload: { code: string; message: string; i18n_key: string };
}

/** `message.new`: Somebody has said something. */
export interface MessageNewFrame {
  /** The kind. */
  type: "message.new";
  /** The conversation. */
  conversation_id: string;
  /** The message. */
  message_id: string;
  /** Who says it. */
  sender_id: string;
  /** What they are. */
  sender_type: "human" | "agent" | "system";
  /** What the payload is. */
  content_type: string;
  /** Opaque to the service. */
  encrypted_payload: string;
  /** The number of the message in its conversation. */
  conversation_seq: number;
  /** When it was accepted. */
  created_at: string;
}

/** `message.ack`: The sender's message is accepted. */
export interface MessageAckFrame {
  /** The kind. */
  type: "message.ack";
  /** The sender's own id of the message. */
  client_message_id?: string;
  /** The message. */
  message_id: string;
  /** The number of the message in its conversation. */
  conversation_seq: number;
}

/** `message.read`: Somebody has read up to a message. */
export interface MessageReadFrame {
  /** The kind. */
  type: "message.read";
  /** The conversation. */
  conversation_id: string;
  /** The user. */
  user_id: string;
  /** Up to which message. */
  seq: number;
}

/** `message.recalled`: A message is taken back. */
export interface MessageRecalledFrame {
  /** The kind. */
  type: "message.recalled";
  /** The message. */
  message_id: string;
  /** The conversation. */
  conversation_id: string;
  /** Who takes it back. */
  recalled_by: string;
}

/** `message.status_updated`: A message has reached somebody, or is read. */
export interface MessageStatusUpdatedFrame {
  /** The kind. */
  type: "message.status_updated";
  /** The message. */
  message_id: string;
  /** The conversation. */
  conversation_id: string;
  /** What it is now. */
  status: "delivered" | "read";
  /** The number of the message in its conversation. */
  conversation_seq: number;
}

/** `message.pinned`: A message is pinned, or no more. */
export interface MessagePinnedFrame {
  /** The kind. */
  type: "message.pinned";
  /** The message. */
  message_id: string;
  /** The conversation. */
  conversation_id: string;
  /** Who pins it. */
  pinned_by: string;
  /** Whether it is pinned now. */
  pinned: boolean;
}

/** `stream.start`: An agent begins to say something, piece by piece. */
export interface StreamStartFrame {
  /** The kind. */
  type: "stream.start";
  /** The stream. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
  /** Who says it. */
  sender_id: string;
}

/** `stream.delta`: A piece of it. */
export interface StreamDeltaFrame {
  /** The kind. */
  type: "stream.delta";
  /** The stream. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
  /** Opaque to the service. */
  encrypted_payload: string;
}

/** `stream.done`: All of it, now a message. */
export interface StreamDoneFrame {
  /** The kind. */
  type: "stream.done";
  /** The stream. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
  /** The message. */
  message_id: string;
  /** The number of the message in its conversation. */
  conversation_seq: number;
  /** Opaque to the service. */
  encrypted_payload: string;
  /** When it was accepted. */
  created_at: string;
}

/** `stream.abort`: It will not be finished. */
export interface StreamAbortFrame {
  /** The kind. */
  type: "stream.abort";
  /** The stream. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
}

/** `stream.error`: A stream cannot go on; to the agent. */
export interface StreamErrorFrame {
  /** The kind. */
  type: "stream.error";
  /** The stream. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
  /** Why, for programs. */
  reason: string;
}

/** `relation.established`: A user has taken the agent up. */
export interface RelationEstablishedFrame {
  /** The kind. */
  type: "relation.established";
  /** What it says. */
  payload: { user_id: string; display_name: string; avatar_url: string; language: string; referral_source: string; public_key: string };
}

/** `relation.terminated`: A user has left the agent. */
export interface RelationTerminatedFrame {
  /** The kind. */
  type: "relation.terminated";
  /** What it says. */
  payload: { user_id: string };
}

/** `relation.suspended`: A user may not write to the agent for now. */
export interface RelationSuspendedFrame {
  /** The kind. */
  type: "relation.suspended";
  /** What it says. */
  payload: { user_id: string };
}

/** `relation.restored`: A user may write to the agent again. */
export interface RelationRestoredFrame {
  /** The kind. */
  type: "relation.restored";
  /** What it says. */
  payload: { user_id: string };
}

/** `artifact_response`: A user has answered an artifact. */
export interface ArtifactResponseFrame {
  /** The kind. */
  type: "artifact_response";
  /** What it says. */
  payload: { conversation_id: string; message_id: string; ref_artifact: string; ref_action: string; based_on_revision: number; values: Record<string, unknown> };
}

/** `artifact_update`: An artifact has a new state. */
export interface ArtifactUpdateFrame {
  /** The kind. */
  type: "artifact_update";
  /** What it says. */
  payload: { conversation_id: string; message_id: string; ref_artifact: string; revision?: number; based_on_revision?: number; encrypted_payload: string };
}

/** `artifact.expired`: An artifact cannot be answered any more. */
export interface ArtifactExpiredFrame {
  /** The kind. */
  type: "artifact.expired";
  /** What it says. */
  payload: { conversation_id: string; message_id: string; artifact_id: string };
}

/** `agent.governance`: The service has decided about an agent. */
export interface AgentGovernanceFrame {
  /** The kind. */
  type: "agent.governance";
  /** What it says. */
  payload: { agent_template_id: string; governance_status: string; reason: string };
}

/** `agent.status`: An agent has come, or gone. */
export interface AgentStatusFrame {
  /** The kind. */
  type: "agent.status";
  /** What it says. */
  payload: { agent_id: string; status: "online" | "offline" };
}

/** `agent.typing`: An agent types, or stops. */
export interface AgentTypingFrame {
  /** The kind. */
  type: "agent.typing";
  /** What it says. */
  payload: { agent_id: string; conversation_id: string; typing: boolean; expires_in_seconds: number };
}

/** `reaction.update`: The reactions of a message. */
export interface ReactionUpdateFrame {
  /** The kind. */
  type: "reaction.update";
  /** What it says. */
  payload: { message_id: string; reactions: { emoji: string; count: number; user_ids: string[]; [key: string]: unknown }[] };
}

/** `group.updated`: A group has changed. */
export interface GroupUpdatedFrame {
  /** The kind. */
  type: "group.updated";
  /** What it says. */
  payload: { conversation_id: string; changes: Record<string, unknown> };
}

/** `auth`: The first frame of every socket, within 5 seconds. */
export interface AuthRequest {
  /** The kind. */
  type: "auth";
  /** An access token on /ws/human, an agent's token on /ws/agent. */
  token: string;
  /** The agent, as in the address. */
  agent_id?: string;
}

/** `auth.renew`: A new access token for the open socket of a person. */
export interface AuthRenewRequest {
  /** The kind. */
  type: "auth.renew";
  /** The new token. */
  access_token: string;
}

/** `ping`: A sign of life. */
export interface PingRequest {
  /** The kind. */
  type: "ping";
}

/** `pong`: The answer to a ping. */
export interface PongRequest {
  /** The kind. */
  type: "pong";
}

/** `stream.start`: An agent begins to say something, piece by piece. */
export interface StreamStartRequest {
  /** The kind. */
  type: "stream.start";
  /** The stream, named by the agent. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
}

/** `stream.delta`: A piece of it. */
export interface StreamDeltaRequest {
  /** The kind. */
  type: "stream.delta";
  /** The stream, named by the agent. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
  /** Opaque to the service. */
  encrypted_payload: string;
}

/** `stream.done`: All of it, to be kept as a message. */
export interface StreamDoneRequest {
  /** The kind. */
  type: "stream.done";
  /** The stream, named by the agent. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
  /** Opaque to the service. */
  encrypted_payload: string;
  /** The agent's own id of the message. */
  client_message_id?: string;
  /** What the payload is. */
  content_type?: string;
}

/** `stream.abort`: It will not be finished. */
export interface StreamAbortRequest {
  /** The kind. */
  type: "stream.abort";
  /** The stream, named by the agent. */
  stream_id: string;
  /** The conversation. */
  conversation_id: string;
}

/** `typing`: An agent types, or stops. */
export interface TypingRequest {
  /** The kind. */
  type: "typing";
  /** The conversation. */
  conversation_id: string;
  /** True by default. */
  typing?: boolean;
}

/** Everything that the server sends. */
export type Frame =
  | AuthOkFrame
  | AuthErrorFrame
  | AuthExpiringFrame
  | PongFrame
  | SessionInvalidatedFrame
  | ErrorFrame
  | MessageNewFrame
  | MessageAckFrame
  | MessageReadFrame
  | MessageRecalledFrame
  | MessageStatusUpdatedFrame
  | MessagePinnedFrame
  | StreamStartFrame
  | StreamDeltaFrame
  | StreamDoneFrame
  | StreamAbortFrame
  | StreamErrorFrame
  | RelationEstablishedFrame
  | RelationTerminatedFrame
  | RelationSuspendedFrame
  | RelationRestoredFrame
  | ArtifactResponseFrame
  | ArtifactUpdateFrame
  | ArtifactExpiredFrame
  | AgentGovernanceFrame
  | AgentStatusFrame
  | AgentTypingFrame
  | ReactionUpdateFrame
  | GroupUpdatedFrame;

/** Everything that a client may ask. */
export type ClientRequest =
  | AuthRequest
  | AuthRenewRequest
  | PingRequest
  | PongRequest
  | StreamStartRequest
  | StreamDeltaRequest
  | StreamDoneRequest
  | StreamAbortRequest
  | TypingRequest;
