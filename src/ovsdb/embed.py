#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a text file into a C string: embed.py INPUT OUTPUT SYMBOL.

The build runs this on conf/vswitch.ovsschema, so that the daemon can make a new database without
finding a file first.
"""
import sys


def main():
    source, target, symbol = sys.argv[1:]
    with open(source, encoding="utf-8") as f:
        lines = f.read().splitlines()
    with open(target, "w", encoding="utf-8") as f:
        f.write('#include "ovsdb/builtin_schema.h"\n')
        f.write(f"const char {symbol}[] =\n")
        for line in lines:
            text = line.replace("\\", "\\\\").replace('"', '\\"')
            f.write(f'    "{text}\\n"\n')
        f.write("    ;\n")


main()
