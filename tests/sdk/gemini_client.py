"""The official Google GenAI client: content generation, token counts, embeddings, tools, and its own error classes."""

import asyncio
import base64
import functools
import json
import urllib.error
import urllib.request

import pydantic
from google import genai
from google.genai import errors, types

from check import BASE_URL, CARD, CUSTOMER, EMAIL, INJECTION, KEY, LIMITED_KEY, MINE, PIXEL_DATA
from check import GUARDED, case, clean, guarded, raises, run, same, unguarded

MODEL = "gemini-2.5-flash"
SCHEMA = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name=name, description="Tells the weather of a city", parameters=SCHEMA)
            for name in ("weather", "forecast")
        ]
    )
]
CALL = 'Please call the tool weather with {"city": "Oslo"}'
CALL_TWO = CALL + ' and call the tool forecast with {"city": "Bergen"}'


@functools.cache
def client(key=KEY):
    """Kept: this client closes its connections when nothing holds it any more."""
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=BASE_URL))


def generate(contents, key=KEY, model=MODEL, **config):
    return client(key).models.generate_content(
        model=model, contents=contents, config=types.GenerateContentConfig(**config)
    )


def streamed(contents, **config):
    return list(
        client().models.generate_content_stream(
            model=MODEL, contents=contents, config=types.GenerateContentConfig(**config)
        )
    )


@case
def content_buffered():
    reply = generate("say hello there", system_instruction="Be brief.", temperature=0.5)
    same(reply.text, "hello there")
    same(reply.candidates[0].finish_reason.name, "STOP")
    assert reply.usage_metadata.total_token_count > 0


@case
def content_streamed():
    chunks = streamed("say one two three four five six seven")
    same("".join(chunk.text or "" for chunk in chunks), "one two three four five six seven")
    same(chunks[-1].candidates[0].finish_reason.name, "STOP")
    assert len(chunks) > 3, "a stream comes in pieces"


@case
def content_under_the_older_version_of_the_path():
    options = types.HttpOptions(base_url=BASE_URL, api_version="v1beta")
    older = genai.Client(api_key=KEY, http_options=options)
    same(older.models.generate_content(model=MODEL, contents="say hello there").text, "hello there")


@case
def content_cut_by_its_limit():
    same(generate("say one two three four", max_output_tokens=2).candidates[0].finish_reason.name, "MAX_TOKENS")


@case
def a_chat_of_several_turns():
    chat = client().chats.create(model=MODEL)
    same(chat.send_message("say one").text, "one")
    same("".join(chunk.text or "" for chunk in chat.send_message_stream("say two and three")), "two and three")


@case
def content_with_tools():
    reply = generate(CALL_TWO, tools=TOOLS)
    calls = [(call.name, call.args) for call in reply.function_calls]
    same(calls, [("weather", {"city": "Oslo"}), ("forecast", {"city": "Bergen"})])


@case
def content_with_tools_streamed():
    chunks = streamed(CALL_TWO, tools=TOOLS)
    calls = [(call.name, call.args) for chunk in chunks for call in chunk.function_calls or []]
    same(calls, [("weather", {"city": "Oslo"}), ("forecast", {"city": "Bergen"})])


@case
def a_function_is_called_by_the_client_itself():
    asked = []

    def weather(city: str) -> str:
        """Tells the weather of a city."""
        asked.append(city)
        return "22 degrees"

    chat = client().chats.create(model=MODEL, config=types.GenerateContentConfig(tools=[weather]))
    reply = chat.send_message(CALL)
    same(asked, ["Oslo"])
    same(reply.text, "The tool says: 22 degrees")


@case
def thoughts_are_told_apart():
    config = {"thinking_config": types.ThinkingConfig(include_thoughts=True)}
    parts = generate("say yes", **config).candidates[0].content.parts
    same([bool(part.thought) for part in parts], [True, False])
    chunks = streamed("say yes", **config)
    thought = "".join(p.text for c in chunks for p in c.candidates[0].content.parts if p.thought)
    same(thought, parts[0].text)


@case
def a_picture_goes_with_its_text():
    picture = types.Part.from_bytes(data=base64.b64decode(PIXEL_DATA), mime_type="image/png")
    same(generate([picture, "say a picture"]).text, "a picture")


class City(pydantic.BaseModel):
    city: str


