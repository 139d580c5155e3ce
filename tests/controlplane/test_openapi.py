"""docs/openapi.yaml against the real daemon: every call of the document, as its examples say and wrongly, has to
be answered with a status, a type and a body that the document promises, and no call may be missing in it."""

import json
import pathlib
import re
import urllib.parse

import jsonschema
import pytest
import yaml

from conftest import PLAIN, UnixConnection, wait_for

TEXT = (pathlib.Path(__file__).resolve().parents[2] / "docs/openapi.yaml").read_text(encoding="utf-8")
DOCUMENT = yaml.safe_load(TEXT)
METHODS = ("get", "put", "post", "patch", "delete")
KINDS = {400: "invalid", 403: "forbidden", 404: "not_found", 405: "invalid", 409: "conflict", 412: "precondition",
         500: "system", 503: "unavailable"}


def resolved(node):
    """What a $ref of the document stands for, if it is one; what stands beside it wins."""
    while isinstance(node, dict) and set(node) == {"$ref"}:
        target = DOCUMENT
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        node = target
    return node


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def parameters(path, operation, where):
    return [p for p in map(resolved, DOCUMENT["paths"][path].get("parameters", []) + operation.get("parameters", []))
            if p["in"] == where]


def validate(value, schema):
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def target(path, operation, without=(), **instead):
    values = {p["name"]: instead.get(p["name"], p.get("example"))
              for where in ("path", "query") for p in parameters(path, operation, where)}
    out = path
    for p in parameters(path, operation, "path"):
        out = out.replace("{" + p["name"] + "}", urllib.parse.quote(str(values[p["name"]]), safe=""))
    query = {p["name"]: values[p["name"]] for p in parameters(path, operation, "query") if p["name"] not in without}
    return out + ("?" + urllib.parse.urlencode(query) if query else "")


def body_of(operation):
    """(content type, example as it is sent), or (None, None)."""
    if "requestBody" not in operation:
        return None, None
    (kind, content), = resolved(operation["requestBody"])["content"].items()
    example = content["example"]
    return kind, example if isinstance(example, str) else json.dumps(example)


def ask(daemon, method, path, body=None, headers=None):
    """(status, headers, body); of a stream only what comes at once."""
    connection = UnixConnection(daemon.socket)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        streams = answer.getheader("Content-Type", "").startswith("text/event-stream")
        return answer.status, answer.headers, answer.read1(4096) if streams else answer.read()
    finally:
        connection.close()


def check_answer(operation, answer):
    """The answer is one that the document promises."""
    status, headers, body = answer
    responses = operation["responses"]
    assert str(status) in responses or status >= 400, (status, body)
    promised = resolved(responses.get(str(status), responses["default"]))
    for name, header in promised.get("headers", {}).items():
        assert headers[name] is not None, name
        validate(headers[name], resolved(header)["schema"])
    if "content" not in promised:
        assert body == b""
        return None
    (kind, content), = promised["content"].items()
    assert headers["Content-Type"].split(";")[0] == kind
    value = json.loads(body) if kind == "application/json" else body.decode()
    validate(value, content["schema"])
    if status >= 400 and kind == "application/json":
        assert value["error"]["kind"] == KINDS[status]
    return value


@pytest.fixture
def api(daemon):
    daemon.write(PLAIN)
    return daemon.start()


@pytest.fixture
def whole(api, peer):
    """With a dataplane."""
    peer.start()
    wait_for(lambda: api.request("GET", "/readyz")[0] == 200, "the dataplane runs the state")
    wait_for(lambda: api.get("/v1/stats")["workers"], "the counters of the dataplane")
    return api


def every_schema(node, where=""):
    if isinstance(node, dict):
        if "properties" in node or node.get("type") == "object":
            yield where, node
        for name, value in node.items():
            yield from every_schema(value, f"{where}/{name}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from every_schema(value, f"{where}/{i}")


def test_the_document_is_sound():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert not re.search("[^A-Za-z0-9]", name)
    for reference in re.findall(r'\$ref: "([^"]+)"', TEXT):
        assert resolved({"$ref": reference}) is not None
    for where, schema in every_schema(DOCUMENT["components"]["schemas"]):
        if "properties" not in where.split("/")[-1:] and not re.fullmatch("/[A-Za-z]+Properties", where):
            assert "additionalProperties" in schema or "unevaluatedProperties" in schema, where
        assert set(schema.get("required", [])) <= set(schema.get("properties", {})), where
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))


