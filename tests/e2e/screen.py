#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
A terminal that a test can read: screen.py WIDTH HEIGHT COMMAND... runs the command in a pseudo
terminal of that size, keeps its picture as a terminal would, and obeys lines on stdin, each with one
line of answer, `ok` or what is wrong; the next one is to be sent after that:

    keys TEXT            presses them; \\e, \\n and the like as in Python
    size WIDTH HEIGHT    the terminal's window is resized
    until REGEX          waits until the picture has a line that matches, without the blanks at its end
    until-not REGEX      waits until it has none
    until-end            waits until the command has ended: ok STATUS
    signal NUMBER        sends it to the command
    dump FILE            the picture as text, a line each
    styled STYLE         how many of its columns are `reverse`, `bold`, or of a colour (`red`)
    lines REGEX          how many lines match
    hang-up              the terminal goes away
"""

import ast
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

try:
    import pyte
except ImportError:
    sys.exit(77)

PATIENCE = 20


class Screen(pyte.Screen):
    """What pyte lacks of an xterm."""

    drawn = " "

    def draw(self, data):
        self.drawn = data[-1]
        super().draw(data)

    def repeat(self, count=1):
        self.draw(self.drawn * (count or 1))

    def scroll(self, count, line, step):
        y, self.cursor.y = self.cursor.y, line
        for _ in range(count or 1):
            step()
        self.cursor.y = y

    def scroll_up(self, count=1):
        self.scroll(count, self.margins.bottom if self.margins else self.lines - 1, self.index)

    def scroll_down(self, count=1):
        self.scroll(count, self.margins.top if self.margins else 0, self.reverse_index)


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "b": "repeat", "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"repeat", "scroll_up", "scroll_down"}


class Terminal:
    def __init__(self, width, height, command):
        self.screen = Screen(width, height)
        self.stream = Stream(self.screen)
        self.status = None
        self.fd, child = pty.openpty()
        self.resize(width, height)
        self.pid = os.fork()
        if not self.pid:
            os.close(self.fd)
            os.login_tty(child)
            os.execvp(command[0], command)
        os.close(child)

    def resize(self, width, height):
        self.screen.resize(height, width)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def look(self, seconds):
        """Takes what the command has written; False when there is nothing more to come."""
        if self.fd < 0:
            return False
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        if not data:
            return False
        self.stream.feed(data)
        return True

    def until(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                return False
            if not self.look(0.05):
                time.sleep(0.01)
        return True

    def matches(self, regex):
        return sum(bool(re.search(regex, line)) for line in self.picture().splitlines())

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def styled(self, style):
        return sum(
            getattr(char, style) if style in ("reverse", "bold") else char.fg == style
            for row in self.screen.buffer.values() for char in row.values())

    def picture(self):
        return "".join(f"{line.rstrip()}\n" for line in self.screen.display)

    def obey(self, word, rest):
        if word == "keys":
            os.write(self.fd, ast.literal_eval(f"'{rest}'").encode())
        elif word == "size":
            self.resize(*map(int, rest.split()))
        elif word == "until":
            return self.until(lambda: self.matches(rest)) or "no line has it"
        elif word == "until-not":
            return self.until(lambda: not self.matches(rest)) or "a line has it"
        elif word == "until-end":
            # What it writes last must be read, or it waits for that.
            return f"ok {self.status}" if self.until(self.ended) else "it goes on"
        elif word == "signal":
            os.kill(self.pid, int(rest))
        elif word == "dump":
            with open(rest, "w", encoding="utf-8") as file:
                file.write(self.picture())
        elif word == "styled":
            return str(self.styled(rest))
        elif word == "lines":
            return str(self.matches(rest))
        elif word == "hang-up":
            os.close(self.fd)
            self.fd = -1
        else:
            return f"screen.py does not know {word}"
        return True


def main():
    terminal = Terminal(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    try:
        while True:
            # The picture goes on while nobody asks.
            waiting = [sys.stdin] + ([terminal.fd] if terminal.fd >= 0 else [])
            ready = select.select(waiting, [], [])[0]
            if terminal.fd in ready and not terminal.look(0):
                os.close(terminal.fd)
                terminal.fd = -1
            if sys.stdin not in ready:
                continue
            line = os.read(0, 4096).decode()
            if not line:
                break
            word, _, rest = line.rstrip("\n").partition(" ")
            answer = terminal.obey(word, rest)
            print("ok" if answer is True else answer, flush=True)
    finally:
        if not terminal.ended():
            os.kill(terminal.pid, signal.SIGKILL)


main()
