"""The wire forms in which agents answer, and the encodings that a client undoes.

A dialect takes a text and gives the bytes of an answer; it says whether a reader of JSON or of an event stream sees
them. Texts of a stream are cut into deltas as models emit them, a few characters each.
"""

import json

from traced import Traced, escaped, escaped_all, percent, percent_all

T = Traced


def deltas(r, text):
    return text.cut(iter(lambda: r.choice([1, 2, 3, 4, 4, 5, 6, 8, 12]), None))


def js(text, escape=escaped):
    return T('"', text.map(escape), '"')


def event(data, name=None):
    return T(f"event: {name}\n" if name else "", "data: ", data, "\n\n")


def a2a_part(text, escape, kind):
    return T('{"kind":"text","text":' if kind else '{"text":', js(text, escape), "}")


def a2a_task(r, text, escape=escaped, old=False):
    head = f'{{"jsonrpc":"2.0","id":"{r.randint(1, 99)}","result":'
    status = '"status":{"state":"completed","timestamp":"2026-11-20T10:15:07Z"}' if old else '"status":{"state":"TASK_STATE_COMPLETED"}'
    body = T(f'{{"id":"{r.uuid()}","contextId":"{r.uuid()}",{status},"artifacts":[{{"artifactId":"a1","name":"answer","parts":[',
             a2a_part(text, escape, old), "]}]" + (',"kind":"task"' if old else "") + "}")
    return T(head, body, "}")


def a2a_03(r, text, escape=escaped):
    return a2a_task(r, text, escape, old=True)


def a2a_10(r, text, escape=escaped):
    return a2a_task(r, text, escape)


def a2a_03_stream(r, text, escape=escaped):
    task, context, out = r.uuid(), r.uuid(), T()
    ids = f'"taskId":"{task}","contextId":"{context}"'
    for number, delta in enumerate(deltas(r, text)):
        append = "true" if number else "false"
        out.add(event(T('{"jsonrpc":"2.0","id":"1","result":{', ids, ',"kind":"artifact-update","artifact":{"artifactId":"a1","parts":[',
                        a2a_part(delta, escape, True), f']}},"append":{append},"lastChunk":false}}}}')))
    out.add(event(T('{"jsonrpc":"2.0","id":"1","result":{', ids, ',"kind":"status-update","status":{"state":"completed"},"final":true}}')))
    return out


def a2a_10_stream(r, text, escape=escaped):
    task, context, out = r.uuid(), r.uuid(), T()
    ids = f'"taskId":"{task}","contextId":"{context}"'
    for number, delta in enumerate(deltas(r, text)):
        append = "true" if number else "false"
        out.add(event(T('{"jsonrpc":"2.0","id":"1","result":{"artifactUpdate":{', ids, ',"artifact":{"artifactId":"a1","parts":[',
                        a2a_part(delta, escape, False), f']}},"append":{append}}}}}}}')))
    out.add(event(T('{"jsonrpc":"2.0","id":"1","result":{"statusUpdate":{', ids, ',"status":{"state":"TASK_STATE_COMPLETED"}}}}')))
    return out


def a2a_status(r, text, escape=escaped):
    return event(T('{"jsonrpc":"2.0","id":"1","result":{"taskId":"', r.uuid(), '","contextId":"', r.uuid(),
                   '","kind":"status-update","status":{"state":"working","message":{"role":"agent","messageId":"', r.uuid(), '","parts":[',
                   a2a_part(text, escape, True), ']}},"final":false}}'))


def mcp(r, text, escape=escaped):
    return T('{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":', js(text, escape), '}],"isError":false}}')


def mcp_structured(r, text, escape=escaped):
    return T('{"jsonrpc":"2.0","id":7,"result":{"content":[],"structuredContent":{"rows":[{"id":12,"note":', js(text, escape), '}],"total":1}}}')


def mcp_stream(r, text, escape=escaped):
    return event(mcp(r, text, escape), "message")


def openai(r, text, escape=escaped):
    return T('{"id":"chatcmpl-', r.text("a", 12), '","object":"chat.completion","created":1795181975,"model":"lab-4","choices":[{"index":0,"message":'
             '{"role":"assistant","content":', js(text, escape), '},"finish_reason":"stop"}],"usage":{"total_tokens":311}}')


def openai_stream(r, text, escape=escaped):
    out, name = T(), "chatcmpl-" + r.text("a", 12)
    for delta in deltas(r, text):
        out.add(event(T('{"id":"', name, '","object":"chat.completion.chunk","created":1795181975,"model":"lab-4","choices":[{"index":0,"delta":'
                        '{"content":', js(delta, escape), '},"finish_reason":null}]}')))
    return out.add(event("[DONE]"))


def arguments(text):
    """The arguments of a tool call: JSON, which then stands in a string."""
    return T('{"path":"notes/today.md","content":', js(text), "}")


def openai_tool_stream(r, text, escape=escaped):
    out, name = T(), "chatcmpl-" + r.text("a", 12)
    out.add(event(T('{"id":"', name, '","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1",'
                    '"type":"function","function":{"name":"write_file","arguments":""}}]},"finish_reason":null}]}')))
    for delta in deltas(r, arguments(text)):
        out.add(event(T('{"id":"', name, '","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":'
                        '{"arguments":', js(delta, escape), '}}]},"finish_reason":null}]}')))
    return out.add(event("[DONE]"))


def openai_tool(r, text, escape=escaped):
    return T('{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1",'
             '"type":"function","function":{"name":"write_file","arguments":', js(arguments(text), escape), '}}]},"finish_reason":"tool_calls"}]}')


