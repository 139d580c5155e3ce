#!/usr/bin/env -S /usr/bin/python3 -B
"""A gRPC server with grpc.health.v1.Health/Check, for tests; prints its port, and serves until stdin ends.

    grpc_health_server.py ADDRESS [CERT KEY]     ADDRESS: 127.0.0.1 or [::1]

The service that is asked for says how to answer: "" is SERVING, the others are the names below.
"""

import sys
import time
from concurrent import futures

import grpc


def reply(status):
    return bytes([8, status])


def check(request, context):
    name = request[2:].decode()  # field 1, shorter than 128 octets
    if name == "slow":
        time.sleep(2)
    elif name == "missing":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such service\n")
    elif name == "broken":
        raise ValueError("broken")
    return {
        "sick": reply(2),
        "unknown": reply(0),
        "unheard-of": reply(7),
        "nothing": b"",
        "garbage": b"\xff\xff\xff",
        "text": b"\x0a\x02up",
        "huge": b"\x12\x80\x80\x08" + bytes(131072) + reply(1),
        "extended": b"\x12\x02hi\x1d\x00\x00\x00\x00" + reply(1),
    }.get(name, reply(1))


def main():
    address, *pair = sys.argv[1:]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    methods = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)])
    if pair:
        cert, key = (open(name, "rb").read() for name in pair)
        port = server.add_secure_port(address + ":0", grpc.ssl_server_credentials([(key, cert)]))
    else:
        port = server.add_insecure_port(address + ":0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
