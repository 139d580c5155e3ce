"""What the guest serves, on every address it has, IPv4 and IPv6.

    services.py NAME --ready FILE

TCP 80, HTTP/1.1: GET /healthz says ok; GET / says "NAME CLIENT", the address the guest's kernel saw;
GET /big/N sends N bytes of pattern(N); POST takes a body and says "LENGTH SHA256".
UDP 53: a datagram is answered with "LENGTH SHA256", from the address it was sent to.
FILE is written when both listen.
"""

import argparse
import hashlib
import http.server
import pathlib
import socket
import threading


def pattern(size):
    """Bytes in which a shifted, lost or doubled piece shows."""
    words = b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))
    return words[:size]


def digest(data):
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(b"ok\n")
        elif self.path.startswith("/big/"):
            self.answer(pattern(min(int(self.path[5:]), 1 << 26)))
        else:
            client = self.client_address[0].removeprefix("::ffff:")
            self.answer(f"{self.server.called} {client}\n".encode())

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers["Content-Length"]), 1 << 26))
        self.answer(digest(body).encode() + b"\n")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, name):
        self.called = name
        super().__init__(("::", 80), Handler)

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "guest", 80


def open_udp():
    echo = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    echo.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    echo.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    echo.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    echo.bind(("::", 53))
    return echo


def serve_udp(echo):
    while True:
        payload, ancillary, _, peer = echo.recvmsg(65535, 256)
        # The destination goes back as the source; the interface is left to the routing table.
        source = [
            (level, kind, data[:16] + bytes(4))
            for level, kind, data in ancillary
            if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
        ]
        try:
            echo.sendmsg([digest(payload).encode()], source, 0, peer)
        except OSError:
            pass  # no way back to that client now; the next datagram may have one


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--ready", required=True)
    arguments = parser.parse_args()
    echo, server = open_udp(), Server(arguments.name)
    threading.Thread(target=serve_udp, args=[echo], daemon=True).start()
    pathlib.Path(arguments.ready).touch()
    server.serve_forever()


if __name__ == "__main__":
    main()
