"""How people and programs get in: https with a pinned key, files that are read again, and clients that mean no good. One controller in
a namespace of its own; nothing here needs a node."""
import atexit
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import threading
import time

from fixture.cell import BIN, BUILD, Cell
from fixture.cluster import wait_until

PORT, TLS_PORT = 4280, 4283
URL = f"https://127.0.0.1:{TLS_PORT}"
PATIENCE = 30


class House:
    """A cell with a controller."""

    def __init__(self):
        logs = pathlib.Path(BUILD / "tests/net/logs" / f"doors-{os.getpid()}")
        logs.mkdir(parents=True, exist_ok=True)
        self.logs, self.cell = logs, Cell("controller", logs)
        atexit.register(self.cell.stop)
        self.cell.out("ip", "link", "set", "lo", "up")

    def start(self, *args):
        self.cell.path("/run/sixpn/controller.sock").unlink(missing_ok=True)
        self.cell.spawn("controller", BIN / "sixpn-controller", "--tls_listen", f"[::]:{TLS_PORT}", "--link_listen", "127.0.0.1:4281", *args)
        wait_until(self.is_there, PATIENCE, "the controller")

    def is_there(self):
        return self.cell.run(BIN / "sixpn", "whoami", "--url", "unix:/run/sixpn/controller.sock").returncode == 0

    def stop(self):
        self.cell.signal("sixpn-controller", signal.SIGTERM)
        assert self.cell.daemons["controller"].wait(PATIENCE) == 0

    def pid(self):
        return self.cell.pids_of("sixpn-controller")[0]

    def log(self):
        return (self.logs / "controller-controller.log").read_text()

    def sixpn(self, *args, env=None):
        return self.cell.run(BIN / "sixpn", *args, env={"HOME": "/run/home", "SIXPN_SOCKET": "", **(env or {})})

    def good(self, *args, **kw):
        done = self.sixpn(*args, **kw)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def connect(self, port=PORT, timeout=PATIENCE):
        def open_it():
            return socket.create_connection(("127.0.0.1", port), timeout=timeout)
        return self.cell.call(open_it)

    def connect_tls(self):
        context = ssl._create_unverified_context()
        return context.wrap_socket(self.connect(TLS_PORT), server_hostname="localhost")

    def metric(self, name):
        with self.connect() as s:
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            page = read_all(s).decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(f"{name} "))


def read_all(s):
    data = b""
    while chunk := s.recv(65536):
        data += chunk
    return data


def ask(s, path, token):
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())


def answer(s):
    reply = http.client.HTTPResponse(s)
    reply.begin()
    return reply.status, json.loads(reply.read())


house = House()
state = {}


def test_a_self_made_certificate_is_pinned_and_another_key_is_refused():
    house.start()
    house.cell.path("/run/home").mkdir(0o700)
    said = house.cell.out(BIN / "sixpn", "init", "-o", "/run/home/token", "--region", "ord", env={"HOME": "/run/home"})
    state["token"] = house.cell.path("/run/home/token").read_text().strip()
    pin = next(word for word in said.split() if word.startswith("sha256:"))
    assert house.cell.path("/var/lib/sixpn/controller/keys/api.key").stat().st_mode & 0o7777 == 0o600
    house.good("context", "create", "prod", "--url", URL, "--pin", pin, "--token-file", "/run/home/token")
    assert "operator" in house.good("whoami")
    wrong = "sha256:" + "0" * 64
    for args, env, code in (
            (("context", "create", "evil", "--url", URL, "--pin", wrong), {}, "pin_mismatch"),
            (("whoami",), {"SIXPN_URL": URL, "SIXPN_TOKEN": state["token"], "SIXPN_PIN": wrong}, "pin_mismatch"),
            (("whoami",), {"SIXPN_URL": URL, "SIXPN_TOKEN": state["token"]}, "certificate_untrusted")):
        done = house.sixpn(*args, env=env)
        assert done.returncode == 4 and f"code: {code}" in done.stderr, (done.returncode, done.stderr)
        assert state["token"] not in done.stderr
    assert [c["name"] for c in json.loads(house.good("context", "list", "--json"))["items"]] == ["prod"]
    house.good("context", "create", "first-use", "--url", f"https://[::1]:{TLS_PORT}", "--trust-first-use")
    kept = {c["name"]: c["pin"] for c in json.loads(house.good("context", "list", "--json"))["items"]}
    assert kept["first-use"] == kept["prod"] == pin
    house.good("context", "use", "prod")
    state["pin"] = pin


