"""What a client does, run in the client's namespace; each prints one line.

    client.py get ADDRESS PATH              the answer; "LENGTH SHA256" of a big one
    client.py post ADDRESS SIZE             what the server says about a body of SIZE bytes
    client.py udp ADDRESS SIZE HOW SECONDS  the answer to a datagram of SIZE bytes, or "none"
    client.py many ADDRESS COUNT            how many of COUNT datagrams, each from a port of its own, were answered

HOW is `df`: one packet, never fragmented on its way, whatever path MTU is known; `whole`: one packet that
may be fragmented on its way; `fragments`: fragmented here, as the route's MTU wants it.
"""

import http.client
import socket
import sys

from services import digest, pattern

MTU_DISCOVER = 10  # IP_MTU_DISCOVER
MTU_DISCOVER6 = 23  # IPV6_MTU_DISCOVER
HOW = {"df": 3, "whole": 5, "fragments": 0}  # IP_PMTUDISC_PROBE, _OMIT, _DONT


def exchange(address, method, path, body=None):
    connection = http.client.HTTPConnection(address, 80, timeout=20)
    connection.request(method, path, body)
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise SystemExit(f"status {answer.status}")
    return digest(data) if path.startswith("/big/") else data.decode().strip()


def udp(address, size, how, seconds):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    level, option = (socket.IPPROTO_IPV6, MTU_DISCOVER6) if ":" in address else (socket.IPPROTO_IP, MTU_DISCOVER)
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.setsockopt(level, option, HOW[how])
        one.bind(("", 0))  # not connected: an ICMP error is the kernel's to keep, not this socket's
        one.settimeout(float(seconds))
        one.sendto(pattern(int(size)), (address, 53))
        try:
            return one.recv(65536).decode()
        except TimeoutError:
            return "none"


def many(address, count):
    answers = [udp(address, size, "df", 5) == digest(pattern(size)) for size in range(count)]
    return sum(answers)


def main():
    what, address, *more = sys.argv[1:]
    if what == "get":
        print(exchange(address, "GET", more[0]))
    elif what == "post":
        print(exchange(address, "POST", "/", pattern(int(more[0]))))
    elif what == "many":
        print(many(address, int(more[0])))
    else:
        print(udp(address, *more))


if __name__ == "__main__":
    main()
