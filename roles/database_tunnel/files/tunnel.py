#!/usr/bin/python3
"""Carries MySQL sessions from this host's loopback to a server on another host, under TLS.

The portal's PHP has no setting that would make it speak TLS to its database, so its sessions are encrypted
on the way: the server sees one session under TLS, from this host's address, with the portal's own account.

The server's offer of TLS is taken here and hidden from the client. That adds one packet to the server's side
of the login, so packets are numbered anew until the login is over; from then on bytes pass unchanged. The
server's certificate must be signed by the given authority and name the address that is connected to.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import ssl
import struct
import sys
import threading
from typing import NamedTuple

CLIENT_PROTOCOL_41 = 0x0200
CLIENT_SSL = 0x0800
OK, MORE_DATA, ERROR = 0x00, 0x01, 0xFF
FAST_LOGIN = b"\x01\x03"
"""MySQL 8's "the password is right, an OK follows"."""
CANNOT_CONNECT = 2003
SHORTEST_VERSION = 15
"""Where the flags stand in a greeting whose server names no version."""
TLS_REQUEST = 32
"""Bytes of a login's answer that ask for TLS: flags, longest packet, character set, reserve."""
CHUNK = 256 * 1024
LOGIN_SECONDS = 20
LONGEST_LOGIN = 64 * 1024
"""Bytes of a packet of the login; what is longer is none."""
BACKLOG = 512


class EndedError(Exception):
    """A side went away in the middle of the login."""


class RefusedError(Exception):
    """The session cannot be made as it must be.

    :param number: of the packet that tells the client.
    """

    def __init__(self, text: str, number: int = 0) -> None:
        super().__init__(text)
        self.number = number


class Packet(NamedTuple):
    """One packet of the login."""

    number: int
    payload: bytes

    def sent(self, place: socket.socket, shift: int = 0) -> None:
        """Send it, numbered `shift` further."""
        header = struct.pack("<I", len(self.payload))[:3] + bytes([(self.number + shift) % 256])
        place.sendall(header + self.payload)


def exactly(place: socket.socket, count: int) -> bytes:
    """Read that many bytes and no more: what follows may belong to TLS."""
    parts = bytearray()
    while len(parts) < count:
        part = place.recv(count - len(parts))
        if not part:
            raise EndedError
        parts += part
    return bytes(parts)


def packet(place: socket.socket) -> Packet:
    """The next packet of a login."""
    header = exactly(place, 4)
    length = int.from_bytes(header[:3], "little")
    if not 0 < length <= LONGEST_LOGIN:
        raise RefusedError("what answers is no database server")
    return Packet(header[3], exactly(place, length))


def error(text: str, number: int) -> Packet:
    """What a client shows as the server's error."""
    return Packet(number, struct.pack("<BH", ERROR, CANNOT_CONNECT) + b"#HY000" + text.encode())


def without_tls(greeting: bytes) -> bytes:
    """The server's greeting without its offer of TLS.

    Raises:
        RefusedError: it offers none.
    """
    # version of the protocol, version of the server up to a zero, number of the session, scramble, a filler
    place = greeting.find(b"\0", 1) + 1 + 4 + 8 + 1
    if place < SHORTEST_VERSION or len(greeting) < place + 2:
        raise RefusedError("what answers is no database server")
    flags = struct.unpack_from("<H", greeting, place)[0]
    if not flags & CLIENT_SSL:
        raise RefusedError("the database server offers no TLS")
    return greeting[:place] + struct.pack("<H", flags & ~CLIENT_SSL) + greeting[place + 2 :]