def test_flyctl_is_given_the_certificate_to_trust():
    """A program that knows only authorities gets in with what `sixpn env` sets, and finds the certificate good for that name only."""
    script = 'eval "$(%s env --flyctl --org acme)"; curl -sS --noproxy "*" --cacert "$SSL_CERT_FILE" "$FLY_API_BASE_URL/v1/access" -H "Authorization: Bearer $FLY_API_TOKEN"' % (BIN / "sixpn")
    done = house.cell.run("sh", "-ec", script, env={"HOME": "/run/home"})
    assert json.loads(done.stdout)["certificate"]["pin"] == state["pin"], done.stderr
    done = house.cell.run("sh", "-ec", script.replace("$FLY_API_BASE_URL", f"https://elsewhere.example:{TLS_PORT}")
                          .replace("curl", f"curl --connect-to elsewhere.example:{TLS_PORT}:127.0.0.1:{TLS_PORT}"), env={"HOME": "/run/home"})
    assert done.returncode == 60, done


def test_new_files_are_for_new_connections_and_an_old_one_that_waits_goes_on():
    old = house.connect_tls()
    ask(old, "/v1/events", state["token"])
    newest = answer(old)[1]["newest"]
    ask(old, f"/v1/events?after={newest}&timeout=120s", state["token"])  # parked until there is news
    before = old.getpeercert(True)
    keys = "/var/lib/sixpn/controller/keys"
    house.cell.out("sh", "-c", f"mkdir -m 700 /run/other && mv {keys}/api.key {keys}/api.crt /run/other")
    house.cell.signal("sixpn-controller", signal.SIGHUP)

    def shown():
        with house.connect_tls() as s:
            return s.getpeercert(True)

    wait_until(lambda: shown() != before, PATIENCE, "the new certificate")
    done = house.sixpn("whoami")
    assert done.returncode == 4 and "pin_mismatch" in done.stderr, done.stderr
    house.cell.out("sh", "-c", f"cp {keys}/api.crt /run/other/new.crt && echo broken > {keys}/api.key")
    failed = 'sixpn_api_certificate_reloads_total{result="failed"}'
    assert house.metric(failed) == 0
    house.cell.signal("sixpn-controller", signal.SIGHUP)
    wait_until(lambda: house.metric(failed) == 1, PATIENCE, "the reload that failed")
    assert "the certificate was not changed: " in house.log()
    assert shown() != before
    ends = house.metric("sixpn_api_certificate_expiry_timestamp_seconds")
    assert 390 < (ends - time.time()) / 86400 < 400, ends
    house.good("region", "create", "nrt", "--url", "unix:/run/sixpn/controller.sock", "--no-wait")
    status, body = answer(old)
    assert status == 200 and body["newest"] > newest, (status, body)
    ask(old, "/v1/whoami", state["token"])
    assert answer(old)[0] == 200
    old.close()
    house.cell.out("sh", "-c", f"mv /run/other/api.key /run/other/api.crt {keys}")
    house.cell.signal("sixpn-controller", signal.SIGHUP)
    wait_until(lambda: shown() == before, PATIENCE, "the first certificate again")
    assert "operator" in house.good("whoami")
    house.stop()


def test_a_key_that_others_can_read_is_no_key():
    house.cell.out("sh", "-c", "cp /var/lib/sixpn/controller/keys/api.crt /var/lib/sixpn/controller/keys/api.key /run/ && chmod 644 /run/api.key")
    done = house.cell.run(BIN / "sixpn-controller", "--tls_listen", f"[::]:{TLS_PORT}", "--tls_cert", "/run/api.crt", "--tls_key", "/run/api.key")
    assert done.returncode == 1 and "/run/api.key is a private key and others can read it" in done.stderr, done.stderr
    house.cell.out("chmod", "600", "/run/api.key")
    house.start("--tls_cert", "/run/api.crt", "--tls_key", "/run/api.key")
    assert "operator" in house.good("whoami")


