"""Starts maglb-dataplane, publishes to it and asks it, as a control plane would."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

DATAPLANE = os.environ.get("MAGLB_DATAPLANE", "build/dataplane/maglb-dataplane")
PUBLISH = os.environ.get("MAGLB_PUBLISH", "build/tests/dpdk/publish")

# A busy machine may take long; what is tested never needs it.
PATIENCE_SECONDS = 30


def eventually(question, what):
    """The first true answer, asked until PATIENCE_SECONDS are over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.02)


class Dataplane:
    """One instance with a folder, a socket and a log of its own. `namespace`: where it runs."""

    def __init__(self, ports, workers="[1]", namespace=None, extra="", flow_entries=4096, options=()):
        self.folder = tempfile.mkdtemp(prefix=f"maglb-dpdk-{os.getpid()}-")
        self.socket = f"{self.folder}/dataplane.sock"
        self.namespace = namespace
        self.options = list(options)
        self.process = None
        self.write("dataplane.yaml", f"cores: {{main: 0, workers: {workers}}}\n"
                                     "tunnel_source: {ipv4: 10.0.0.2}\n"
                                     f"flow_table: {{entries: {flow_entries}}}\nports:\n{ports}{extra}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def path(self, name):
        return f"{self.folder}/{name}"

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def log(self):
        with open(self.path("log"), encoding="utf-8") as file:
            return file.read()

    def spawn(self):
        command = [DATAPLANE, "--config", self.path("dataplane.yaml"), "--socket", self.socket, *self.options]
        if self.namespace:
            command = ["ip", "netns", "exec", self.namespace] + command
        with open(self.path("log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)

    def start(self):
        self.spawn()
        eventually(lambda: self.ask("hello", check=False) or self.process.poll() is not None, "the control socket")
        assert self.process.poll() is None, self.log()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(PATIENCE_SECONDS) == 0, self.log()

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def ask(self, *words, check=True):
        done = subprocess.run([PUBLISH, self.socket, *words], capture_output=True, text=True, check=False,
                              timeout=PATIENCE_SECONDS)
        if done.returncode != 0:
            assert not check, done.stdout + done.stderr + self.log()
            return None
        return json.loads(done.stdout)

    def apply(self, services, generation=1, *more):
        return self.ask("apply", self.write("maglb.yaml", services), "--generation", str(generation), *more)

    def stats(self):
        return Stats(self.ask("stats"))


class Stats:
    """int64 is text in protobuf's JSON."""

    def __init__(self, raw):
        self.raw = raw

    def worker(self, name, worker=None):
        return sum(int(w[name]) for w in self.raw["workers"] if worker in (None, w["worker"]))

    def dropped(self, reason=None):
        return sum(int(d["value"]) for w in self.raw["workers"] for d in w["dropped"] if reason in (None, d["name"]))

    def event(self, name):
        return sum(int(e["value"]) for w in self.raw["workers"] for e in w["events"] if e["name"] == name)

    def service(self, name):
        return next(s["traffic"] for s in self.raw["services"] if s["name"] == name)

    def backend(self, name):
        return next(b for b in self.raw["backends"] if b["name"] == name)

    def check_equation(self):
        came = self.worker("received") + self.worker("originated")
        went = self.worker("sent") + self.worker("to_kernel") + self.worker("held") + self.dropped()
        assert came == went, f"{came} packets came, {went} went: {self.raw['workers']}"


def service_file(forward="ipip", backends=("10.0.1.11", "10.0.1.12"), protocol="tcp", port=80):
    lines = "\n".join(f"      - {{name: s{i + 1}, address: {a}}}" for i, a in enumerate(backends))
    return (f"version: 1\nseed: 7\npools:\n  web:\n    health: {{type: none}}\n    backends:\n{lines}\n"
            "services:\n"
            f"  - {{name: web, address: 198.51.100.1, protocol: {protocol}, port: {port}, pool: web, "
            f"forward: {forward}}}\n")
