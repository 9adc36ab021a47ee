// The protocol's official TypeScript client, and the inspector's command line, before a server of tools behind the gateway.
//
//     mcp_client.mjs URL KEY INSPECTOR     the address of a server behind the gateway, a key, the inspector's program

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const [url, key, inspector] = process.argv.slice(2);
const authorization = `Bearer ${key}`;
const transport = (headers) => new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });

const own = transport({ authorization });
const client = new Client({ name: "test", version: "1" }, { capabilities: { elicitation: {}, roots: {} } });
let asked = 0;
client.setRequestHandler(ElicitRequestSchema, async () => {
  asked += 1;
  return { action: "accept", content: { name: "Ann" } };
});
client.setNotificationHandler(ToolListChangedNotificationSchema, async () => {});
await client.connect(own);
const { tools } = await client.listTools();
assert.ok(tools.some((tool) => tool.name === "echo"));
// What the server may not ask its client, it is not told that the client can.
assert.ok(!tools.some((tool) => tool.name === "get-roots-list"), tools.map((tool) => tool.name).join());
const echoed = await client.callTool({ name: "echo", arguments: { message: "hi" } });
assert.equal(echoed.content[0].text, "Echo: hi");
const answered = await client.callTool({ name: "trigger-elicitation-request", arguments: {} });
assert.ok(asked === 1 && !answered.isError, JSON.stringify(answered));
const steps = [];
await client.callTool(
  { name: "trigger-long-running-operation", arguments: { duration: 0.4, steps: 2 } }, undefined,
  { onprogress: (step) => steps.push(step.progress) },
);
assert.ok(steps.length > 0);
const { resources } = await client.listResources();
assert.ok((await client.readResource({ uri: resources[0].uri })).contents[0].text);
await client.subscribeResource({ uri: resources[0].uri });
await client.unsubscribeResource({ uri: resources[0].uri });
assert.equal((await client.listPrompts()).prompts.length, 4);
await client.ping();
await own.terminateSession();
await client.close();

// Without a key nobody comes in, and where to get a token is told.
const stranger = await fetch(url, { method: "POST", headers: { "content-type": "application/json" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }) });
assert.equal(stranger.status, 401);
assert.match(stranger.headers.get("www-authenticate"), /^Bearer/);

const run = promisify(execFile);
const inspect = async (...words) => {
  const all = [inspector, "--cli", url, "--transport", "http", "--header", `Authorization: ${authorization}`, ...words];
  return JSON.parse((await run(process.execPath, all)).stdout);
};
assert.ok((await inspect("--method", "tools/list")).tools.length > 5);
const called = await inspect("--method", "tools/call", "--tool-name", "get-sum", "--tool-arg", "a=2", "--tool-arg", "b=3");
assert.match(called.content[0].text, /5/);
assert.equal((await inspect("--method", "prompts/list")).prompts.length, 4);

console.log("all cases hold");
