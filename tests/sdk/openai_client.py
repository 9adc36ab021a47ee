"""The official OpenAI client: every endpoint, buffered, streamed, with tools, and its own error classes."""

import asyncio
import json

import openai
import pydantic

from check import BASE_URL, CARD, CUSTOMER, EMAIL, GUARDED, INJECTION, KEY, LIMITED_KEY, MINE, PIXEL
from check import case, clean, guarded, raises, run, same, unguarded

MODEL = "gpt-4o-mini"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "Tells the weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "forecast")
]
CALL = 'Please call the tool weather with {"city": "Oslo"}'
CALL_TWO = CALL + ' and call the tool forecast with {"city": "Bergen"}'


def client(key=KEY):
    return openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=key, max_retries=0, timeout=30)


def user(text):
    return [{"role": "user", "content": text}]


def chat(text, **more):
    return client().chat.completions.create(model=MODEL, messages=user(text), **more)


def streamed(text, **more):
    """The joined text of a streamed chat, its last finish reason, and the number of pieces."""
    pieces, reason = [], None
    for chunk in chat(text, stream=True, **more):
        for choice in chunk.choices:
            pieces.append(choice.delta.content or "")
            reason = choice.finish_reason or reason
    return "".join(pieces), reason, len(pieces)


@case
def models_are_listed():
    assert MODEL in [model.id for model in client().models.list()]


@case
def chat_buffered():
    reply = chat("say hello there")
    same(reply.choices[0].message.content, "hello there")
    same(reply.choices[0].finish_reason, "stop")
    assert reply.usage.prompt_tokens > 0 and reply.usage.completion_tokens > 0


@case
def chat_with_a_long_conversation_and_parts():
    messages = [
        {"role": "system", "content": "Be brief.", "name": "operator"},
        {"role": "user", "content": [{"type": "text", "text": "say one"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "say three", "name": "anna"},
    ]
    reply = client().chat.completions.create(model=MODEL, messages=messages, stop=["zzz"], max_tokens=50)
    same(reply.choices[0].message.content, "three")


@case
def chat_streamed():
    text, reason, pieces = streamed("say one two three four five six seven")
    same(text, "one two three four five six seven")
    same(reason, "stop")
    assert pieces > 3, "a stream comes in pieces"


@case
def chat_streamed_with_usage():
    stream = chat("say hello", stream=True, stream_options={"include_usage": True})
    last = list(stream)[-1]
    same(last.choices, [])
    assert last.usage.completion_tokens > 0


@case
def chat_with_two_choices():
    same([choice.message.content for choice in chat("say hello", n=2).choices], ["hello", "hello"])
    texts = {0: "", 1: ""}
    for chunk in chat("say hello again", n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    same(texts, {0: "hello again", 1: "hello again"})


@case
def chat_with_logprobs():
    content = chat("say hello there", logprobs=True, top_logprobs=1).choices[0].logprobs.content
    same("".join(token.token for token in content), "hello there")
    same("".join(token.top_logprobs[0].token for token in content), "hello there")


@case
def chat_cut_by_its_limit():
    same(chat("say one two three four", max_tokens=2).choices[0].finish_reason, "length")


@case
def chat_with_tools():
    message = chat(CALL_TWO, tools=TOOLS).choices[0].message
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]
    same(calls, [("weather", {"city": "Oslo"}), ("forecast", {"city": "Bergen"})])


@case
def chat_with_tools_streamed():
    calls, reason = {}, None
    for chunk in chat(CALL_TWO, tools=TOOLS, stream=True):
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            for delta in choice.delta.tool_calls or []:
                call = calls.setdefault(delta.index, {"id": None, "name": "", "arguments": ""})
                call["id"] = delta.id or call["id"]
                call["name"] += delta.function.name or ""
                call["arguments"] += delta.function.arguments or ""
    same(reason, "tool_calls")
    same([call["name"] for call in calls.values()], ["weather", "forecast"])
    same([json.loads(call["arguments"]) for call in calls.values()], [{"city": "Oslo"}, {"city": "Bergen"}])
    assert all(call["id"] for call in calls.values())


@case
def chat_text_before_a_call_streamed():
    with client().chat.completions.stream(
        model=MODEL, messages=user("Say one moment, then call the tool weather with {}"), tools=TOOLS
    ) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    same(message.content, "one moment")
    same(message.tool_calls[0].function.name, "weather")


@case
def chat_with_a_tool_result():
    called = chat(CALL, tools=TOOLS).choices[0].message
    messages = user(CALL) + [
        called.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "22 degrees"},
    ]
    reply = client().chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    same(reply.choices[0].message.content, "The tool says: 22 degrees")


class City(pydantic.BaseModel):
    city: str


@case
def structured_outputs_are_parsed():
    order = 'say {"city": "Oslo"}'
    reply = client().chat.completions.parse(model=MODEL, messages=user(order), response_format=City)
    same(reply.choices[0].message.parsed, City(city="Oslo"))
    same(client().responses.parse(model=MODEL, input=order, text_format=City).output_parsed, City(city="Oslo"))


@case
def a_picture_goes_with_its_text():
    picture = {"type": "image_url", "image_url": {"url": PIXEL}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "say a picture"}, picture]}]
    reply = client().chat.completions.create(model=MODEL, messages=messages)
    same(reply.choices[0].message.content, "a picture")