def test_every_call_of_the_daemon_is_in_the_document_and_the_other_way_round(api):
    served = set(re.findall(r"API: serves (\S+ \S+)", open(api.log, encoding="utf-8").read()))
    assert served == {f"{method} {re.sub('{[a-z_]+}', '*', path)}" for method, path, _ in operations()}


def test_serves_the_document(api):
    assert api.get("/v1/openapi.yaml", raw=True).decode() == TEXT


def made_ready_for(api, path):
    """The state that the example of a call needs: PLAIN runs, and nothing waits but what is to be confirmed."""
    api.request("POST", "/v1/config/confirm")
    api.call("PUT", "/v1/config", PLAIN)
    if path == "/v1/config/confirm":
        api.call("PUT", "/v1/config?confirm_within=5m", PLAIN.replace("10.0.1.12", "10.0.1.99"))


def is_wrong(value, parameter):
    return not jsonschema.Draft202012Validator({**parameter["schema"], "components": DOCUMENT["components"]}).is_valid(value)


@pytest.mark.parametrize("dataplane", [True, False])
def test_answers_what_the_document_promises(api, peer, dataplane, request):
    if dataplane:
        request.getfixturevalue("whole")
    for method, path, operation in operations():
        made_ready_for(api, path)
        answer = ask(api, method, target(path, operation), body_of(operation)[1])
        needs_dataplane = path.startswith("/v1/flows/") or path in ("/readyz", "/v1/explain")
        expected = {503} if needs_dataplane and not dataplane else {200, 201}
        assert answer[0] in expected, (method, path, answer)
        check_answer(operation, answer)


def test_refuses_as_the_document_promises(whole):
    for method, path, operation in operations():
        kind, example = body_of(operation)
        wrong = [({}, example, headers, 412) for p in parameters(path, operation, "header") if p["name"] == "If-Match"
                 for headers in ({"If-Match": '"0"'}, {"If-Match": 'W/"0", "1"'})]
        wrong += [({p["name"]: "no-such"}, example, {}, 404) for p in parameters(path, operation, "path")]
        if kind == "application/json":
            wrong += [({}, body, {}, 400) for body in ("", "{", "[]", '"x"', '{"no-such": 1}', "\xff")]
        elif kind:
            wrong += [({}, body, {}, 400) for body in ("{", "version: 1\nno-such: 1\n", "\x00")]
        for p in parameters(path, operation, "query"):
            if is_wrong("no such", p):
                wrong.append(({p["name"]: "no such"}, example, {}, 400))
        for instead, body, headers, status in wrong:
            answer = ask(whole, method, target(path, operation, **instead), body.encode("latin-1") if body else body,
                         headers)
            assert answer[0] == status, (method, path, instead, body, headers, answer)
            check_answer(operation, answer)
        for p in parameters(path, operation, "query"):
            if p.get("required"):
                answer = ask(whole, method, target(path, operation, without=(p["name"],)), example)
                assert answer[0] == 400
                check_answer(operation, answer)


def test_has_no_other_methods_than_the_document_says(api):
    for path, item in DOCUMENT["paths"].items():
        some = next(item[method] for method in METHODS if method in item)
        for method in METHODS:
            if method not in item:
                status, headers, body = ask(api, method.upper(), target(path, some), "{}")
                assert status == 405, (method, path)
                validate(json.loads(body), {"$ref": "#/components/schemas/Error"})
                assert set(headers["Allow"].split(", ")) == {m.upper() for m in METHODS if m in item}
        status, headers, body = ask(api, "HEAD", target(path, some))
        assert status in ((200, 503) if "get" in item else (405,)) and body == b"", path


def test_a_drift_is_caught():
    """The schemas are strict enough: an unknown property, a missing one and a wrong type do not pass."""
    good = {"generation": 1, "changed": True, "revision": 1, "confirm_by": None, "source": "file", "warning": None}
    schema = {"$ref": "#/components/schemas/Applied"}
    validate(good, schema)
    for bad in ({**good, "more": 1}, {k: v for k, v in good.items() if k != "source"}, {**good, "generation": "1"}):
        with pytest.raises(jsonschema.ValidationError):
            validate(bad, schema)
    pool = {"name": "web", "scheduler": "maglev", "table_size": 3, "health": {"type": "none"}, "services": [],
            "backends_up": 0, "backends_total": 0, "stale": False, "panic": False, "fallback_serves": False, "options": {}}
    validate(pool, {"$ref": "#/components/schemas/Pool"})
    for name in ("Pool", "PoolWithBackends"):
        with pytest.raises(jsonschema.ValidationError):
            validate({**pool, "backends": [], "more": 1}, {"$ref": f"#/components/schemas/{name}"})


