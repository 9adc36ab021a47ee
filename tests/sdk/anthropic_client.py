"""The official Anthropic client: messages, token counts, models, tools, thinking, and its own error classes."""

import asyncio

import anthropic

from check import BASE_URL, CARD, CUSTOMER, EMAIL, INJECTION, KEY, LIMITED_KEY, MINE, PIXEL_DATA
from check import case, clean, guarded, raises, run, same, unguarded

MODEL = "claude-sonnet-5"
TOOLS = [
    {
        "name": name,
        "description": "Tells the weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    for name in ("weather", "forecast")
]
CALL = 'Please call the tool weather with {"city": "Oslo"}'
CALL_TWO = "Say one moment, then " + CALL[7:] + ' and call the tool forecast with {"city": "Bergen"}'


def client(key=KEY):
    return anthropic.Anthropic(base_url=BASE_URL, api_key=key, max_retries=0, timeout=30)


def user(content):
    return [{"role": "user", "content": content}]


def message(content, **more):
    return client().messages.create(**{"model": MODEL, "max_tokens": 500, "messages": user(content), **more})


def streamed(content, **more):
    """The events of a stream and its joined text."""
    events = list(message(content, stream=True, **more))
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    return events, "".join(delta.text for delta in deltas if delta.type == "text_delta")


@case
def models_are_listed():
    assert MODEL in [model.id for model in client().models.list()]


@case
def messages_buffered():
    reply = message("say hello there", system="Be brief.")
    same(reply.content[0].text, "hello there")
    same(reply.stop_reason, "end_turn")
    assert reply.usage.input_tokens > 0 and reply.usage.output_tokens > 0


@case
def messages_with_blocks_and_turns():
    messages = [
        *user([{"type": "text", "text": "say one", "cache_control": {"type": "ephemeral"}}]),
        {"role": "assistant", "content": [{"type": "text", "text": "one"}]},
        *user([{"type": "text", "text": "say two"}]),
    ]
    system = [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]
    reply = message("", messages=messages, system=system, metadata={"user_id": "u-1"}, stop_sequences=["zzz"])
    same(reply.content[0].text, "two")


@case
def messages_streamed():
    events, text = streamed("say one two three four five six seven")
    same(text, "one two three four five six seven")
    same(events[0].type, "message_start")
    same(events[-1].type, "message_stop")
    deltas = [event for event in events if event.type == "message_delta"]
    same(deltas[-1].delta.stop_reason, "end_turn")
    assert deltas[-1].usage.output_tokens > 0
    assert len([event for event in events if event.type == "content_block_delta"]) > 3, "a stream comes in pieces"


@case
def messages_through_the_client_s_own_stream():
    with client().messages.stream(model=MODEL, max_tokens=500, messages=user("say hello again")) as stream:
        same("".join(stream.text_stream), "hello again")
        same(stream.get_final_message().content[0].text, "hello again")


@case
def a_stop_sequence_ends_the_reply():
    reply = message("say one two three", stop_sequences=["two"])
    same((reply.stop_reason, reply.stop_sequence), ("stop_sequence", "two"))
    same(message("say one two three four", max_tokens=2).stop_reason, "max_tokens")


@case
def messages_with_tools():
    reply = message(CALL_TWO, tools=TOOLS)
    same(reply.stop_reason, "tool_use")
    same(reply.content[0].text, "one moment")
    calls = [(block.name, block.input) for block in reply.content if block.type == "tool_use"]
    same(calls, [("weather", {"city": "Oslo"}), ("forecast", {"city": "Bergen"})])


@case
def messages_with_tools_streamed():
    with client().messages.stream(model=MODEL, max_tokens=500, messages=user(CALL_TWO), tools=TOOLS) as stream:
        for _ in stream:
            pass
        reply = stream.get_final_message()
    same(reply.stop_reason, "tool_use")
    same(reply.content[0].text, "one moment")
    calls = [(block.name, block.input) for block in reply.content if block.type == "tool_use"]
    same(calls, [("weather", {"city": "Oslo"}), ("forecast", {"city": "Bergen"})])


@case
def messages_with_a_tool_result():
    called = message(CALL, tools=TOOLS)
    call = next(block for block in called.content if block.type == "tool_use")
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "22 degrees"}]}]
    messages = [*user(CALL), {"role": "assistant", "content": called.content}, *user(results)]
    same(message("", messages=messages, tools=TOOLS).content[0].text, "The tool says: 22 degrees")


@case
def thinking_buffered_and_streamed():
    thinking = {"type": "enabled", "budget_tokens": 1024}
    reply = message("say yes", max_tokens=4000, thinking=thinking)
    same([block.type for block in reply.content], ["thinking", "text"])
    assert reply.content[0].signature
    with client().messages.stream(model=MODEL, max_tokens=4000, messages=user("say yes"), thinking=thinking) as stream:
        for _ in stream:
            pass
        final = stream.get_final_message()
    same(final.content[0].thinking, reply.content[0].thinking)
    same(final.content[0].signature, reply.content[0].signature)
    same(final.content[1].text, "yes")


