"""The control plane's API by one connection that stays: for tests that ask thousands of times."""

import http.client
import json
import socket
import urllib.parse


class Api(http.client.HTTPConnection):
    def __init__(self, daemons):
        super().__init__("localhost", timeout=60)
        self.path = str(daemons.api_socket)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None, **parameters):
        """The answer's object, or its text where it is none. Fails unless it is 2xx."""
        if parameters:
            path += "?" + urllib.parse.urlencode(parameters)
        octets = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        try:
            self.request(method, path, octets)
            answer = self.getresponse()
        except (BrokenPipeError, http.client.RemoteDisconnected):
            # It was closed because it was quiet for long, or for who was quieter.
            self.close()
            self.request(method, path, octets)
            answer = self.getresponse()
        text = answer.read().decode()
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status}: {text}"
        return json.loads(text) if answer.getheader("Content-Type") == "application/json" else text

    def get(self, path, **parameters):
        return self.ask("GET", path, **parameters)

    def last_event(self):
        return self.get("/v1/events", limit=1)["last"]

    def events(self, after, kind=None):
        """Those behind a number, the oldest first."""
        kinds = {"kind": kind} if kind else {}
        return self.get("/v1/events", after=after, limit=1000, **kinds)["events"]
