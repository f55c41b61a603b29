#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Clients of the agent's /metrics that ask for what they should not, or not as they should.

    scrape.py NAME HOST PORT        prints `ok`, or what was wrong
    scrape.py text HOST:PORT TYPE   prints what is offered to one who accepts that type
    scrape.py hold HOST PORT        has that port until it is killed
    scrape.py plain                 text of the older format from stdin, as metrics.py prints it
"""

import json
import signal
import socket
import sys
import threading

PATIENCE = 30


class Client:
    def __init__(self):
        self.s = socket.create_connection(AT, PATIENCE)
        self.left = b""

    def send(self, data):
        self.s.sendall(data.encode() if isinstance(data, str) else data)

    def reply(self):
        """(status, fields, body) of the next one; None: the connection was closed."""
        while b"\r\n\r\n" not in self.left:
            more = self.s.recv(65536)
            if not more:
                return None
            self.left += more
        head, self.left = self.left.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        status = int(lines[0].split(" ")[1])
        size = int(fields["content-length"])
        while self.method != "HEAD" and len(self.left) < size:
            more = self.s.recv(65536)
            if not more:
                raise ValueError("the body is cut")
            self.left += more
        if self.method == "HEAD":
            size = 0
        body, self.left = self.left[:size], self.left[size:]
        return status, fields, body

    method = "GET"

    def ask(self, method="GET", path="/metrics", version="1.1", more="Host: x\r\n"):
        self.method = method
        self.send(f"{method} {path} HTTP/{version}\r\n{more}\r\n")
        return self.reply()

    def closed(self):
        return self.s.recv(1) == b""


def expect(what, is_, should):
    if is_ != should:
        raise ValueError(f"{what}: {is_}, not {should}")


def status(**words):
    return Client().ask(**words)[0]


def methods():
    c = Client()
    whole = c.ask()
    expect("GET", whole[0], 200)
    head = c.ask(method="HEAD")
    expect("HEAD, on the same connection", (head[0], head[2]), (200, b""))
    expect("its length", int(head[1]["content-length"]) > 500, True)
    expect("POST", status(method="POST"), 405)
    expect("what is allowed", Client().ask(method="DELETE")[1]["allow"], "get, head")
    expect("another path", status(path="/"), 404)
    expect("a longer path", status(path="/metrics/x"), 404)
    expect("a path that is far too long", status(path="/" + "m" * 4000), 404)
    expect("with a query", status(path="/metrics?x=y"), 200)
    expect("as a proxy would ask", status(path="http://x/metrics"), 200)
    expect("HTTP/1.0, without Host", status(version="1.0", more=""), 200)


def accept():
    types = {
        "": "text/plain; version=0.0.4; charset=utf-8",
        "text/plain": "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5":
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
    }
    for want, got in types.items():
        more = f"Host: x\r\nAccept: {want}\r\n" if want else "Host: x\r\n"
        expect(want, Client().ask(more=more)[1]["content-type"], got)


def keep():
    c = Client()
    for _ in range(50):
        expect("again", c.ask()[0], 200)
    expect("the last", c.ask(more="Host: x\r\nConnection: close\r\n")[1]["connection"], "close")
    expect("closed", c.closed(), True)
    c = Client()
    expect("1.0", c.ask(version="1.0")[1]["connection"], "close")
    expect("closed", c.closed(), True)
    c = Client()
    c.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    for _ in range(20):
        expect("all at once", c.reply()[0], 200)


def bad():
    for text in ("\0\1\2\3\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
                 "GET /metrics HTTP/1.1\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n",
                 "GET /metrics HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", "GET metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
        c = Client()
        c.send(text)
        expect(repr(text), c.reply()[0], 400)
        expect("closed", c.closed(), True)
    expect("another version", status(version="2.0"), 505)
    c = Client()
    c.send("GET /metrics HTTP/1.1\r\nX: " + "y" * 9000)
    expect("a long head", c.reply()[0], 431)
    c = Client()
    c.send("GET /metrics HTTP/1.1\r\n" + "X: y\r\n" * 3000 + "\r\n")
    expect("many fields", c.reply()[0], 431)
    c = Client()
    c.send("GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
    expect("with a body of 1 GiB", c.reply()[0], 200)
    try:
        for _ in range(16384):
            c.send(b"x" * 65536)
        raise ValueError("all of it was taken")
    except OSError:
        pass


def half():
    clients = [Client() for _ in range(16)]
    for c in clients:
        c.send("GET /metrics HTTP/1.1\r\nHo")
    expect("beside 16 that do not go on", status(), 200)
    for c in clients:
        c.s.settimeout(PATIENCE)
        try:
            expect("dropped", c.s.recv(1), b"")
        except ConnectionResetError:
            pass


def many():
    """More than there is room for, idle; then all of them ask at once."""
    idle = [Client() for _ in range(200)]
    expect("beside them", status(), 200)
    del idle
    wrong = []

    def one():
        try:
            if status() != 200:
                wrong.append("not 200")
        except (OSError, TypeError):
            pass  # its place was given away

    threads = [threading.Thread(target=one) for _ in range(60)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expect("60 at once", wrong, [])
    expect("after them", status(), 200)


def slow():
    """Those who do not read what they asked for."""
    clients = [Client() for _ in range(15)]
    for c in clients:
        c.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        c.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
    expect("beside them", status(), 200)


def hold():
    with socket.create_server(AT):
        signal.pause()


def text():
    got = Client().ask(more=f"Host: x\r\nAccept: {sys.argv[3]}\r\n")
    sys.stdout.buffer.write(got[2] if got[0] == 200 else b"")


def plain():
    from prometheus_client.parser import text_string_to_metric_families
    families, samples = {}, {}
    for family in text_string_to_metric_families(sys.stdin.read()):
        families[family.name] = {"type": family.type}
        for s in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(s.labels.items()))
            samples[f"{s.name}{{{labels}}}" if labels else s.name] = s.value
    json.dump({"families": families, "samples": samples}, sys.stdout, ensure_ascii=False)


NAME = sys.argv[1]
if NAME == "text":
    HOST, PORT = sys.argv[2].rsplit(":", 1)
    AT = (HOST.strip("[]"), int(PORT))
elif NAME != "plain":
    AT = (sys.argv[2], int(sys.argv[3]))
try:
    {f.__name__: f for f in (methods, accept, keep, bad, half, many, slow, hold, text, plain)}[NAME]()
    if NAME not in ("hold", "text", "plain"):
        print("ok")
except (ValueError, OSError, TypeError) as error:
    print(error, file=sys.stderr if NAME == "text" else sys.stdout)
