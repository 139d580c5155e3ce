"""A control plane's API with canned answers: what docs/api.md promises, nothing behind it."""
import http.server
import json
import socketserver
import threading

BACKENDS = [
    {"pool": "web", "name": "web1", "address": "10.0.1.11", "weight": 100, "state": "up", "health": "healthy",
     "effective": "up", "reason": "http 200", "since": 192.4, "slots": 32769, "share": 0.50001,
     "next_hop": "02:00:00:00:00:01 via uplink", "packets": 1234567, "bytes": 987654321, "new_flows": 4321},
    {"pool": "web", "name": "web2", "address": "10.0.1.12", "weight": 100, "state": "up", "health": "unhealthy",
     "effective": "unhealthy", "reason": "connect: connection refused", "since": 3.0, "slots": 0, "share": 0.0,
     "next_hop": "unresolved", "packets": None, "bytes": None, "new_flows": None},
    {"pool": "dns", "name": "ns1", "address": "10.0.1.21", "weight": 1, "state": "drain", "health": "unchecked",
     "effective": "drain", "reason": "", "since": None, "slots": 65537, "share": 1.0,
     "next_hop": None, "packets": 0, "bytes": 0, "new_flows": 0},
]
WEB_BACKENDS = [backend for backend in BACKENDS if backend["pool"] == "web"]

SERVICES = [
    {"name": "web", "address": "198.51.100.1", "protocol": "tcp", "port": 80, "pool": "web", "forward": "ipip",
     "flow": True, "on_failure": "reschedule", "backends_up": 1, "backends_total": 2, "packets": 1234567,
     "bytes": 987654321, "new_flows": 4321},
    {"name": "dns", "address": "198.51.100.2", "protocol": "udp", "port": 53, "pool": "dns", "forward": "l2",
     "flow": False, "on_failure": "keep", "backends_up": 0, "backends_total": 1, "packets": None, "bytes": None,
     "new_flows": None},
]

POOLS = [
    {"name": "web", "scheduler": "maglev", "table_size": 65537,
     "health": {"type": "http", "port": 80, "path": "/healthz", "interval_seconds": 1.0, "timeout_seconds": 0.5,
                "rise": 2, "fall": 3},
     "services": ["web"], "backends_up": 1, "backends_total": 2, "stale": False},
    {"name": "dns", "scheduler": "maglev", "table_size": 65537, "health": {"type": "none"},
     "services": ["dns", "dns-tcp"], "backends_up": 0, "backends_total": 1, "stale": True},
]

STATUS = {
    "version": "0.1.0", "uptime_seconds": 90061.0, "ready": True, "generation": 17,
    "dataplane": {"connected": True, "version": "0.1.0", "generation": 17, "workers": 2, "uptime_seconds": 90065.0,
                  "error": None},
    "config": {"file": "/etc/maglb/maglb.yaml", "source": "file", "applied_at": "2026-11-21T03:00:00Z"},
    "services": 2, "pools": 2, "backends": {"total": 3, "up": 1, "unhealthy": 1, "drain": 1, "down": 0},
    "warnings": ["pool dns: every backend fails its probe; the last table stays"],
}

STATS = {
    "generation": 17, "uptime_seconds": 3725.0,
    "totals": {"received": 1234567, "originated": 3, "sent": 1234000, "kernel": 560, "held": 0,
               "dropped": {"too_big": 3, "no_service": 7, "malformed": 0}},
    "workers": [
        {"worker": 0, "core": 1, "received": 1234000, "originated": 3, "sent": 1233440, "kernel": 560, "held": 0,
         "dropped": {"too_big": 3, "no_service": 0, "malformed": 0}, "events": {"flows_created": 4321, "flows_full": 0},
         "flows": 120, "flow_capacity": 1048576, "busy": 0.25},
        {"worker": 1, "core": 2, "received": 567, "originated": 0, "sent": 560, "kernel": 0, "held": 0,
         "dropped": {"too_big": 0, "no_service": 7, "malformed": 0}, "events": {"flows_created": 9, "flows_full": 0},
         "flows": 9, "flow_capacity": 1048576, "busy": 0.01}],
    "ports": [{"name": "uplink", "device": "net_af_xdp0,iface=lb0", "link_up": True, "mac": "02:00:00:00:00:02",
               "mtu": 1500, "rx_packets": 1234567, "tx_packets": 1234000, "rx_missed": 0, "tx_errors": 0}],
}

FLOW_SUMMARY = {
    "flows": 129, "capacity": 2097152, "states": {"opening": 4, "established": 120, "closing": 3, "udp": 2},
    "backends": [{"pool": "web", "backend": "web1", "flows": 127}, {"pool": "dns", "backend": "ns1", "flows": 2}],
}

LOOKUP_PATH = ("/v1/flows/lookup?protocol=tcp&source=192.0.2.11&source_port=40000"
               "&destination=198.51.100.1&destination_port=80")
FLOW_LOOKUP = {"service": "web", "pool": "web", "slot": 4711, "table_backend": "web2", "backend": "web1",
               "flow": {"found": True, "worker": 1, "state": "established", "backend": "web1", "idle_seconds": 1.25}}

