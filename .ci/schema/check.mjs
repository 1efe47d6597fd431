// Checks docs/schema with the tools of those who use it: the AsyncAPI parser, Ajv, and the TypeScript compiler.
// node check.mjs [folder]; exit code 1 if anything is wrong.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import asyncapi from "@asyncapi/parser";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";

const here = dirname(fileURLToPath(import.meta.url));
const tree = resolve(process.argv[2] ?? join(here, "..", "..", "docs", "schema"));
const files = readdirSync(tree, { recursive: true }).map((name) => name.replaceAll("\\", "/")).sort();
const read = (name) => JSON.parse(readFileSync(join(tree, name), "utf8"));
const problems = [];
const wrong = (name, what) => problems.push(`${name}: ${what}`);
const counts = { documents: 0, schemas: 0, examples: 0, modules: 0 };

// -- AsyncAPI: no error, no warning, no hint; examples fit their payloads as draft 07, which the parser leaves open -----

const parser = new asyncapi.Parser();
const draft07 = new Ajv({ strict: false });

async function diagnose(document) {
  const { diagnostics } = await parser.parse(JSON.stringify(document));
  return diagnostics.map((found) => `${found.path.join(".")}: ${found.message} (${found.code})`);
}

for (const name of files.filter((name) => name.endsWith("asyncapi.json"))) {
  counts.documents += 1;
  const document = read(name);
  for (const line of await diagnose(document)) wrong(name, line);
  for (const message of Object.values(document.components.messages)) {
    const fits = draft07.compile(document.components.schemas[message.name]);
    for (const { payload } of message.examples) {
      if (!fits(payload)) wrong(name, `example of ${message.name}: ${draft07.errorsText(fits.errors)}`);
    }
  }
  const [operation] = Object.values(document.operations);
  operation.messages[0].$ref += "x";
  if ((await diagnose(document)).length === 0) wrong(name, "the parser accepts a message that is not there");
}

// -- JSON Schema: strict, every example fits, and one that is changed does not -------------------------------------------

const multiple = (step, value) => Math.abs(value / step - Math.round(value / step)) < 1e-6;
const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: false });
ajv.addKeyword({ keyword: "x-key-order", schemaType: "array" });
ajv.addKeyword({ keyword: "x-multiple-of", type: "number", schemaType: "number", validate: multiple });
const standard = new Ajv2020({ strict: false }); // as a user has it who never heard of our keywords

const examples = {};
for (const name of files.filter((name) => name.endsWith(".schema.json"))) {
  counts.schemas += 1;
  const schema = read(name);
  const fits = ajv.compile(schema);
  const fitsElsewhere = standard.compile(schema);
  const own = schema.$defs
    ? Object.entries(schema.$defs).flatMap(([type, definition]) => definition.examples.map((body) => [type, body]))
    : schema.examples.map((body) => [null, body]);
  if (own.length === 0) wrong(name, "no example");
  for (const [type, body] of own) {
    counts.examples += 1;
    if (!fits(body)) wrong(name, `example: ${ajv.errorsText(fits.errors)}`);
    if (!fitsElsewhere(body)) wrong(name, `example, plain validator: ${ajv.errorsText(fitsElsewhere.errors)}`);
    if (fits({ ...body, "in no document": 1 })) wrong(name, "accepts a key that is not listed");
    if (type) (examples[`${dirname(name)}/${dirname(name).replace(/[-./]/g, "_")}.ts`] ??= []).push([type, body]);
  }
}

// -- TypeScript: the modules, what is done with them, and every example as a value of its type --------------------------

const build = join(here, "build");
rmSync(build, { recursive: true, force: true });
mkdirSync(build);
for (const name of files.filter((name) => name.endsWith(".ts"))) {
  counts.modules += 1;
  const from = relative(build, join(tree, name)).replaceAll("\\", "/").replace(/\.ts$/, "");
  const values = (examples[name] ?? []).map(
    ([type, body], number) =>
      `export const value${number}: t.${type} = ${JSON.stringify(body)};\n` +
      `export const any${number}: t.Frame | t.ClientRequest = value${number};\n`,
  );
  if (values.length === 0) wrong(name, "no examples for it");
  const target = join(build, name.replaceAll("/", "_"));
  writeFileSync(target, `import type * as t from "${from}";\n${values.join("")}`);
}
const guide = readFileSync(join(here, "..", "..", "docs", "schemas.md"), "utf8");
[...guide.matchAll(/```ts\n(.*?)```/gs)].forEach(([, block], number) => {
  const at = relative(build, join(tree, "chldo", "2024-11-13")).replaceAll("\\", "/");
  writeFileSync(join(build, `guide_${number}.ts`), block.replace("./chldo_2024_11_13", `${at}/chldo_2024_11_13`));
});
try {
  execFileSync(process.execPath, [join(here, "node_modules", "typescript", "bin", "tsc"), "-p", here], { encoding: "utf8" });
} catch (error) {
  wrong("tsc", `${error.stdout}${error.stderr}`);
}

for (const line of problems) console.error(line);
const told = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
console.log(`${told.join(", ")}: ${problems.length ? `${problems.length} problems` : "all well"}`);
process.exit(problems.length || Object.values(counts).includes(0) ? 1 : 0);
