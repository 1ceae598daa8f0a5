"""Denies the network to every Python process that has this folder on its path, and records what was
tried as a line of the file that NETWORK_ATTEMPTS names."""

from __future__ import annotations

import os
import socket
import sys

LOOKUPS = {
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.getnameinfo",
}
INTERNET = (socket.AF_INET, socket.AF_INET6)
RECORD = os.environ["NETWORK_ATTEMPTS"]


def deny(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook, which Python code cannot go round; raises OSError where a name is looked up or
    an Internet socket is made."""
    if event in LOOKUPS or (event == "socket.__new__" and arguments[1] in INTERNET):
        line = f"{event} {arguments[-4:]} by {sys.orig_argv[1:]}\n"
        record = os.open(RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(record, line.encode())
        os.close(record)
        raise OSError("There is no network in this test.")


sys.addaudithook(deny)