DOCUMENT = "version: 1\nseed: 7\n# K\u00f6ln\npools: {}\nservices: []\n"


REVISIONS = [{"revision": 4, "at": 1790000000.0, "source": "runtime", "why": "two are not enough", "size": 7,
              "running": True, "confirm_by": None,
              "who": {"user": "root", "program": "maglbctl", "uid": 0, "gid": 0, "pid": 7}}]
DIFFERENCE = {"from": "file", "to": "running",
              "changes": [{"path": "pools.web.backends.web1.weight", "before": "100", "after": "50"}],
              "pools": [{"pool": "web", "moved": 8192, "slots": 65536, "share": 0.125}]}
EVENTS = [{"number": 7, "time": 1790000000.5, "kind": "health", "pool": "web", "backend": "web1",
           "text": "unhealthy: http 500"}]


def error(kind, message, **more):
    return {"error": {"kind": kind, "message": message, **more}}


def changed(backend, **fields):
    return {**backend, **fields}


ANSWERS = {
    ("GET", "/v1/status"): (200, STATUS),
    ("GET", "/v1/services"): (200, {"services": SERVICES}),
    ("GET", "/v1/services/web"): (200, SERVICES[0]),
    ("GET", "/v1/pools"): (200, {"pools": POOLS}),
    ("GET", "/v1/pools/web"): (200, {**POOLS[0], "backends": WEB_BACKENDS}),
    ("GET", "/v1/pools/web/backends"): (200, {"backends": WEB_BACKENDS}),
    ("GET", "/v1/backends"): (200, {"backends": BACKENDS}),
    ("GET", "/v1/pools/web/backends/web1"): (200, BACKENDS[0]),
    ("POST", "/v1/pools/web/backends"): (201, changed(BACKENDS[0], name="web3", address="10.0.1.13", weight=50,
                                                      health="unknown", reason="")),
    ("PATCH", "/v1/pools/web/backends/web1"): (200, changed(BACKENDS[0], state="drain", effective="drain")),
    ("DELETE", "/v1/pools/web/backends/web1"): (200, {}),
    ("GET", "/v1/config"): (200, DOCUMENT),
    ("PUT", "/v1/config"): (200, {"generation": 18, "changed": True, "source": "file", "warning": None}),
    ("POST", "/v1/config/check"): (200, {"valid": True, "services": 2, "pools": 2, "backends": 3}),
    ("POST", "/v1/config/reload"): (200, {"generation": 18, "changed": False, "source": "file", "warning": None}),
    ("GET", "/v1/config/revisions?limit=50"): (200, {"revisions": REVISIONS}),
    ("GET", "/v1/config/diff?from=file&to=running"): (200, DIFFERENCE),
    ("GET", "/v1/config/diff?from=1&to=2"): (200, {"from": "1", "to": "2", "changes": [], "pools": []}),
    ("POST", "/v1/config/diff"): (200, DIFFERENCE),
    ("POST", "/v1/config/rollback"): (200, {"generation": 19, "changed": True, "revision": 5, "confirm_by": None,
                                            "source": "runtime", "warning": None}),
    ("POST", "/v1/config/confirm"): (200, {"generation": 18, "changed": False, "revision": 4, "confirm_by": None,
                                           "source": "runtime", "warning": None}),
    ("GET", "/v1/events?limit=100&pool=web&kind=health"): (200, {"events": EVENTS, "last": 7}),
    ("PATCH", "/v1/pools/web/backends/web1?reason=worn"): (200, changed(BACKENDS[0], state="drain", effective="drain")),
    ("DELETE", "/v1/pools/web/backends/web1?reason=a%26b"): (200, {}),
    ("GET", LOOKUP_PATH): (200, FLOW_LOOKUP),
    ("GET", "/v1/flows/summary"): (200, FLOW_SUMMARY),
    ("GET", "/v1/stats"): (200, STATS),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer_of(self, path, otherwise):
        return self.server.answers.get((self.command, path), otherwise)

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        request = (self.command, self.path, self.rfile.read(size), self.headers.get("Content-Type"))
        self.server.requests.append(request)
        self.server.open.wait()
        sequence = self.server.sequences.get((self.command, self.path))
        if sequence:
            body = sequence.pop(0) if len(sequence) > 1 else sequence[0]
            self.server.answers[(self.command, self.path)] = (200, body)
        missing = (404, error("not_found", f"there is no {self.path}"))
        status, body = self.answer_of(self.path, self.answer_of(self.path.split("?")[0], missing))
        is_text = isinstance(body, str)
        payload = (body if is_text else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/yaml" if is_text else "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class FakeDaemon:
    """`answers` may be changed by a test; `requests` are (method, path, body, content type).

    `sequences` are bodies to be answered one after the other, the last for good.
    """

    def __init__(self, socket_path):
        self.server = Server(socket_path, Handler)
        self.server.answers = dict(ANSWERS)
        self.server.requests = []
        self.server.sequences = {}
        self.server.open = threading.Event()
        self.server.open.set()
        self.answers = self.server.answers
        self.sequences = self.server.sequences
        self.requests = self.server.requests
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def hang(self):
        """No request is answered until the event that is returned is set."""
        self.server.open.clear()
        return self.server.open

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.open.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
