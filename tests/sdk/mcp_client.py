"""The protocol's official Python client before servers of tools behind the gateway: by both of its lifecycles.

    mcp_client.py        PORTCULLIS_TEST_URL, _KEY (a client's), _OTHER_KEY (another's), _ADMIN, _ADMIN_TOKEN, _FOLDER in the environment

`everything` and `files` are the protocol's reference servers; `everything` may ask its client, and its calls are not judged.
"""

import asyncio
import json
import os
import urllib.request

import httpx2
import mcp.types as types
from mcp import Client, ClientSession, MCPError
from mcp.client.streamable_http import streamable_http_client

URL = os.environ["PORTCULLIS_TEST_URL"]
ADMIN, ADMIN_TOKEN = os.environ["PORTCULLIS_TEST_ADMIN"], os.environ["PORTCULLIS_TEST_ADMIN_TOKEN"]
FOLDER = os.environ["PORTCULLIS_TEST_FOLDER"]


def to(server, key="PORTCULLIS_TEST_KEY"):
    http = httpx2.AsyncClient(headers={"authorization": f"Bearer {os.environ[key]}"}, timeout=60)
    return streamable_http_client(f"{URL}/mcp/{server}", http_client=http)


def admin(method, path):
    request = urllib.request.Request(f"{ADMIN}{path}", method=method, headers={"authorization": f"Bearer {ADMIN_TOKEN}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def text(result):
    return result.content[0].text


async def everything(mode):
    asked, steps = [], []

    async def elicit(context, params):
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"name": "Ann", "check": True})

    async def progress(now, total, message):
        steps.append(now)

    async with Client(to("everything"), mode=mode, elicitation_callback=elicit) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert "echo" in tools and tools["echo"].description, tools
        echoed = await client.call_tool("echo", {"message": "héllo"})
        assert text(echoed) == "Echo: héllo", echoed
        assert echoed.meta["portcullis"] == {"origin": "untrusted", "source": "mcp:everything/echo"}, echoed
        structured = await client.call_tool("get-structured-content", {"location": "New York"})
        assert structured.structured_content, structured
        picture = await client.call_tool("get-tiny-image", {})
        assert any(block.type == "image" and block.data for block in picture.content), picture
        long = await client.call_tool("trigger-long-running-operation", {"duration": 0.4, "steps": 2}, progress_callback=progress)
        assert not long.is_error and steps, (long, steps)
        assert len((await client.list_prompts()).prompts) == 4
        prompt = await client.get_prompt("args-prompt", {"city": "Paris"})
        assert "Paris" in prompt.messages[0].content.text, prompt
        resources = (await client.list_resources()).resources
        read = await client.read_resource(resources[0].uri)
        assert read.contents[0].text, read
        assert (await client.list_resource_templates()).resource_templates
        completed = await client.complete(types.PromptReference(name="completable-prompt"), {"name": "department", "value": "E"})
        assert "Engineering" in completed.completion.values, completed
        if mode == "legacy":
            # What a server asks its client needs a session; in the newest revision it has none.
            answered = await client.call_tool("trigger-elicitation-request", {})
            assert asked and not answered.is_error and "Ann" in json.dumps([block.text for block in answered.content]), answered
        try:
            await client.call_tool("nothing", {})
            raise AssertionError("a tool that is not there was called")
        except MCPError as error:
            assert "no tool of that name" in str(error), error


async def files():
    path = f"{FOLDER}/new.txt"
    async with Client(to("files"), mode="legacy") as client:
        read = await client.call_tool("read_text_file", {"path": f"{FOLDER}/note.txt"})
        assert "a note" in text(read) and not read.is_error, read
        write = {"path": path, "content": "written"}
        told = await client.call_tool("write_file", write)
        assert told.is_error and "[approval_required]" in text(told), told
        assert not os.path.exists(path)
        pending = admin("GET", "/api/v1/approvals?state=pending")["approvals"]
        assert pending[0]["tool"] == "files/write_file" and json.loads(pending[0]["arguments"]) == write, pending
        admin("POST", f"/api/v1/approvals/{pending[0]['id']}/grant")
        written = await client.call_tool("write_file", write)
        assert not written.is_error and open(path).read() == "written", written
        again = await client.call_tool("write_file", write)
        assert again.is_error, again
        # An attacker's words in a file do not reach the model.
        poisoned = await client.call_tool("read_text_file", {"path": f"{FOLDER}/poison.txt"})
        assert poisoned.is_error and "mallory" not in str(poisoned), poisoned


async def strangers():
    for key, server in (("PORTCULLIS_TEST_OTHER_KEY", "files"), ("PORTCULLIS_TEST_KEY", "nothing")):
        async with to(server, key) as (read, write, *_):
            async with ClientSession(read, write) as session:
                try:
                    await session.initialize()
                    raise AssertionError(f"{server} is open to {key}")
                except MCPError:
                    pass


async def main():
    for mode in ("auto", "legacy"):
        await everything(mode)
    await files()
    await strangers()
    print("all cases hold")


asyncio.run(main())
