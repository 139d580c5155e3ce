"""Which backend a flow has, written a second time from the words of the headers.

SipHash-2-4 from its paper, Maglev from lib/maglev/table.h, the selection hash from
lib/net/selection_hash.h. Shares no line with the product.
"""
import ipaddress
import struct

MASK = (1 << 64) - 1
OFFSET_DOMAIN = 0x6D61676C65762D6F
SKIP_DOMAIN = 0x6D61676C65762D73


def _rotl(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def _rounds(v, count):
    v0, v1, v2, v3 = v
    for _ in range(count):
        v0 = (v0 + v1) & MASK
        v1 = _rotl(v1, 13) ^ v0
        v0 = _rotl(v0, 32)
        v2 = (v2 + v3) & MASK
        v3 = _rotl(v3, 16) ^ v2
        v0 = (v0 + v3) & MASK
        v3 = _rotl(v3, 21) ^ v0
        v2 = (v2 + v1) & MASK
        v1 = _rotl(v1, 17) ^ v2
        v2 = _rotl(v2, 32)
    return [v0, v1, v2, v3]


def siphash24(k0, k1, message):
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padded = message + b"\0" * (7 - len(message) % 8) + bytes([len(message) % 256])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        v = _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    v = _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def maglev_table(weights, size, seed):
    """weights: name -> weight. The table as names; None without members."""
    names = sorted(name for name, weight in weights.items() if weight)
    if not names:
        return None
    position, skip, credit = {}, {}, dict.fromkeys(names, 0)
    for name in names:
        position[name] = siphash24(seed, OFFSET_DOMAIN, name.encode()) % size
        skip[name] = siphash24(seed, SKIP_DOMAIN, name.encode()) % (size - 1) + 1
    price = max(weights.values())
    table, free = [None] * size, size
    while True:
        for name in names:
            credit[name] += weights[name]
            if credit[name] < price:
                continue
            credit[name] -= price
            while table[position[name]] is not None:
                position[name] = (position[name] + skip[name]) % size
            table[position[name]] = name
            free -= 1
            if not free:
                return table


def _splitmix64(seed):
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def _mix(a, b):
    product = a * b
    return (product >> 64) ^ (product & MASK)


def _words(address):
    mapped = ipaddress.IPv6Address(f"::ffff:{address}").packed
    return struct.unpack("<QQ", mapped)


def selection_hash(seed, source, destination, source_port, destination_port, protocol):
    stream = _splitmix64(seed)
    k = [next(stream) for _ in range(5)]
    (ports,) = struct.unpack("<Q", struct.pack(">HHBxxx", source_port, destination_port, protocol))
    src, dst = _words(source), _words(destination)
    h = _mix(src[0] ^ k[0], src[1] ^ k[1]) ^ _mix(dst[0] ^ k[2] ^ ports, dst[1] ^ k[3])
    return _mix(h ^ k[4], 0x9E3779B97F4A7C15 ^ ports)


def slot(seed, size, *flow):
    return (selection_hash(seed, *flow) * size) >> 64
