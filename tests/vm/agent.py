"""The guest's first process: does what the tests ask for over a virtio port, one thing at a time.

Both ways a line holds one JSON object. The first line is the guest's: {"ready": true}. A request is

    {"do": "run", "command": [...], "timeout": seconds}     -> {"code": N, "output": text}
    {"do": "read", "paths": [...]}                          -> {"code": 0, "texts": [...]}
    {"do": "start", "command": [...], "log": path}          -> {"code": 0, "pid": N}
    {"do": "end", "pid": N, "timeout": seconds}             -> {"code": exit code}

When the host closes the port, the machine powers off: no guest outlives its test run.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

PORT_NAME = "maglb"


def mount(kind, place, *options):
    os.makedirs(place, exist_ok=True)
    subprocess.run(["mount", "-t", kind, *options, kind, place], check=True)


def prepare():
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    mount("proc", "/proc")
    mount("sysfs", "/sys")
    mount("devtmpfs", "/dev")
    mount("tmpfs", "/run")
    mount("tmpfs", "/dev/shm")
    mount("devpts", "/dev/pts")
    release = os.uname().release
    os.makedirs("/lib/modules", exist_ok=True)
    os.symlink(sys.argv[1], f"/lib/modules/{release}")


def open_port():
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for name in pathlib.Path("/sys/class/virtio-ports").glob("*/name"):
            if name.read_text().strip() == PORT_NAME:
                return open(f"/dev/{name.parent.name}", "r+b", buffering=0)
        time.sleep(0.05)
    raise SystemExit(f"no virtio port {PORT_NAME}")


class Agent:
    def __init__(self):
        self.started = {}

    def run(self, request):
        try:
            done = subprocess.run(
                request["command"], timeout=request["timeout"], text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            return {"code": done.returncode, "output": done.stdout}
        except subprocess.TimeoutExpired as error:
            output = error.stdout or b""
            return {"code": 124, "output": output.decode(errors="replace") + f"\nnot done after {request['timeout']} s"}
        except OSError as error:
            return {"code": 127, "output": str(error)}

    def read(self, request):
        return {"code": 0, "texts": [pathlib.Path(path).read_text() for path in request["paths"]]}

    def start(self, request):
        with open(request["log"], "ab") as log:
            process = subprocess.Popen(request["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.started[process.pid] = process
        return {"code": 0, "pid": process.pid}

    def end(self, request):
        process = self.started.pop(request["pid"])
        process.send_signal(signal.SIGTERM)
        try:
            return {"code": process.wait(request["timeout"])}
        except subprocess.TimeoutExpired:
            process.kill()
            return {"code": process.wait()}

    def answer(self, request):
        try:
            work = {"run": self.run, "read": self.read, "start": self.start, "end": self.end}
            return work[request["do"]](request)
        except (OSError, KeyError) as error:
            return {"code": 127, "output": repr(error)}


def serve(port):
    agent = Agent()
    port.write(b'{"ready": true}\n')
    waiting = b""
    while chunk := port.read(65536):
        waiting += chunk
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            answer = memoryview(json.dumps(agent.answer(json.loads(line))).encode() + b"\n")
            while answer:
                answer = answer[port.write(answer) :]


def main():
    prepare()
    try:
        serve(open_port())
    finally:
        pathlib.Path("/proc/sysrq-trigger").write_text("o")
        time.sleep(30)


if __name__ == "__main__":
    main()
