#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Types lines into an interactive shell, and prints what the commands there were given.

type.py ANSWERS SHELL [ARG...]: each line of stdin is typed as it is, with \\t for the TAB key, and
Return behind it. The commands that it runs are to add a line to the file ANSWERS, which is printed.
The shell's prompt must be READY>.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 30  # seconds


class Shell:
    def __init__(self, argv):
        self.seen = b""
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.execvp(argv[0], argv)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 160, 0, 0))

    def read(self, done):
        """Reads what the shell writes until done(); False: it never was."""
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                return False
            if select.select([self.terminal], [], [], 0.01)[0]:
                try:
                    self.seen += os.read(self.terminal, 65536)
                except OSError:
                    return done()
        return True

    def ready(self):
        return self.read(lambda: b"READY>" in self.seen)

    def type(self, keys):
        self.seen = b""
        os.write(self.terminal, keys.encode())

    def end(self):
        os.close(self.terminal)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def main():
    answers, shell = sys.argv[1], Shell(sys.argv[2:])
    for line in sys.stdin:
        before = size(answers)
        if not shell.ready():
            print("no prompt:", shell.seen[-300:])
            break
        shell.type(line.rstrip("\n").replace("\\t", "\t") + "\r")
        if not shell.read(lambda: size(answers) > before):
            print("nothing was run:", shell.seen[-300:], flush=True)
            shell.type("\x03")
            continue
        with open(answers, encoding="utf-8") as file:
            file.seek(before)
            print(file.read(), end="", flush=True)
    shell.end()


main()