@case
def a_picture_goes_with_its_text():
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL_DATA}
    reply = message([{"type": "image", "source": source}, {"type": "text", "text": "say a picture"}])
    same(reply.content[0].text, "a picture")


@case
def tokens_are_counted():
    count = client().messages.count_tokens(model=MODEL, messages=user("say hello"), system="Be brief.")
    assert count.input_tokens > 0


@case
def messages_asynchronous():
    async def work():
        asynchronous = anthropic.AsyncAnthropic(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)

        async def one(number):
            messages = user(f"say number {number} of many")
            async with asynchronous.messages.stream(model=MODEL, max_tokens=500, messages=messages) as stream:
                return "".join([text async for text in stream.text_stream])

        return await asyncio.gather(*[one(number) for number in range(8)])

    same(asyncio.run(work()), [f"number {number} of many" for number in range(8)])


@case
def a_wrong_key_is_an_authentication_error():
    wrong = client("not-" + KEY)
    work = lambda: wrong.messages.create(model=MODEL, max_tokens=5, messages=user("hi"))  # noqa: E731
    error = raises(anthropic.AuthenticationError, work)
    same((error.status_code, error.body["type"]), (401, "error"))


@case
def a_malformed_body_is_a_bad_request():
    work = lambda: client().post("/v1/messages", body={"model": MODEL}, cast_to=object)  # noqa: E731
    error = raises(anthropic.BadRequestError, work)
    same(error.body["error"]["type"], "invalid_request_error")


@case
def an_unknown_path_is_not_found():
    raises(anthropic.NotFoundError, lambda: client().post("/v1/nowhere", body={}, cast_to=object))


@unguarded
def the_stand_in_fails_when_it_is_told_to():
    raises(anthropic.RateLimitError, lambda: message("answer with status 429"))
    raises(anthropic.InternalServerError, lambda: message("answer with status 529"))


@guarded
def an_upstream_that_fails_is_an_error_of_the_client_s_kind():
    error = raises(anthropic.InternalServerError, lambda: message("answer with status 500"))
    same((error.status_code, error.body["error"]["code"]), (502, "upstream_error"))


@guarded
def a_stream_that_breaks_off_is_an_error():
    text = "say one two three four five six seven eight nine ten, break off"
    raises(anthropic.APIError, lambda: streamed(text))


@guarded
def an_injection_is_refused():
    for work in (
        lambda: message(INJECTION),
        lambda: streamed(INJECTION),
        lambda: message([{"type": "text", "text": INJECTION}]),
        lambda: message([{"type": "tool_result", "tool_use_id": "toolu_1", "content": INJECTION}]),
    ):
        error = raises(anthropic.BadRequestError, work)
        same((error.body["type"], error.body["error"]["code"]), ("error", "content_filter"))
        assert error.body.get("request_id", "").startswith("req_"), error.body


@guarded
def what_the_model_brings_on_its_own_is_redacted():
    clean(message(CUSTOMER).content[0].text)
    events, text = streamed(CUSTOMER)
    clean(text)
    for event in events:
        assert EMAIL not in event.model_dump_json() and CARD not in event.model_dump_json(), event.type
    with client().messages.stream(model=MODEL, max_tokens=500, messages=user(CUSTOMER)) as stream:
        clean("".join(stream.text_stream))
        clean(stream.get_final_message().content[0].text)


@guarded
def what_the_client_sent_comes_back_to_it():
    same(message(f"say write to {MINE} today").content[0].text, f"write to {MINE} today")
    same(streamed(f"say write to {MINE} today")[1], f"write to {MINE} today")


@guarded
def arguments_of_a_streamed_call_are_still_json():
    text = f'call the tool weather with {{"city": "Oslo", "note": "card {CARD} of the customer"}}'
    with client().messages.stream(model=MODEL, max_tokens=500, messages=user(text), tools=TOOLS) as stream:
        for _ in stream:
            pass
        same(stream.get_final_message().content[0].input["city"], "Oslo")


@guarded
def every_reply_names_its_request_and_its_decision():
    raw = client().messages.with_raw_response.create(model=MODEL, max_tokens=50, messages=user("say hello"))
    assert raw.headers["x-portcullis-request-id"].startswith("req_")
    same(raw.headers["x-portcullis-decision"], "allow")


@guarded
def an_unknown_model_is_not_found():
    error = raises(anthropic.NotFoundError, lambda: message("hi", model="no-such-model"))
    same(error.body["error"]["code"], "unknown_model")


@guarded
def a_rate_limit_is_a_rate_limit_error():
    def work():
        for _ in range(5):
            client(LIMITED_KEY).messages.create(model=MODEL, max_tokens=50, messages=user("say hello"))

    error = raises(anthropic.RateLimitError, work)
    same(error.body["error"]["code"], "rate_limited")


run()