def test_a_login_as_flyctl_does_it_ends_with_a_token_that_works():
    """Start, the page, the person's token, the callback to the program's own port, redeem, and the question whose answer flyctl greets with.
    Over https, with the certificate that `sixpn env` hands over."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    roots = ssl.create_default_context(cadata=house.cell.path("/var/lib/sixpn/controller/keys/api.crt").read_text())

    def call(method, path, body=None, token=None):
        def work():
            c = http.client.HTTPSConnection("127.0.0.1", TLS_PORT, timeout=PATIENCE, context=roots)
            headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
            c.request(method, path, json.dumps(body) if body is not None else None, headers)
            reply = c.getresponse()
            return reply.status, reply.read().decode()
        return house.cell.call(work)

    status, text = call("POST", "/api/v1/cli_sessions", {
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256", "name": "laptop",
        "redirect_port": 40123, "signup": False, "state": "c3RhdGU", "target": "auth"})
    started = json.loads(text)
    assert status == 201 and started["pkce"] is True, text
    assert started["auth_url"].startswith(f"https://127.0.0.1:{TLS_PORT}/login/"), started
    path = started["auth_url"].split(str(TLS_PORT))[1]
    status, page = call("GET", path)
    assert status == 200 and "<form" in page and started["id"] not in page
    redeem = f"/api/v1/cli_sessions/{started['id']}/redeem"
    assert call("POST", redeem, {"code": "x", "code_verifier": verifier})[0] == 409
    status, text = call("POST", f"/v1/logins/{path.rsplit('/', 1)[1]}", token=state["token"])
    approved = json.loads(text)
    assert status == 200 and approved["redirect_port"] == 40123 and approved["state"] == "c3RhdGU", text
    status, text = call("POST", redeem, {"code": approved["completion"], "code_verifier": verifier})
    assert status == 200, text
    token = json.loads(text)["access_token"]
    status, text = call("POST", "/graphql", {"query": "query { viewer { ... on User { id email enablePaidHobby } ... on Macaroon { email } } }"}, token)
    assert status == 200 and json.loads(text)["data"]["viewer"]["email"], text
    assert call("POST", redeem, {"code": approved["completion"], "code_verifier": verifier})[0] == 404
    log = house.log()
    assert "login of" in log and not any(secret in log for secret in (token, started["id"], approved["completion"], verifier)), "a secret is in the log"


IDLE = 10000
SOURCES = [f"127.1.0.{n}" for n in range(1, 65)]  # each may have 256
KIB_EACH = 48  # of memory for one connection, at most; 24 KiB of it are the library's pool


def memory():
    """Resident KiB of the controller."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{house.pid()}/status").read_text()).group(1))


def crowd(n):
    """That many connections from many addresses, which have asked something and are silent since: they may stay for a minute."""
    def open_all():
        found = []
        for number in range(n):
            s = socket.socket()
            s.bind((SOURCES[number % len(SOURCES)], 0))
            s.connect(("127.0.0.1", PORT))
            s.sendall(b"GET /v1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            found.append(s)
        return found
    found = house.cell.call(open_all)
    for s in found:
        s.settimeout(PATIENCE)
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    return found


def test_ten_thousand_idle_connections_and_slow_writers_keep_nobody_out():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(IDLE, hard - 2000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = memory()
    found = crowd(n)
    with_them = memory()
    slow = [house.connect() for _ in range(50)]  # these may stay for 10 s, and some will be gone before the last byte
    for turn in range(5):
        for s in slow:
            try:
                s.sendall(b"POST /v1/orgs HTTP/1.1\r\nHost: x"[turn:turn + 1])
            except OSError:
                pass
        assert "operator" in house.good("whoami", "--url", f"http://127.0.0.1:{PORT}", "--token-file", "/run/home/token")
        assert "operator" in house.good("whoami")
    connected = house.metric("sixpn_http_connections")
    more = crowd(500)  # more than there may be: those that waited longest make room
    assert "operator" in house.good("whoami")
    peak = memory()
    for s in found + more + slow:
        s.close()
    wait_until(lambda: house.metric("sixpn_http_connections") < 10, PATIENCE, "the end of the connections")
    wait_until(lambda: memory() - before < (with_them - before) / 2, PATIENCE, "the memory that they had")
    print(f"   the controller's memory: {before} KiB before, {with_them} KiB with {n} idle connections ({(with_them - before) / n:.1f} KiB each), "
          f"{peak} KiB with {len(more)} more, {memory()} KiB when they are gone; connected {connected:.0f}", flush=True)
    assert with_them - before < n * KIB_EACH, "memory per connection"
    if n == IDLE:
        assert connected >= IDLE and house.metric('sixpn_http_connections_closed_total{reason="room"}') > 0


def test_one_address_has_its_share_of_connections_and_requests():
    def open_many():
        found = []
        for _ in range(300):
            s = socket.socket()
            s.bind(("127.2.0.1", 0))
            s.connect(("127.0.0.1", PORT))
            found.append(s)
        return found
    found = house.cell.call(open_many)
    refused = 'sixpn_http_connections_closed_total{reason="address"}'
    wait_until(lambda: house.metric(refused) >= 44, PATIENCE, "the 257th is refused")
    for s in found:
        s.close()
    assert "operator" in house.good("whoami")
