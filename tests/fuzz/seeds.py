#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# tests/fuzz/seeds.py DIR: where fuzzing begins, files in DIR/TARGET, made of the golden files, the
# shipped policies and what the store writes.

import glob
import os
import struct
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def read(path):
    with open(os.path.join(TOP, path), "rb") as file:
        return file.read()


def golden(name):
    return [line for line in read("tests/golden/" + name).split(b"\n") if line[:1] != b"#"]


def inputs(stem):
    """What is given to the parser: of .ok files what stands left, of .bad the first lines."""
    records = read(f"tests/golden/{stem}.bad").split(b"\n\n")
    yield from (line.split(b" => ")[0] for line in golden(stem + ".ok") if b" => " in line)
    yield from (record.split(b"\n")[0] for record in records if record[:1] != b"#")


def spec():
    for line in inputs("rules"):
        yield b"l" + line
    for number, line in enumerate(inputs("rules")):
        if number % 4 == 0:
            yield b"r" + line
            yield b"a" + line
            yield b"b" + line.partition(b" ")[2]


def packet():
    for line in inputs("packets"):
        yield b"p" + line
    yield b"win on eth0"
    yield b"wout"
    yield b"ludp\nfrom\n192.0.2.1\nto\nme\nport\n53"


def ipsecpol():
    for stem in ("ok", "bad"):
        for record in read("tests/golden/ipsecpol." + stem).split(b"\n\n"):
            if record[:1] != b"#":
                yield record.split(b"\n")[0]


def address_list():
    yield b"192.0.2.0/24 # a comment\n10.0.0.1\n\n2001:db8::/32\n::ffff:1.2.3.4\r\n"
    yield b"10.0.0.0/255.0.0.0\n10.0.0.1\n300.1.1.1\n10.0.0.0/33\nfe80::1%eth0\n"
    yield from (b"2h", b"90s", b"36500d", b"\xef\xbb\xbf10.0.0.1\n", b"0.0.0.0/0\n::/0\n")


def policy():
    for path in sorted(glob.glob(os.path.join(TOP, "share/policies/*.policy"))):
        yield read(path)
    yield (b'policy "the web"\r\ndescription "all \\"of\\" it"\r\nrule "a"\r\nblock udp/1434 # w\r\n'
           b'include "other"\r\npermit out tcp/80 for 2h log name "x"\r\n'
           b'== other\nrule "b"\nblock @list\ninclude "main"\n== list\n10.0.0.0/8\n2001:db8::1\n')
    yield b"\xef\xbb\xbfblock @gone\ninclude \"gone\"\nnonsense\nrule \"\nblock for 2h\n"


def frames():
    """Ethernet frames by the shapes of their heads."""
    udp = struct.pack(">HHHH", 4000, 1434, 8, 0)
    icmp = struct.pack(">BBHI", 8, 0, 0, 0)
    dst = bytes.fromhex("20010db8000000000000000000000001")

    def ip4(proto, body, fragment=0, options=b""):
        head = struct.pack(">BBHHHBBH4s4s", 0x45 + len(options) // 4, 0,
                           20 + len(options) + len(body), 0, fragment, 64, proto, 0,
                           b"\xc0\0\2\1", b"\x0a\0\0\5")
        return head + options + body

    def ip6(proto, body):
        return struct.pack(">IHBB", 6 << 28, len(body), proto, 64) + dst + dst + body

    ethernet = bytes(12)
    packets = [
        (0x800, ip4(17, udp)), (0x800, ip4(6, udp + bytes(12), 0, b"\1" * 8)),
        (0x800, ip4(1, icmp)), (0x800, ip4(17, udp, 0x2000)), (0x800, ip4(6, udp, 1)),
        (0x800, ip4(47, b"")), (0x86DD, ip6(17, udp)), (0x86DD, ip6(58, icmp)),
        (0x86DD, ip6(0, b"\x3c\0" + bytes(6) + b"\x2b\0" + bytes(6) + b"\x2c\0" + bytes(6) +
                     b"\x11\0\0\1" + bytes(4) + udp)),
        (0x86DD, ip6(51, b"\x06\4" + bytes(22) + udp + bytes(12))),
        (0x806, bytes(28)), (0x8100, b"\0\1\x08\0" + ip4(17, udp)),
        (0x88A8, b"\0\1\x81\0\0\2\x86\xdd" + ip6(132, udp)),
    ]
    for ethertype, packet_bytes in packets:
        yield False, ethernet + struct.pack(">H", ethertype) + packet_bytes
        if ethertype in (0x800, 0x86DD):
            yield True, packet_bytes


