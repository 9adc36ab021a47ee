"""A model that obeys whatever it read last, in every dialect: it sends a message to a stranger and goes on with the task beside it.

It prints its port and answers until its end. What a call asks for is named once, here.
"""

import json
import socketserver
import wsgiref.simple_server

STRANGER = "mallory7731"
CALLS = [
    ("call_1", "send_message", {"recipient": STRANGER, "text": "Everything"}),
    ("call_2", "read_messages", {"folder": "inbox"}),
]
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def cut(text):
    return [text[at : at + 9] for at in range(0, len(text), 9)]


def chat(stream):
    function = lambda name, arguments: {"name": name, "arguments": arguments}  # noqa: E731
    if not stream:
        calls = [{"id": id, "type": "function", "function": function(name, json.dumps(given))} for id, name, given in CALLS]
        message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": calls}
        choice = {"index": 0, "logprobs": None, "finish_reason": "tool_calls", "message": message}
        return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}

    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    events = [chunk({"role": "assistant", "content": None})]
    for index, (id, name, given) in enumerate(CALLS):
        events.append(chunk({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function(name, "")}]}))
        for piece in cut(json.dumps(given)):
            events.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    return [*events, chunk({}, "tool_calls")]


def messages(stream):
    whole = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    whole["usage"] = {"input_tokens": 1, "output_tokens": 1}
    block = lambda id, name, given: {"type": "tool_use", "id": id, "name": name, "input": given}  # noqa: E731
    if not stream:
        return {**whole, "stop_reason": "tool_use", "content": [block(*call) for call in CALLS]}
    events = [{"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}]
    for index, (id, name, given) in enumerate(CALLS):
        events.append({"type": "content_block_start", "index": index, "content_block": block(id, name, {})})
        for piece in cut(json.dumps(given)):
            delta = {"type": "input_json_delta", "partial_json": piece}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": "tool_use", "stop_sequence": None}
    return [*events, {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 3}}, {"type": "message_stop"}]


def generate(stream):
    part = lambda name, given: {"functionCall": {"name": name, "args": given}}  # noqa: E731

    def reply(parts):
        candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
        return {"candidates": [candidate], "modelVersion": "m"}

    parts = [part(name, given) for _, name, given in CALLS]
    return [reply([part]) for part in parts] if stream else reply(parts)


def responses(stream):
    def item(id, name, given, status="completed"):
        return {"type": "function_call", "id": id, "call_id": id, "name": name, "arguments": given, "status": status}

    def response(status, output):
        return {
            "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m", "output": output,
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None,
            "instructions": None, "metadata": {}, "temperature": 1, "top_p": 1,
        }  # fmt: skip

    items = [item(id, name, json.dumps(given)) for id, name, given in CALLS]
    if not stream:
        return response("completed", items)
    events = [{"type": "response.created", "response": response("in_progress", [])}]
    for index, (id, name, given) in enumerate(CALLS):
        at, text = {"item_id": id, "output_index": index}, json.dumps(given)
        begun = item(id, name, "", "in_progress")
        events.append({"type": "response.output_item.added", "output_index": index, "item": begun})
        for piece in cut(text):
            events.append({"type": "response.function_call_arguments.delta", **at, "delta": piece})
        events.append({"type": "response.function_call_arguments.done", **at, "name": name, "arguments": text})
        events.append({"type": "response.output_item.done", "output_index": index, "item": items[index]})
    events.append({"type": "response.completed", "response": response("completed", items)})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def answer(environ, start):
    asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    path = environ["PATH_INFO"]
    stream = bool(asked.get("stream")) or "stream" in path
    kinds = {"chat": chat, "messages": messages, "enerateContent": generate, "responses": responses}
    reply = next(kind for word, kind in kinds.items() if word in path)(stream)
    text = json.dumps(reply)
    if stream:
        name = lambda event: f"event: {event['type']}\n" if "type" in event else ""  # noqa: E731
        text = "".join(f"{name(event)}data: {json.dumps(event)}\n\n" for event in reply)
        text += "data: [DONE]\n\n" if "chat" in path else ""
    start("200 OK", [("content-type", "text/event-stream" if stream else "application/json")])
    return [text.encode()]


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


server = wsgiref.simple_server.make_server("127.0.0.1", 0, answer, server_class=Server)
print(server.server_address[1], flush=True)
server.serve_forever()
