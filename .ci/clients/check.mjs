// Asks the proxy with OpenAI's JavaScript SDK and with Vercel's AI SDK, as their pages show it.
// node check.mjs http://127.0.0.1:PORT API_KEY; exit code 1 if an answer is not what they should get.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, Output, stepCountIs, streamObject, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodFunction, zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const [server, apiKey] = process.argv.slice(2);
const baseURL = `${server}/v1`;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const vercel = createOpenAI({ baseURL, apiKey });

const replies = [
  { when: { msg: "hello" }, reply: "Hello! What shall we talk about?" },
  { when: { msg: "2 + 3" }, reply: "That makes 5.", tool_calls: [{ name: "add", args: { a: 2, b: 3 } }] },
  { when: { msg: "and now", turn: 2 }, reply: "The second turn." },
];
const answer = await fetch(`${server}/_emulator/replies`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ replies }),
});
assert.equal(answer.status, 201, await answer.text());

const Weather = z.object({
  city: z.string().min(2),
  sky: z.enum(["sunny", "cloudy"]),
  mail: z.email(),
  at: z.iso.datetime(),
  days: z.array(z.object({ high: z.number().int().min(-50).max(50) })).min(1).max(3),
});
const Sum = z.object({ a: z.number(), b: z.number() });
const add = tool({ description: "Adds", inputSchema: Sum, execute: async ({ a, b }) => a + b });

const checks = {
  "openai: a response, whole and streamed": async () => {
    const whole = await client.responses.create({ model: "gpt-4o-mini", input: "hello" });
    assert.equal(whole.output_text, "Hello! What shall we talk about?");
    const stream = client.responses.stream({ model: "gpt-4o-mini", input: "hello" });
    let told = "";
    stream.on("response.output_text.delta", (event) => (told += event.delta));
    const final = await stream.finalResponse();
    assert.equal(told, whole.output_text);
    assert.equal(final.output_text, whole.output_text);
    const next = await client.responses.create({ model: "m", input: "and now", previous_response_id: final.id });
    assert.equal(next.output_text, "The second turn.");
    assert.equal((await client.responses.retrieve(next.id)).output_text, "The second turn.");
  },
  "openai: a response that calls a function, and its result": async () => {
    const tools = [{ type: "function", name: "add", parameters: z.toJSONSchema(Sum), strict: true }];
    const called = await client.responses.create({ model: "m", input: "2 + 3", tools });
    const [call] = called.output;
    assert.deepEqual([call.type, call.name, JSON.parse(call.arguments)], ["function_call", "add", { a: 2, b: 3 }]);
    const output = { type: "function_call_output", call_id: call.call_id, output: "5" };
    const asked = { model: "m", input: [output], previous_response_id: called.id, tools };
    assert.equal((await client.responses.create(asked)).output_text, "That makes 5.");
  },
  "openai: structured output of a response and of a completion": async () => {
    const text = { format: zodTextFormat(Weather, "weather") };
    const response = await client.responses.parse({ model: "m", input: "hello", text });
    Weather.parse(response.output_parsed);
    const messages = [{ role: "user", content: "hello" }];
    const wanted = { model: "m", messages, response_format: zodResponseFormat(Weather, "weather") };
    const completion = await client.chat.completions.parse(wanted);
    Weather.parse(completion.choices[0].message.parsed);
    const streamed = await client.chat.completions.stream(wanted).finalChatCompletion();
    Weather.parse(streamed.choices[0].message.parsed);
    const tools = [zodFunction({ name: "weather", parameters: Weather })];
    const called = await client.chat.completions.parse({ model: "m", messages, tools, tool_choice: "required" });
    Weather.parse(called.choices[0].message.tool_calls[0].function.parsed_arguments);
  },
  "openai: what is not served": async () => {
    await assert.rejects(client.embeddings.create({ model: "m", input: "hello" }), (error) => {
      assert.equal(error.status, 404);
      assert.equal(error.code, "unknown_url");
      assert.match(error.message, /POST \/v1\/responses/);
      return true;
    });
  },
};

for (const [name, model] of [
  ["responses", vercel("gpt-4o-mini")],
  ["a model that reasons", vercel("gpt-5")],
  ["chat", vercel.chat("gpt-4o-mini")],
]) {
  checks[`vercel, ${name}: text, whole and streamed`] = async () => {
    const whole = await generateText({ model, prompt: "hello", maxRetries: 0 });
    assert.equal(whole.text, "Hello! What shall we talk about?");
    assert.equal(whole.finishReason, "stop");
    assert.ok(whole.usage.outputTokens > 3);
    const streamed = streamText({ model, prompt: "hello", maxRetries: 0 });
    let told = "";
    for await (const piece of streamed.textStream) told += piece;
    assert.equal(told, whole.text);
    const messages = [{ role: "user", content: "hello" }, ...whole.response.messages, { role: "user", content: "and now" }];
    assert.equal((await generateText({ model, messages, maxRetries: 0 })).text, "The second turn.");
  };
  checks[`vercel, ${name}: tools in steps`] = async () => {
    const asked = { model, prompt: "2 + 3", tools: { add }, stopWhen: stepCountIs(4), maxRetries: 0 };
    const whole = await generateText(asked);
    assert.equal(whole.text, "That makes 5.");
    assert.deepEqual(whole.steps[0].toolResults.map((result) => result.output), [5]);
    const streamed = streamText(asked);
    assert.equal(await streamed.text, "That makes 5.");
    const forced = await generateText({ ...asked, prompt: "hello", toolChoice: "required", stopWhen: stepCountIs(1) });
    Sum.parse(forced.toolCalls[0].input);
    const store = { openai: { store: false } };
    assert.equal((await generateText({ ...asked, providerOptions: store })).text, "That makes 5.");
  };
  checks[`vercel, ${name}: objects`] = async () => {
    const { object } = await generateObject({ model, schema: Weather, prompt: "hello", maxRetries: 0 });
    Weather.parse(object);
    const streamed = streamObject({ model, schema: Weather, prompt: "hello", maxRetries: 0 });
    for await (const part of streamed.partialObjectStream) assert.equal(typeof part, "object");
    Weather.parse(await streamed.object);
    const { output } = await generateText({ model, prompt: "hello", output: Output.object({ schema: Weather }), maxRetries: 0 });
    Weather.parse(output);
    const several = await generateObject({ model, output: "array", schema: Weather, prompt: "hello", maxRetries: 0 });
    z.array(Weather).parse(several.object);
    const choice = await generateObject({ model, output: "enum", enum: ["a", "b"], prompt: "hello", maxRetries: 0 });
    assert.ok(["a", "b"].includes(choice.object));
  };
}

globalThis.AI_SDK_LOG_WARNINGS = false;
let wrong = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
  } catch (error) {
    wrong += 1;
    console.error(`${name}: ${error.stack ?? error}`, error.responseBody ?? "");
  }
}
console.log(`${Object.keys(checks).length - wrong} of ${Object.keys(checks).length} client checks pass`);
process.exit(wrong ? 1 : 0);