def frame():
    for bare, data in frames():
        yield bytes([bare]) + data


def capture():
    for order, magic in (("<", 0xA1B2C3D4), (">", 0xA1B2C3D4), ("<", 0xA1B23C4D)):
        for bare, link in ((False, 1), (True, 101)):
            out = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, link)
            for number, (is_bare, data) in enumerate(frames()):
                if is_bare == bare and number < 6:
                    out += struct.pack(order + "IIII", number, 5, len(data), len(data) + 9) + data
            yield out
    block = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    block += struct.pack("<IIHHII", 1, 20, 1, 0, 65535, 20)
    data = next(frames())[1]
    data += bytes(-len(data) % 4)
    size = 32 + len(data)
    block += struct.pack("<IIIIIII", 6, size, 0, 5, 0, len(data), len(data)) + data
    block += struct.pack("<I", size)
    simple = 16 + len(data)
    yield block + struct.pack("<III", 3, simple, len(data)) + data + struct.pack("<I", simple)


def store():
    state = (b"=+ state\nbpfpol state 1\ncommit 2\nprevious 1 cut 1 2\nnext-id 9\nassigned p\n"
             b"rule 1 0 0 block in udp to me port 1434 name \"worm\"\n"
             b"rule 2 1900000000/7200 0+ permit out tcp to port 80\n")
    journal = (b"=+ journal\njournal 2\nadd 3 0 0 block in icmp type 8\nnext 12\n"
               b"set 3 0 0 block in icmp type 8 log\ndel 1 2\n")
    previous = state.replace(b"state\nbpfpol", b"previous.1.state\nbpfpol").replace(
        b"commit 2\nprevious 1 cut 1 2", b"commit 1\nprevious 0")
    lists = (b"== lists/1.0.from\n10.0.0.0/8\n2001:db8::1\n== list\n192.0.2.1\n"
             b"=+ fold.2\nbpfpol fold 1\npolicy p\nadd block in tcp to port 5\n"
             b"del block in udp to port 6\nset permit out tcp to port 7 log\n")
    yield state
    yield state + journal
    yield state + journal + previous + lists
    yield previous + journal.replace(b"+ journal", b"+ previous.1.journal")
    yield state.replace(b"=+", b"==") + previous + journal
    yield state.replace(b"block in udp to me port 1434", b"block in from @/list") + lists
    yield state + journal.replace(b"=+", b"==")
    yield b"=+ policies/p\nbpfpol state 1\nassigned p\nrule 7 1900000000 0 block in tcp\n"


def wire():
    head = struct.pack("=IHHI", 0x51504642, 1, 3, 15) + b"block\0udp/53\0\0\0"
    yield b"q" + head
    yield b"q" + head[:-1] + b"x"
    yield b"q" + struct.pack("=IHHI", 0x51504642, 1, 9, 1 << 30)
    yield b"q" + struct.pack("=IHHI", 0x51504642, 2, 0, 0)
    yield b"a" + struct.pack("=IHHII", 0x41504642, 1, 3, 4, 2) + b"out\nno"
    yield b"a" + struct.pack("=IHHII", 0x41504642, 1, 0, 1 << 28, 1)
    yield from (b"wblock\n--dynamic\n\nudp/1434\nname\ntwo words", b"w", b"tRule 3.\n\0error")


def conf():
    yield (b"# bpfpol.conf\n interfaces = eth0 wan*\t# two\nprotect = 10.0.0.0/8\r\n"
           b"protect=tcp/22\nprotect = 2001:db8::/32\nmetrics = 127.0.0.1:9100\n")
    yield from (b"interfaces =", b"interfaces = a/b", b"= x", b"protect = 10.0.0.0/33 # no",
                b"protect = udp/1-5,53", b"protect = any", b"colour = red\n",
                b"dropin = /etc/bpfpol/dropin\n#\n\ndomain = x\ninterfaces = [ae]th?")


