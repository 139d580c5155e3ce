"""Answers UDP datagrams with NAME:PAYLOAD, from the address they were sent to.

    udp_echo.py NAME PORT [--ready FILE]

FILE is written when the socket is open.
"""

import argparse
import pathlib
import socket
import struct

IP_PKTINFO = 8


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("--ready")
    arguments = parser.parse_args()
    name = arguments.name.encode()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        echo.bind(("0.0.0.0", arguments.port))
        if arguments.ready:
            pathlib.Path(arguments.ready).touch()
        while True:
            payload, ancillary, _, peer = echo.recvmsg(65535, 256)
            reply_from = []
            for level, kind, data in ancillary:
                if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                    _, _, destination = struct.unpack("=i4s4s", data[:12])
                    info = struct.pack("=i4s4s", 0, destination, b"\0" * 4)
                    reply_from = [(socket.IPPROTO_IP, IP_PKTINFO, info)]
            try:
                echo.sendmsg([name + b":" + payload], reply_from, 0, peer)
            except OSError:
                pass  # no way back to that client now; the next datagram may have one


if __name__ == "__main__":
    main()
