#!/usr/bin/env python3
"""embed.py OBJECT NAME: prints C++ that holds the bytes of OBJECT as maglb::NAME, so that a program
carries its BPF code with it and starts from anywhere."""
import sys

path, name = sys.argv[1:]
data = open(path, 'rb').read()
print('#include "lib/bpf/objects.h"\n\nnamespace maglb {\n')
print(f'alignas(8) static const uint8_t k_{name}[] = {{')
for i in range(0, len(data), 24):
    print(''.join(f'{b},' for b in data[i:i + 24]))
print(f'}};\n\nstd::span<const uint8_t> {name}() {{ return k_{name}; }}\n\n}}  // namespace maglb')