def held():
    yield (b"held 1 2\nrule 7 1900000000 7200 block in udp to port 1434 log\n"
           b"rule 9 0 0 count in from @/x to @/y\nlist from 2\n192.0.2.0/24\n2001:db8::1\n"
           b"list to 1\n10.0.0.0/8\nend\n")
    yield from (b"held 1 0\nend\n", b"held 2 0\nend\n", b"held 1 1\nrule 0 0 0 block tcp\nend\n")


def http():
    host = b"Host: x\r\n"
    yield b"GET /metrics HTTP/1.1\r\n" + host + b"Accept: a/b, application/openmetrics-text\r\n\r\n"
    yield b"\r\n\nHEAD http://x:1/metrics?a=/b HTTP/1.1\nhost:x\nCONNECTION: a, Close\n\n"
    yield (b"GET / HTTP/1.1\r\n" + host + b"\r\nGET /b HTTP/1.1\r\n" + host +
           b"Transfer-Encoding: chunked\r\n\r\n9\r\n")
    yield b"GET http://x HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\nGET"
    yield b"DELETE * HTTP/1.1\r\n" + host + b" y\r\n\r\n"
    yield b"GET /" + b"m" * 80 + b" HTTP/2.0\r\n" + host + b"Content-Length:\t9 \r\n\r\n"
    yield b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 8192


def interfaces():
    yield b"eth0 native\nwan* auto\nwan3 none\n==\ninterfaces = eth0 ppp*\nprotect = tcp/22\n"
    yield b"a b tc\nold\nother brand-new\n"
    yield b"x generic\nx tc\n==\nnonsense\n"
    yield b"+bpfpol interfaces 1\neth0 native\nwan* auto\nwan3 none\n"
    yield b"+bpfpol interfaces 2\neth0 new\nend auto\n==\ninterfaces = eth1\n"
    yield b"bpfpol interfaces 1\neth0 native\nend 01234567\n"


def sockets():
    yield (b"4  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
           b"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"
           b"        0 14181 1 0000000000000000 100 0 0 10 0\n"
           b"   1: 0100000A:0016 0200000A:9C40 01 00000000:00000000 02:000A 00000000     0"
           b"        0 77 3 0 20 4 30 10 -1\n")
    yield (b"6   0: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF00000200000A:9C40 01"
           b" 0:0 0:0 0 0 0 5\n   1: B80D0120000000000000000001000000:0016"
           b" 00000000000000000000000001000000:0000 08 0:0 0:0 0 0 0 6\n")


def tried():
    old = b"confirm 60 1900000000000000000 77 0a1b-2c\nword eth*\ntried eth7 7\nkept eth0 2\n"
    yield b"-" + old + b"interfaces\neth0 auto\nwan* native\n"
    yield b"-" + old + b"none\n"
    yield b"+bpfpol tried 1\n" + old + b"interfaces\neth0 auto\n"
    yield b"+bpfpol tried 1\nconfirm 604800 18446744073709551615 18446744073709551615 -\nnone\n"
    yield b"+bpfpol tried 1\nconfirm 1 0 0 0a1b-2c\nrules 12\ntried eth7 7\nnone\n"
    yield b"+bpfpol tried 2\n" + old + b"none\n"
    yield b"-bpfpol tried 1\n" + old + b"none\n"


def complete():
    for number, line in enumerate([*inputs("rules"), *inputs("packets")]):
        yield bytes([number % 4]) + b"\n".join(line.split()[:9]) + b"\n" * (number % 2)


TARGETS = {"capture": capture, "complete": complete, "conf": conf, "frame": frame, "held": held,
           "http": http, "interfaces": interfaces, "ipsecpol": ipsecpol, "list": address_list,
           "packet": packet, "policy": policy, "sockets": sockets, "spec": spec, "store": store,
           "tried": tried, "wire": wire}


def main():
    for name, seeds in TARGETS.items():
        where = os.path.join(sys.argv[1], name)
        os.makedirs(where, exist_ok=True)
        for number, seed in enumerate(seeds()):
            with open(os.path.join(where, f"seed-{number:03}"), "wb") as file:
                file.write(seed)


main()
