"""Answers UDP datagrams of both families with NAME:PAYLOAD, from the address they were sent to.

    udp_echo.py NAME PORT [--ready FILE]

FILE is written when the socket is open.
"""

import argparse
import pathlib
import socket
import struct

IPV6_FREEBIND = 78  # of Linux; the module has no name for it

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("--ready")
    arguments = parser.parse_args()
    name = arguments.name.encode()

    # One socket for both: IPv4 addresses are mapped ones (::ffff:192.0.2.1), in the ancillary data, too.
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as echo:
        echo.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        echo.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        # Answers also from addresses that are the host's by a local route only, as those of a prefix are.
        echo.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        echo.bind(("::", arguments.port))
        if arguments.ready:
            pathlib.Path(arguments.ready).touch()
        while True:
            payload, ancillary, _, peer = echo.recvmsg(65535, 256)
            reply_from = []
            for level, kind, data in ancillary:
                if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                    address, _ = struct.unpack("=16sI", data[:20])
                    reply_from = [(level, kind, struct.pack("=16sI", address, 0))]
            try:
                echo.sendmsg([name + b":" + payload], reply_from, 0, peer)
            except OSError:
                pass  # no way back to that client now; the next datagram may have one


if __name__ == "__main__":
    main()
