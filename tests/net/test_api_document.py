"""The HTTP API against its own description: every route of /v1/openapi.json is asked, rightly and in every wrong way, on a running controller with a
node, and each reply's status, content type and fields are held against the document. Requests are made of the document alone, so a new route
is asked too. And a controller that is killed does not do a write twice."""
import base64
import http.client
import itertools
import json
import signal
import sys

from fixture.cell import ROOT
from fixture.cluster import API_PORT, wait_until

sys.path.insert(0, str(ROOT / "tests/lib"))
import openapi  # noqa: E402

NODES = [("ord-1", "ord")]
GATEWAYS = {"ord-1": "host,gateway"}
SPEC = {"schema": 1, "command": ["/bin/sleep", "1000000"], "drain_ms": 0}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
BODY_MAX = 1 << 20


def key(n):
    """A WireGuard public key that is good: any point but a low one is."""
    return base64.b64encode(bytes([n % 256, n // 256, 7] + [9] * 28 + [16])).decode()


class Asker:
    def __init__(self, lab):
        self.lab, self.faults, self.asked, self.good, self.last, self.seen = lab, [], 0, set(), {}, set()
        self.counter = itertools.count(1)
        self.token = lab.secret("token", "create", "--kind", "operator", "--name", "document", "--expires", "1h")
        self.stranger = lab.secret("token", "create", "--org", "globex", "--profile", "admin")
        self.connection = None
        self.doc = self.raw("GET", "/v1/openapi.json", token=None)[2]
        self.names = self.what_is_there()

    def raw(self, method, target, body=None, token=None, headers=None):
        """(status, content type, body, headers); one connection as long as it lives."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        for attempt in range(2):
            if self.connection is None:
                self.connection = self.lab.controller.call(lambda: self.connect())
            try:
                self.connection.request(method, target, body, headers, encode_chunked="Transfer-Encoding" in headers)
                r = self.connection.getresponse()
                break
            except (http.client.HTTPException, OSError):  # closed after a refused body, or while idle
                self.connection.close()
                self.connection = None
                if attempt:
                    raise
        kind = (r.getheader("Content-Type") or "").strip()
        if kind.startswith("text/event-stream"):  # does not end
            self.connection.close()
            self.connection = None
            return r.status, kind, "", r.headers
        data = r.read()
        if kind == "application/json" and data:
            return r.status, kind, json.loads(data), r.headers
        return r.status, kind, data.decode() if data else None, r.headers

    @staticmethod
    def connect():
        c = http.client.HTTPConnection("127.0.0.1", API_PORT, timeout=60)
        c.connect()
        return c

    def ask(self, path, method, target, body=None, token="", want=None, headers=None):
        """As raw, held against the document; want: statuses that it must be one of."""
        status, kind, reply, got = self.raw(method, target, body, self.token if token == "" else token, headers)
        shown = f"{method} {path} ({target}, {str(body)[:120]}): {status}"
        self.asked += 1
        kind_of_reply = (method, path, status)
        fault = None
        if method.lower() in self.doc["paths"][path]:
            fault = openapi.reply_fault(self.doc, path, method, status, kind, reply, kind_of_reply not in self.seen)
        self.seen.add(kind_of_reply)
        # what the door says before it knows the route is said in the manner of /v1
        if fault and status >= 400 and not openapi.fault(self.doc, {"$ref": "#/components/schemas/Error"}, reply):
            fault = None
        if fault:
            self.faults.append(f"{shown}: {fault}\n      {str(reply)[:300]}")
        if status >= 500 and status != 503 or want and status not in want:
            self.faults.append(f"{shown}, wanted {want or 'no failure'}\n      {str(reply)[:300]}")
        self.last[method, path] = f"{method} {path} {reply['error']['code'] if isinstance(reply, dict) and isinstance(reply.get('error'), dict) else status}"
        if 200 <= status < 300:
            self.good.add((method, path))
        return status, reply, got

    def what_is_there(self):
        """A name for each parameter of a path, and for fields of bodies."""
        def first(target, field):
            items = self.raw("GET", target, token=self.token)[2]["items"]
            return items[0][field] if items else "x"

        return {"org": "acme", "network": "acme/default", "app": "acme/web", "region": "ord", "node": "ord-1", "peer": "acme/laptop",
                "instance": first("/v1/instances", "id"), "machine": first("/v1/instances", "id"), "token": first("/v1/tokens?org=acme", "id"),
                "rule": first("/v1/rules", "id") if "/v1/rules" in self.doc["paths"] else "x"}

    def target(self, path, names=None):
        names = names if names is not None else self.names
        parts = []
        for part in path.split("/"):
            if part.startswith("{"):
                part = quote(names.get(part[1:-1], "x"))
                if parts[-2:-1] == ["acme"] and part.startswith("acme%2F"):
                    part = part[7:]  # /v1/orgs/acme/apps/web
            parts.append(part)
        return "/".join(parts)

    def value(self, name, schema, path):
        n = next(self.counter)
        known = {"org": "acme", "network": "default", "app": "acme/web", "region": "ord", "gateway": "ord-1", "host": "ord-1",
                 "public_key": key(n), "pubkey": key(n), "name": "fra" if path == "/v1/regions" else f"n{n}", "command": ["/bin/true"], "query": "{ __typename }", "kind": "host" if "node" in path else "org",
                 "profile": "read", "expires": "1h", "expires_at": "never", "desired": "stopped", "locator": None, "preshared_key": None,
                 "user": None, "root": None, "workdir": None, "runtime": None, "spec": None, "source": None, "restart": None,
                 "files": None, "never_used": True, "uses": 1, "latitude": 1.5, "longitude": 2.5}
        if name in known:
            return known[name]
        kinds = schema.get("type")
        kind = kinds if isinstance(kinds, str) else kinds[0]
        return {"string": f"v{n}", "integer": schema.get("minimum", 0), "number": schema.get("minimum", 0), "boolean": False, "array": [],
                "object": {}}[kind]

    def body(self, path, operation, full):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return None
        wanted = schema.get("required", [])
        some = {k: self.value(k, s, path) for k, s in schema.get("properties", {}).items() if full or k in wanted or k in ("org", "name", "region", "command")}
        return {k: v for k, v in some.items() if v is not None or k in wanted}


def quote(text):
    return "".join(c if c.isalnum() or c in "-_." else "%%%02X" % ord(c) for c in text)


def routes(doc):
    return [(path, method.upper(), operation) for path, methods in doc["paths"].items() for method, operation in methods.items()]


def takes(operation, parameter):
    return any(p["name"] == parameter and p["in"] == "query" for p in operation.get("parameters", []))


def report(asker, what):
    faults, asker.faults = asker.faults, []
    asked, asker.asked = asker.asked, 0
    print(f"   {what}: {asked} replies held against the document", flush=True)
    assert not faults, f"{len(faults)} replies are not as the document says:\n    " + "\n    ".join(faults[:25])


def prepare(lab):
    lab.deploy("acme", "web", ["ord"], SPEC)
    lab.sixpn("org", "create", "globex")
    lab.controller.path("/run/key").write_text(key(30000))
    lab.settle()
    lab.asker = Asker(lab)
    status = lab.asker.raw("POST", "/v1/peers", json.dumps({"org": "acme", "name": "laptop", "public_key": key(30000)}), lab.asker.token)[0]
    assert status == 201, status
    lab.asker.raw("POST", "/v1/tokens", json.dumps({"org": "acme"}), lab.asker.token)
    lab.asker.names = lab.asker.what_is_there()


def test_the_document_is_one_and_every_route_has_its_schema(lab):
    doc = lab.asker.doc
    assert doc["openapi"].startswith("3.1."), doc["openapi"]
    for path, method, operation in routes(doc):
        good = [s for s in operation["responses"] if s.startswith("2")]
        assert good, f"{method} {path}: no good status is described"
        for status in good:
            assert operation["responses"][status].get("content"), f"{method} {path}: its row in the router's table has no .reply: no schema for {status}"
        if openapi.jsonschema:
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    openapi.jsonschema.Draft202012Validator.check_schema(content["schema"])


def test_what_is_asked_rightly_is_answered_as_the_document_says(lab):
    a = lab.asker
    order = {"GET": 0, "POST": 1, "PUT": 2, "PATCH": 3, "DELETE": 4}
    for path, method, operation in sorted(routes(a.doc), key=lambda r: (order[r[1]], -len(r[0]))):
        target = a.target(path)
        if method == "GET":
            a.ask(path, method, target + ("?timeout=100ms" if takes(operation, "timeout") else ""))
            continue
        for full in (False, True):
            body = a.body(path, operation, full)
            if takes(operation, "dry_run"):
                a.ask(path, method, target + "?dry_run=1", json.dumps(body) if body is not None else None)
    for path, method, operation in sorted(routes(a.doc), key=lambda r: (order[r[1]], -len(r[0]))):
        if method in ("POST", "PUT", "PATCH") and path not in ("/v1/init", "/v1/nodes/{node}/drain"):  # and what is made is really made, and waited for
            body = a.body(path, operation, False)
            names = {**a.names, "peer": "tablet", "app": "fresh"} if path.startswith("/v1/orgs/{org}/") else a.names  # what is made by its name
            wait = "?wait=applied&timeout=5s" if takes(operation, "wait") else ""
            a.ask(path, method, a.target(path, names) + wait, json.dumps(body) if body is not None else None)
    there = {(m, p) for p, m, _ in routes(a.doc)}
    print(f"   {len(a.good)} of {len(there)} routes gave a good reply; not: " + ", ".join(a.last.get(route, " ".join(route)) for route in sorted(there - a.good)), flush=True)
    assert len(a.good) > 0.7 * len(there)  # else it is this test that no longer knows how to ask
    report(a, "rightly")


def wrong_bodies(a, path, operation):
    """(body, statuses) that no route with this schema may take."""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    good = a.body(path, operation, False)
    for text in (b"{", b"[1]", b"nonsense", b'{"a":1} trailing', b'{"name":"\xff\xfe"}', b'{"name":"a","name":"b"}', b'"x"', b"1", b"\x00",
                 b'{"name":' + b"[" * 2000 + b"]" * 2000 + b"}"):
        yield text, (400,)
    if schema.get("additionalProperties") is False:
        yield json.dumps({**good, "colour": 1}).encode(), (400,)
    for name, field in schema.get("properties", {}).items():
        kinds = field.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        for value in ("text", 7, True, [1], {"a": 1}):
            if kinds and not any(openapi.is_type(kind, value) for kind in kinds):
                yield json.dumps({**good, name: value}).encode(), (400,)
        if field.get("maxLength"):
            yield json.dumps({**good, name: "x" * (field["maxLength"] + 1)}).encode(), (400,)
        if "maximum" in field:
            yield json.dumps({**good, name: field["maximum"] + 1}).encode(), (400,)


def test_what_is_asked_wrongly_is_refused_as_the_document_says(lab):
    a = lab.asker
    for path, method, operation in routes(a.doc):
        target = a.target(path)
        own_manner = not path.startswith("/v1/") or operation["responses"].get("default", {}).get("content", {}).get("application/json", {}).get(
            "schema", {}).get("$ref") != "#/components/schemas/Error"
        strict = None if own_manner or path == "/v1/init" else (400,)
        if operation["security"]:
            a.ask(path, method, target, token=None, want=None if own_manner or path == "/v1/init" or {} in operation["security"] else (401, 403))
            a.ask(path, method, target, token="sx1_0000000000000000_" + "0" * 64)
        if strict:
            a.ask(path, method, target + "?colour=red", want=(400,))
        if "*/*" in operation.get("requestBody", {}).get("content", {}):
            a.ask(path, method, target, b'{"a":1}')
        elif "requestBody" in operation:
            for body, want in wrong_bodies(a, path, operation):
                a.ask(path, method, target, body, want=want if strict else None)
        elif strict and method != "GET":
            a.ask(path, method, target, b'{"a":1}', want=(400,))
        if "{" in path:
            nobody = {name: "zzz" if name in ("region",) else "0" * 14 if name in ("instance", "machine") else "nosuch" for name in a.names}
            a.ask(path, method, a.target(path, nobody) + ("?timeout=100ms" if takes(operation, "timeout") else ""), token=a.stranger,
                  want=range(400, 500) if strict and not path.startswith("/v1/regions/{") and method != "PUT" else None)
    report(a, "wrongly")


def test_a_method_that_is_not_there_is_405_and_says_which_are(lab):
    a = lab.asker
    for path, methods in a.doc["paths"].items():
        there = {m.upper() for m in methods}
        for method in METHODS:
            if method in there:
                continue
            status, _, headers = a.ask(path, method, a.target(path))
            allowed = {m.strip() for m in (headers.get("Allow") or "").split(",")}
            # another pattern may know this path too: /v1/peers/prune is a peer's name to another method
            assert status != 405 or there <= allowed, f"{method} {path}: Allow is {allowed}, the document says {there}"
            assert status == 405 or method in {m.upper() for p, ms in a.doc["paths"].items() for m in ms if len(p.split("/")) == len(path.split("/"))}, \
                f"{method} {path}: {status}"
    report(a, "other methods")


def test_a_body_that_is_too_large_is_413_on_every_route_with_a_body(lab):
    a = lab.asker
    for path, method, operation in routes(a.doc):
        if "requestBody" in operation:  # announced only: the answer comes before it
            a.ask(path, method, a.target(path), headers={"Content-Length": str(BODY_MAX + 1)}, want=(413,))
    report(a, "too large")


def test_a_body_that_does_not_say_how_large_it_is_ends_at_the_same_size(lab):
    a = lab.asker
    piece = b"x" * 65536

    def pieces():
        yield b'{"name":"'
        for _ in range(BODY_MAX // len(piece) + 1):
            yield piece

    status, kind, body, _ = a.raw("POST", "/v1/apps", pieces(), a.token, {"Transfer-Encoding": "chunked"})
    assert status == 413 and body["error"]["code"] == "body_too_large", (status, body)


def test_another_organization_sees_none_of_it(lab):
    """A stranger's token on each route gets what it would get if nothing were there."""
    a = lab.asker
    hidden = {"{org}", "{network}", "{app}", "{instance}", "{machine}", "{peer}", "{token}", "{rule}"}
    for path, method, operation in routes(a.doc):
        first = next((p for p in path.split("/") if p.startswith("{")), None)
        if first not in hidden or path.startswith(("/v1/orgs/{org}", "/v1/node-tokens")) and method in ("PUT", "PATCH"):
            continue
        body = a.body(path, operation, False) if "requestBody" in operation else None
        a.ask(path, method, a.target(path), json.dumps(body) if body is not None else None, token=a.stranger, want=(400, 403, 404, 405, 422))
    assert a.raw("GET", "/v1/apps/acme%2Fweb", token=a.token)[0] == 200
    report(a, "as a stranger")


def test_a_controller_that_is_killed_does_not_write_twice(lab):
    a = lab.asker
    body = json.dumps({"app": "acme/web", "region": "ord", "command": ["/bin/sleep", "1000"], "desired": "stopped"})
    keyed = {"Idempotency-Key": "once"}
    before = len(a.raw("GET", "/v1/instances?app=acme/web", token=a.token)[2]["items"])
    status, _, first, _ = a.raw("POST", "/v1/instances", body, a.token, keyed)
    assert status == 201, first
    lab.controller.signal("sixpn-controller", signal.SIGKILL)
    lab.controller.daemons["controller"].wait()
    lab.start_controller()
    wait_until(lab.ready, 60, "the node is back")
    status, reply, headers = a.ask("/v1/instances", "POST", "/v1/instances?wait=applied&timeout=30s", body, headers=keyed, want=(201, 202))
    assert headers.get("Idempotent-Replayed") == "true" and reply["id"] == first["id"] and reply["v"] == first["v"], (first, reply)
    assert reply["applied"], reply
    assert len(a.raw("GET", "/v1/instances?app=acme/web", token=a.token)[2]["items"]) == before + 1
    a.ask("/v1/instances", "POST", "/v1/instances", body.replace("1000", "1001"), headers=keyed, want=(422,))
    report(a, "after a kill")