@case
def structured_outputs_are_parsed():
    reply = generate('say {"city": "Oslo"}', response_mime_type="application/json", response_schema=City)
    same(reply.parsed, City(city="Oslo"))


@case
def tokens_are_counted():
    assert client().models.count_tokens(model=MODEL, contents="say hello").total_tokens > 0


def post(path, body):
    """A plain request, for what this client has no call of its own."""
    request = urllib.request.Request(
        f"{BASE_URL}{path}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json", "x-goog-api-key": KEY},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.read()


@case
def one_embedding():
    body = {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "one"}]}}
    reply = json.loads(post("/v1beta/models/gemini-embedding-001:embedContent", body))
    same(len(reply["embedding"]["values"]), 16)


@case
def embeddings():
    reply = client().models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    same(len(reply.embeddings), 2)
    assert reply.embeddings[0].values != reply.embeddings[1].values


@unguarded
def a_stream_as_one_array():
    body = {"contents": [{"role": "user", "parts": [{"text": "say hello there"}]}]}
    chunks = json.loads(post(f"/v1beta/models/{MODEL}:streamGenerateContent", body))
    text = "".join(part.get("text", "") for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"])
    same(text, "hello there")


@case
def content_asynchronous():
    async def work():
        asynchronous = client().aio

        async def one(number):
            stream = await asynchronous.models.generate_content_stream(
                model=MODEL, contents=f"say number {number} of many"
            )
            return "".join([chunk.text or "" async for chunk in stream])

        return await asyncio.gather(*[one(number) for number in range(8)])

    same(asyncio.run(work()), [f"number {number} of many" for number in range(8)])


@case
def a_wrong_key_is_a_client_error():
    error = raises(errors.ClientError, lambda: generate("hi", key="not-" + KEY))
    same(error.code, 401 if GUARDED else 400)


@case
def a_malformed_body_is_a_client_error():
    request = lambda: client().models.generate_content(model=MODEL, contents=[])  # noqa: E731
    raises((errors.ClientError, ValueError), request)
    try:
        post(f"/v1beta/models/{MODEL}:generateContent", {"content": "x"})
        raise AssertionError("a body without contents was accepted")
    except urllib.error.HTTPError as error:
        same(error.code, 400)
        same(json.loads(error.read())["error"]["status"], "INVALID_ARGUMENT")


@unguarded
def the_stand_in_fails_when_it_is_told_to():
    same(raises(errors.ClientError, lambda: generate("answer with status 429")).code, 429)
    same(raises(errors.ServerError, lambda: generate("answer with status 503")).code, 503)


@unguarded
def models_are_listed():
    assert f"models/{MODEL}" in [model.name for model in client().models.list()]


@guarded
def an_upstream_that_fails_is_an_error_of_the_client_s_kind():
    same(raises(errors.ServerError, lambda: generate("answer with status 500")).code, 502)


@guarded
def a_stream_that_breaks_off_is_an_error():
    text = "say one two three four five six seven eight nine ten, break off"
    raises(errors.APIError, lambda: streamed(text))


@guarded
def an_injection_is_refused():
    for work in (
        lambda: generate(INJECTION),
        lambda: streamed(INJECTION),
        lambda: generate(types.Part.from_function_response(name="weather", response={"result": INJECTION})),
    ):
        error = raises(errors.ClientError, work)
        same((error.code, error.status), (400, "INVALID_ARGUMENT"))


@guarded
def what_the_model_brings_on_its_own_is_redacted():
    clean(generate(CUSTOMER).text)
    chunks = streamed(CUSTOMER)
    clean("".join(chunk.text or "" for chunk in chunks))
    for chunk in chunks:
        assert EMAIL not in chunk.model_dump_json() and CARD not in chunk.model_dump_json()


@guarded
def what_the_client_sent_comes_back_to_it():
    same(generate(f"say write to {MINE} today").text, f"write to {MINE} today")
    chunks = streamed(f"say write to {MINE} today")
    same("".join(chunk.text or "" for chunk in chunks), f"write to {MINE} today")


@guarded
def an_unknown_model_is_not_found():
    same(raises(errors.ClientError, lambda: generate("hi", model="no-such-model")).code, 404)


@guarded
def a_rate_limit_is_a_client_error():
    def work():
        for _ in range(5):
            generate("say hello", key=LIMITED_KEY)

    error = raises(errors.ClientError, work)
    same((error.code, error.status), (429, "RESOURCE_EXHAUSTED"))


run()