def logged_in(client: socket.socket, plain: socket.socket, name: str, tls: ssl.SSLContext) -> ssl.SSLSocket:
    """Lead both sides through the login; the server's side is encrypted from then on."""
    greeting = packet(plain)
    if greeting.payload[0] == ERROR:
        greeting.sent(client)
        raise EndedError
    greeting._replace(payload=without_tls(greeting.payload)).sent(client)
    answer = packet(client)
    flags = int.from_bytes(answer.payload[:4], "little")
    if len(answer.payload) < TLS_REQUEST or not flags & CLIENT_PROTOCOL_41:
        raise RefusedError("the client speaks a protocol of before MySQL 4.1", answer.number + 1)
    payload = (flags | CLIENT_SSL).to_bytes(4, "little") + answer.payload[4:]
    Packet(answer.number, payload[:TLS_REQUEST]).sent(plain)
    try:
        server = tls.wrap_socket(plain, server_hostname=name)
    except ssl.SSLError as refusal:
        reason = getattr(refusal, "verify_message", "") or refusal.reason
        raise RefusedError(f"no TLS with the database server: {reason}", answer.number + 1) from refusal
    Packet(answer.number, payload).sent(server, 1)
    while True:
        reply = packet(server)
        reply.sent(client, -1)
        if reply.payload[0] in (OK, ERROR):
            return server
        if reply.payload[:2] != FAST_LOGIN:
            packet(client).sent(server, 1)


def carried(client: socket.socket, server: ssl.SSLSocket) -> None:
    """Pass bytes both ways until a side ends."""
    client.setblocking(False)
    server.setblocking(False)
    waiting = select.poll()
    waiting.register(client, select.POLLIN)
    waiting.register(server, select.POLLIN)
    ways = {client.fileno(): (client, server), server.fileno(): (server, client)}
    while True:
        # What TLS has decrypted already does not show at the socket.
        ready = [server.fileno()] if server.pending() else [number for number, _ in waiting.poll()]
        for number in ready:
            origin, other = ways[number]
            try:
                part = origin.recv(CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            if not part:
                return
            pushed(other, part)


def pushed(place: socket.socket, part: bytes) -> None:
    """Send all of it to a side that may be slow."""
    rest = memoryview(part)
    while rest:
        try:
            rest = rest[place.send(rest) :]
        except (BlockingIOError, ssl.SSLWantWriteError):
            room = select.poll()
            room.register(place, select.POLLOUT)
            room.poll()


def served(client: socket.socket, address: tuple[str, int], tls: ssl.SSLContext) -> None:
    """One session, from its first byte to its last."""
    with client, contextlib.suppress(EndedError, OSError):
        client.settimeout(LOGIN_SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with reached(address) as plain, logged_in(client, plain, address[0], tls) as server:
                carried(client, server)
        except RefusedError as refusal:
            text = f"{address[0]}:{address[1]}: {refusal}"
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
            error(text, refusal.number).sent(client)


def reached(address: tuple[str, int]) -> socket.socket:
    """A connection to the server."""
    try:
        plain = socket.create_connection(address, LOGIN_SECONDS)
    except OSError as failure:
        raise RefusedError(f"no connection: {failure.strerror or failure}") from failure
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return plain


def worker(listening: socket.socket, address: tuple[str, int], tls: ssl.SSLContext) -> None:
    """Serve sessions, each in a thread."""
    while True:
        client, _ = listening.accept()
        threading.Thread(target=served, args=(client, address, tls), daemon=True).start()


def notify_ready() -> None:
    """Tell systemd that sessions are taken from now on."""
    place = os.environ.get("NOTIFY_SOCKET")
    if place:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.connect("\0" + place[1:] if place.startswith("@") else place)
            systemd.sendall(b"READY=1")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--listen", type=int, required=True, metavar="PORT", help="port of 127.0.0.1")
    parser.add_argument("--server", required=True, metavar="HOST")
    parser.add_argument("--port", type=int, default=3306)
    parser.add_argument("--ca", required=True, metavar="FILE", help="authority of the server's certificate")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    given = parser.parse_args()
    tls = ssl.create_default_context(cafile=given.ca)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", given.listen), backlog=BACKLOG) as listening:
        workers = []
        for _ in range(given.workers):
            child = os.fork()
            if child == 0:
                worker(listening, (given.server, given.port), tls)
            workers.append(child)
        notify_ready()
        # One that ends takes all with it: systemd starts them anew.
        try:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            os.wait()
        finally:
            for child in workers:
                os.kill(child, signal.SIGKILL)
    sys.exit("a worker ended")


if __name__ == "__main__":
    main()