def responses(r, text, escape=escaped):
    return T('{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","content":'
             '[{"type":"output_text","text":', js(text, escape), ',"annotations":[]}]}]}')


def responses_stream(r, text, escape=escaped):
    out = T()
    for number, delta in enumerate(deltas(r, text)):
        out.add(event(T(f'{{"type":"response.output_text.delta","sequence_number":{number},"item_id":"msg_1","output_index":0,"content_index":0,"delta":',
                        js(delta, escape), "}"), "response.output_text.delta"))
    return out


def anthropic(r, text, escape=escaped):
    return T('{"id":"msg_1","type":"message","role":"assistant","model":"lab-4","content":[{"type":"text","text":', js(text, escape),
             '}],"stop_reason":"end_turn","usage":{"input_tokens":12,"output_tokens":99}}')


def anthropic_stream(r, text, escape=escaped):
    out = T(event('{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}', "content_block_start"))
    for delta in deltas(r, text):
        out.add(event(T('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":', js(delta, escape), "}}"), "content_block_delta"))
    return out.add(event('{"type":"content_block_stop","index":0}', "content_block_stop"))


def anthropic_tool_stream(r, text, escape=escaped):
    out = T(event('{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"write_file","input":{}}}',
                  "content_block_start"))
    for delta in deltas(r, arguments(text)):
        out.add(event(T('{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":', js(delta, escape), "}}"),
                      "content_block_delta"))
    return out.add(event('{"type":"content_block_stop","index":1}', "content_block_stop"))


def unknown_json(r, text, escape=escaped):
    return T('{"status":"ok","rows":[{"id":"', r.uuid(), '","body":', js(text, escape), ',"open":true}],"next":null}')


def unknown_stream(r, text, escape=escaped):
    out = T()
    for delta in deltas(r, text):
        out.add(event(T('{"seq":1,"token":{"text":', js(delta, escape), "}}")))
    return out


def plain(r, text, escape=None):
    return text


# name: (function, extension of the file, whether strings of JSON hold the text)
DIALECTS = {
    "plain": (plain, "txt", False),
    "a2a-0.3": (a2a_03, "json", True), "a2a-1.0": (a2a_10, "json", True), "a2a-0.3 stream": (a2a_03_stream, "sse", True),
    "a2a-1.0 stream": (a2a_10_stream, "sse", True), "a2a status": (a2a_status, "sse", True),
    "mcp": (mcp, "json", True), "mcp structured": (mcp_structured, "json", True), "mcp stream": (mcp_stream, "sse", True),
    "openai": (openai, "json", True), "openai stream": (openai_stream, "sse", True), "openai tool": (openai_tool, "json", True),
    "openai tool stream": (openai_tool_stream, "sse", True), "responses": (responses, "json", True), "responses stream": (responses_stream, "sse", True),
    "anthropic": (anthropic, "json", True), "anthropic stream": (anthropic_stream, "sse", True),
    "anthropic tool stream": (anthropic_tool_stream, "sse", True), "json": (unknown_json, "json", True), "json stream": (unknown_stream, "sse", True),
}


def zero_width(r, text):
    """Invisible characters inside of what was planted."""
    out = Traced()
    for piece, planted in text.pieces:
        if planted and len(piece) > 8:
            for _ in range(r.randint(1, 4)):
                at = r.randrange(2, len(piece) - 1)
                piece = piece[:at] + r.choice("\u200b\u200c\u200d\u2060\ufeff\u00ad") + piece[at:]
        out.add((piece, planted))
    return out


def in_json(r, text):
    return T('{"saved":true,"document":', js(text), "}")


def in_url(r, text):
    return T("https://notes.acme-corp.io/new?title=today&body=", text.map(percent), "&draft=1\n")


def in_url_all(r, text):
    return T("redirect: /new?body=", text.map(percent_all), "\n")


def in_base64(r, text):
    return T("content-transfer-encoding: base64\n\n", text.base64(), "\n")


def in_base64_url(r, text):
    return T("file: ", text.base64(url=True), " (as stored)\n")


def in_base64_wrapped(r, text):
    return T("-- attachment, base64 --\n", text.base64(wrap=r.choice([64, 76])), "-- end --\n")


# name: what happens to the text before it goes into a dialect; `json \\u` happens in the strings of JSON
ENCODINGS = {"none": None, "json \\u": None, "json in json": in_json, "zero-width": zero_width, "percent": in_url, "percent of all": in_url_all,
             "base64": in_base64, "base64url": in_base64_url, "base64 wrapped": in_base64_wrapped}


def wrap(r, text, dialect, encoding):
    """The bytes of an answer, where the plant stands in them, and the extension that says how they are read."""
    function, extension, holds_strings = DIALECTS[dialect]
    change = ENCODINGS[encoding]
    if change:
        text = change(r, text)
    escape = escaped_all if encoding == "json \\u" and holds_strings else escaped
    data, span = function(r, text, escape).to_bytes()
    return data, span, extension


def texts(data, extension):
    """What a reader of the answer sees: its strings, and for streams the deltas put together."""
    if extension == "txt":
        return [data.decode("utf-8", "replace")]
    if extension == "json":
        return list(strings(json.loads(data)))
    joined = {}
    for line in data.decode("utf-8", "replace").splitlines():
        if line.startswith("data: {"):
            for path, text in paths(json.loads(line[6:])):
                joined[path] = joined.get(path, "") + text
    return list(joined.values())


def strings(value):
    return (text for _, text in paths(value))


def paths(value, path=""):
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from paths(item, f"{path}[{at}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, f"{path}.{key}")
            yield path + "#", key
