"""Clients of websockets that go over the wire: the library `websockets`, and one that vanishes."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect
from websockets.uri import parse_uri

from .drivers import TIME_LIMIT_S, Answer, Call

__all__ = ["shaken", "talk", "talking"]

RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no time at all: closing sends RST instead of FIN."""


def _url(call: Call) -> str:
    return f"ws://testserver{call.target}"


@contextmanager
def talking(port: int, call: Call) -> Iterator[ClientConnection]:
    """An open websocket, with the headers that the scenarios expect."""
    wire = socket.create_connection(("127.0.0.1", port), TIME_LIMIT_S)
    with connect(
        _url(call),
        sock=wire,
        additional_headers={"accept": "text/html"},
        user_agent_header="test",
        proxy=None,
        open_timeout=TIME_LIMIT_S,
        close_timeout=TIME_LIMIT_S,
    ) as connection:
        yield connection


def talk(port: int, call: Call) -> Answer:
    """Send a call's messages, hear an answer to each, and end as the call says."""
    answer = Answer()
    if call.vanishes:
        _vanish(port, call, answer)
        return answer
    try:
        with talking(port, call) as connection:
            answer.is_accepted = True
            for each in call.sends or ():
                connection.send(each)
                answer.received.append(connection.recv(TIME_LIMIT_S))
            if call.closes is None:
                answer.received.append(connection.recv(TIME_LIMIT_S))
            else:
                connection.close(call.closes)
    except ConnectionClosed as closed:
        answer.close_code = closed.rcvd.code if closed.rcvd else None
    except InvalidStatus as refused:
        answer.status = refused.response.status_code
        answer.body = bytes(refused.response.body or b"")
    return answer


@contextmanager
def shaken(port: int, call: Call) -> Iterator[tuple[socket.socket, ClientProtocol]]:
    """A socket over which a handshake has been asked for; it is reset at the end."""
    protocol = ClientProtocol(parse_uri(_url(call)))
    request = protocol.connect()
    request.headers.update({"accept": "text/html", "user-agent": "test"})
    protocol.send_request(request)
    with socket.create_connection(("127.0.0.1", port), TIME_LIMIT_S) as wire:
        wire.sendall(b"".join(protocol.data_to_send()))
        try:
            yield wire, protocol
        finally:  # neither a close frame nor the end of the stream
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def _vanish(port: int, call: Call, answer: Answer) -> None:
    with shaken(port, call) as (wire, protocol):
        response = _hear(wire, protocol)
        assert isinstance(response, Response)
        answer.is_accepted = response.status_code == 101
        for each in call.sends or ():
            assert isinstance(each, str)
            protocol.send_text(each.encode())
            wire.sendall(b"".join(protocol.data_to_send()))
            frame = _hear(wire, protocol)
            assert isinstance(frame, Frame)
            answer.received.append(bytes(frame.data).decode())


def _hear(wire: socket.socket, protocol: ClientProtocol) -> object:
    """The next thing that the server says."""
    while not (heard := protocol.events_received()):
        protocol.receive_data(wire.recv(65_536))
    [event] = heard
    return event
