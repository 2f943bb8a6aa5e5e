#!/usr/bin/env python3
"""The sink behind STARTTLS: tls_sink.py CERTIFICATE-AND-KEY. Prints its port, ends when its standard input does."""

import socket
import ssl
import sys
import threading

HELLO = b"250-sink.test\r\n%s250-SIZE 1073741824\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"


class Talk:
    """One client."""

    def __init__(self, link, context):
        self.link, self.context, self.left = link, context, b""

    def line(self):
        while b"\n" not in self.left:
            more = self.link.recv(65536)
            if not more:
                raise ConnectionError
            self.left += more
        line, self.left = self.left.split(b"\n", 1)
        return line.strip().upper()

    def message(self):
        """Up to the lone dot; nothing is kept of it but its end."""
        room = bytearray(65536)
        tail = b"\r\n" + self.left
        while not tail.endswith(b"\r\n.\r\n"):
            count = self.link.recv_into(room)
            if not count:
                raise ConnectionError
            tail = (tail[-5:] if count < 5 else b"") + bytes(room[max(0, count - 5) : count])
        self.left = b""

    def play(self):
        self.link.sendall(b"220 sink.test ESMTP\r\n")
        while True:
            line, encrypted = self.line(), isinstance(self.link, ssl.SSLSocket)
            if line.startswith(b"EHLO"):
                self.link.sendall(HELLO % (b"" if encrypted else b"250-STARTTLS\r\n"))
            elif line == b"STARTTLS" and not encrypted:
                self.link.sendall(b"220 2.0.0 Ready\r\n")
                self.link = self.context.wrap_socket(self.link, server_side=True)
            elif line == b"DATA":
                self.link.sendall(b"354 End data with <CR><LF>.<CR><LF>\r\n")
                self.message()
                self.link.sendall(b"250 2.0.0 Ok: taken\r\n")
            elif line == b"QUIT":
                self.link.sendall(b"221 2.0.0 Bye\r\n")
                self.link.unwrap() if encrypted else None
                return
            else:
                self.link.sendall(b"250 2.0.0 Ok\r\n")


def serve(link, context):
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    talk = Talk(link, context)
    try:
        talk.play()
    except OSError:
        pass  # the client is gone
    finally:
        talk.link.close()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener, context), daemon=True).start()
    sys.stdin.read()


def accept(listener, context):
    while True:
        link, _ = listener.accept()
        threading.Thread(target=serve, args=(link, context), daemon=True).start()


main()