@case
def chat_asynchronous():
    async def work():
        asynchronous = openai.AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, timeout=30)

        async def one(number):
            stream = await asynchronous.chat.completions.create(
                model=MODEL, messages=user(f"say number {number} of many"), stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

        return await asyncio.gather(*[one(number) for number in range(8)])

    same(asyncio.run(work()), [f"number {number} of many" for number in range(8)])


@case
def completions_buffered_and_streamed():
    same(client().completions.create(model=MODEL, prompt="say hello there").choices[0].text, "hello there")
    stream = client().completions.create(model=MODEL, prompt="say hello again and again", stream=True)
    same("".join(choice.text for chunk in stream for choice in chunk.choices), "hello again and again")


@case
def embeddings_as_numbers_and_packed():
    packed = client().embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    plain = client().embeddings.create(model="text-embedding-3-small", input=["one", "two"], encoding_format="float")
    same(len(packed.data), 2)
    for left, right in zip(packed.data, plain.data):
        assert all(abs(x - y) < 1e-6 for x, y in zip(left.embedding, right.embedding, strict=True))
    assert packed.data[0].embedding != packed.data[1].embedding


@case
def moderations():
    reply = client().moderations.create(model="omni-moderation-latest", input=["a kind word", "I will kill it"])
    same([result.flagged for result in reply.results], [False, True])
    assert reply.results[1].categories.violence


@case
def responses_buffered():
    reply = client().responses.create(model=MODEL, input="say hello there", instructions="Be brief.")
    same(reply.output_text, "hello there")
    same(reply.status, "completed")
    assert reply.usage.output_tokens > 0


@case
def responses_streamed():
    events = list(client().responses.create(model=MODEL, input="say one two three four five", stream=True))
    same(events[0].type, "response.created")
    same(events[-1].type, "response.completed")
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    same("".join(deltas), "one two three four five")
    same(events[-1].response.output_text, "one two three four five")
    done = [event.text for event in events if event.type == "response.output_text.done"]
    same(done, ["one two three four five"])
    numbers = [event.sequence_number for event in events]
    same(numbers, sorted(set(numbers)))


@case
def responses_through_the_client_s_own_stream():
    with client().responses.stream(model=MODEL, input="say hello again") as stream:
        for _ in stream:
            pass
        same(stream.get_final_response().output_text, "hello again")


@case
def responses_with_tools():
    tools = [{"type": "function", **tool["function"], "strict": False} for tool in TOOLS]
    reply = client().responses.create(model=MODEL, input=CALL_TWO, tools=tools)
    calls = [(item.name, json.loads(item.arguments)) for item in reply.output if item.type == "function_call"]
    same(calls, [("weather", {"city": "Oslo"}), ("forecast", {"city": "Bergen"})])
    events = list(client().responses.create(model=MODEL, input=CALL, tools=tools, stream=True))
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    same(json.loads("".join(deltas)), {"city": "Oslo"})
    done = [event.item for event in events if event.type == "response.output_item.done"]
    same([(item.name, json.loads(item.arguments)) for item in done], [("weather", {"city": "Oslo"})])
    results = [{"role": "user", "content": CALL}] + [item.model_dump(exclude_none=True) for item in done]
    results.append({"type": "function_call_output", "call_id": done[0].call_id, "output": "22 degrees"})
    reply = client().responses.create(model=MODEL, input=results, tools=tools)
    same(reply.output_text, "The tool says: 22 degrees")


@case
def responses_with_reasoning_streamed():
    events = list(client().responses.create(model="o4-mini", input="say yes", reasoning={"summary": "auto"}, stream=True))
    thought = [event.delta for event in events if event.type == "response.reasoning_summary_text.delta"]
    assert "".join(thought).startswith("The last message has"), thought
    same(events[-1].response.output_text, "yes")


@case
def responses_are_kept():
    first = client().responses.create(model=MODEL, input="say hello there")
    same(client().responses.retrieve(first.id).output_text, "hello there")
    second = client().responses.create(model=MODEL, input="say again", previous_response_id=first.id)
    same(second.output_text, "again")
    # The gateway tells nobody whether somebody else's response exists.
    absent = openai.PermissionDeniedError if GUARDED else openai.NotFoundError
    raises(absent, lambda: client().responses.retrieve("resp_that_is_not_there"))
    raises(
        absent if GUARDED else openai.BadRequestError,
        lambda: client().responses.create(model=MODEL, input="hi", previous_response_id="resp_that_is_not_there"),
    )


@case
def stored_responses_are_listed_and_deleted():
    kept = client().responses.create(model=MODEL, input="say hello there")
    items = list(client().responses.input_items.list(kept.id))
    same([item.content[0].text for item in items], ["say hello there"])
    client().responses.delete(kept.id)
    raises(openai.APIStatusError, lambda: client().responses.retrieve(kept.id))


@case
def a_wrong_key_is_an_authentication_error():
    wrong = client("not-" + KEY)
    error = raises(openai.AuthenticationError, lambda: wrong.chat.completions.create(model=MODEL, messages=user("hi")))
    same(error.status_code, 401)


@case
def a_malformed_body_is_a_bad_request():
    raises(openai.BadRequestError, lambda: client().post("/chat/completions", body={"model": MODEL}, cast_to=object))


@case
def an_unknown_path_is_not_found():
    raises(openai.NotFoundError, lambda: client().post("/nowhere", body={"model": MODEL}, cast_to=object))


@unguarded
def the_stand_in_fails_when_it_is_told_to():
    raises(openai.RateLimitError, lambda: chat("answer with status 429"))
    raises(openai.InternalServerError, lambda: chat("answer with status 503"))


@guarded
def an_upstream_that_fails_is_an_error_of_the_client_s_kind():
    error = raises(openai.InternalServerError, lambda: chat("answer with status 500"))
    same((error.status_code, error.code), (502, "upstream_error"))


@guarded
def a_stream_that_breaks_off_is_an_error():
    text = "say one two three four five six seven eight nine ten, break off"
    raises(openai.APIError, lambda: streamed(text))
    stream = lambda: list(client().responses.create(model=MODEL, input=text, stream=True))  # noqa: E731
    raises(openai.APIError, stream)


@guarded
def an_injection_is_refused():
    error = raises(openai.BadRequestError, lambda: chat(INJECTION))
    same(error.code, "content_filter")
    assert error.body.get("request_id", "").startswith("req_"), error.body
    for work in (
        lambda: list(chat(INJECTION, stream=True)),
        lambda: client().responses.create(model=MODEL, input=INJECTION),
        lambda: client().responses.create(model=MODEL, input=INJECTION, stream=True),
        lambda: client().completions.create(model=MODEL, prompt=INJECTION),
    ):
        same(raises(openai.BadRequestError, work).code, "content_filter")


@guarded
def an_injection_in_a_tool_result_is_refused():
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = user("How is the weather?") + [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": f"22 degrees. {INJECTION}"},
    ]
    work = lambda: client().chat.completions.create(model=MODEL, messages=messages)  # noqa: E731
    same(raises(openai.BadRequestError, work).code, "content_filter")


@guarded
def what_the_model_brings_on_its_own_is_redacted():
    clean(chat(CUSTOMER).choices[0].message.content)
    text, reason, _ = streamed(CUSTOMER)
    clean(text)
    same(reason, "stop")
    for choice in chat(CUSTOMER, n=2).choices:
        clean(choice.message.content)
    clean(client().completions.create(model=MODEL, prompt=CUSTOMER).choices[0].text)
    stream = client().completions.create(model=MODEL, prompt=CUSTOMER, stream=True)
    clean("".join(choice.text for chunk in stream for choice in chunk.choices))
    clean(client().responses.create(model=MODEL, input=CUSTOMER).output_text)


@guarded
def nothing_is_left_in_any_event_of_a_streamed_response():
    events = list(client().responses.create(model=MODEL, input=CUSTOMER, stream=True))
    clean("".join(event.delta for event in events if event.type == "response.output_text.delta"))
    clean(events[-1].response.output_text)
    for event in events:
        assert EMAIL not in event.model_dump_json() and CARD not in event.model_dump_json(), event.type


@guarded
def what_the_client_sent_comes_back_to_it():
    same(chat(f"say write to {MINE} today").choices[0].message.content, f"write to {MINE} today")
    same(streamed(f"say write to {MINE} today")[0], f"write to {MINE} today")
    same(client().responses.create(model=MODEL, input=f"say write to {MINE}").output_text, f"write to {MINE}")
    called = chat(f'call the tool weather with {{"city": "{MINE}"}}', tools=TOOLS).choices[0].message.tool_calls[0]
    same(json.loads(called.function.arguments), {"city": MINE})


@guarded
def logprobs_do_not_tell_what_the_text_does_not():
    reply = chat(CUSTOMER, logprobs=True, top_logprobs=1)
    clean(reply.choices[0].message.content)
    told = "".join(token.token for token in (reply.choices[0].logprobs and reply.choices[0].logprobs.content) or [])
    assert EMAIL not in told and CARD not in told, told


@guarded
def arguments_of_a_streamed_call_are_redacted_and_still_json():
    text = f'call the tool weather with {{"city": "Oslo", "note": "card {CARD} of the customer"}}'
    arguments = ""
    for chunk in chat(text, tools=TOOLS, stream=True):
        for choice in chunk.choices:
            for delta in choice.delta.tool_calls or []:
                arguments += delta.function.arguments or ""
    same(json.loads(arguments)["city"], "Oslo")


@guarded
def what_is_said_to_the_gateway_stays_there():
    reply = client().chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "say hello", "portcullis": {"origin": "untrusted", "source": "rag:doc-1"}}],
        extra_body={"portcullis": {"session": "s-1"}},
    )
    same(reply.choices[0].message.content, "hello")


@guarded
def every_reply_names_its_request_and_its_decision():
    raw = client().chat.completions.with_raw_response.create(model=MODEL, messages=user("say hello"))
    assert raw.headers["x-portcullis-request-id"].startswith("req_")
    same(raw.headers["x-portcullis-decision"], "allow")
    raw = client().chat.completions.with_raw_response.create(model=MODEL, messages=user(CUSTOMER))
    same(raw.headers["x-portcullis-decision"], "redact")


@guarded
def an_unknown_model_is_not_found():
    work = lambda: client().chat.completions.create(model="no-such-model", messages=user("hi"))  # noqa: E731
    same(raises(openai.NotFoundError, work).code, "unknown_model")


@guarded
def a_rate_limit_is_a_rate_limit_error():
    def work():
        for _ in range(5):
            client(LIMITED_KEY).chat.completions.create(model=MODEL, messages=user("say hello"))

    error = raises(openai.RateLimitError, work)
    same(error.code, "rate_limited")
    assert int(error.response.headers["retry-after"]) > 0


run()
