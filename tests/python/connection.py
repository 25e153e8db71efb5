#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Listener and Client, one side of them Python's and the other one C++'s.

    connection.py PEER        PEER: the program of connection_peer.cpp
"""

import hmac
import os
import subprocess
import sys
import threading
import time
import unittest
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener

SIZES = [0, 1, 3, 16_383, 16_384, 16_385, 65_536, 1_000_000, 64 * 1024 * 1024]
OURS_IS_OLD = sys.version_info < (3, 12)


def message(size):
    block = bytes(range(256)) * 1024
    return (block * (size // len(block) + 1))[:size]


# The handshakes of both generations, whichever this Python is of.

def deliver(connection, key, modern):
    challenge = b"{sha256}" + os.urandom(40) if modern else os.urandom(20)
    connection.send_bytes(b"#CHALLENGE#" + challenge)
    answer = connection.recv_bytes(256)
    name, mac = "md5", answer
    if modern and len(answer) not in (16, 20):
        name, _, mac = answer.removeprefix(b"{").partition(b"}")
        name = name.decode()
    if not hmac.compare_digest(hmac.new(key, challenge, name).digest(), mac):
        connection.send_bytes(b"#FAILURE#")
        raise AuthenticationError("digest received was wrong")
    connection.send_bytes(b"#WELCOME#")


def answer(connection, key, modern):
    challenge = connection.recv_bytes(256)
    assert challenge.startswith(b"#CHALLENGE#")
    challenge = challenge.removeprefix(b"#CHALLENGE#")
    if modern and len(challenge) != 20:
        assert challenge.startswith(b"{sha256}")
        connection.send_bytes(b"{sha256}" + hmac.digest(key, challenge, "sha256"))
    else:
        connection.send_bytes(hmac.digest(key, challenge, "md5"))
    if connection.recv_bytes(256) != b"#WELCOME#":
        raise AuthenticationError("digest sent was rejected")


def python_of(address):
    host, colon, port = address.rpartition(":")
    return (host, int(port)) if colon else address


def text_of(address):
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"


class Peer:
    """The C++ program."""

    def __init__(self, test, mode, where, key, allow_md5):
        hexadecimal = "-" if key is None else key.hex()
        self.process = subprocess.Popen([PEER, mode, where, hexadecimal, str(int(allow_md5))], stdout=subprocess.PIPE, text=True)
        test.addCleanup(self.end)

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Interoperation(unittest.TestCase):
    def talk(self, connection, sizes=(0, 3, 100_000)):
        for size in sizes:
            sent = message(size)
            connection.send_bytes(sent)
            self.assertTrue(connection.poll(60))
            self.assertTrue(connection.recv_bytes() == sent, f"{size} bytes came back otherwise")

    def test_python_connects_to_a_listener_of_cpp(self):
        for where in "path", "tcp":
            for key in None, b"", b"secret", bytes(range(256)):
                with self.subTest(where=where, key=key):
                    peer = Peer(self, "listen", where, key, OURS_IS_OLD)
                    address = python_of(peer.line())
                    if key is not None:
                        with self.assertRaises(AuthenticationError):
                            Client(address, authkey=b"another")
                        self.assertEqual(peer.line(), "refused")
                    with Client(address, authkey=key) as connection:
                        self.assertEqual(peer.line(), "accepted")
                        self.talk(connection, SIZES if key == b"secret" else (0, 3))
                        connection.send_bytes(b"quit")
                        self.assertEqual(peer.process.wait(60), 0)

    def test_nothing_is_left_of_a_listener_that_was_killed(self):
        peer = Peer(self, "listen", "path", None, OURS_IS_OLD)
        folder = os.path.dirname(peer.line())
        self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
        peer.process.kill()
        for _ in range(6000):
            if not os.path.exists(folder):
                return
            time.sleep(0.01)
        self.fail(f"{folder} is still there")

    def test_cpp_connects_to_a_listener_of_python(self):
        for family in "AF_UNIX", "AF_INET":
            for key in None, b"secret":  # a Listener of Python takes an empty key for none
                with self.subTest(family=family, key=key), Listener(family=family, authkey=key) as listener:
                    if key is not None:
                        peer = Peer(self, "connect", text_of(listener.address), b"another", OURS_IS_OLD)
                        with self.assertRaises(AuthenticationError):
                            listener.accept()
                        self.assertEqual(peer.line(), "refused")
                    peer = Peer(self, "connect", text_of(listener.address), key, OURS_IS_OLD)
                    with listener.accept() as connection:
                        self.assertEqual(peer.line(), "accepted")
                        self.talk(connection, SIZES if key == b"secret" else (0, 3))
                    self.assertEqual(peer.process.wait(60), 0)

    def test_both_generations_of_python_connect(self):
        for modern in True, False:
            with self.subTest(modern=modern):
                peer = Peer(self, "listen", "tcp", b"secret", not modern)
                address = python_of(peer.line())
                for key in b"wrong", b"secret":
                    with Client(address) as connection:
                        if key == b"wrong":
                            with self.assertRaises(AuthenticationError):
                                answer(connection, key, modern)
                            self.assertEqual(peer.line(), "refused")
                            continue
                        answer(connection, key, modern)
                        deliver(connection, key, modern)
                        self.assertEqual(peer.line(), "accepted")
                        self.talk(connection)

    def test_cpp_connects_to_both_generations_of_python(self):
        for modern in True, False:
            for key in b"wrong", b"secret":
                with self.subTest(modern=modern, key=key), Listener() as listener:
                    peer = Peer(self, "connect", listener.address, b"secret", not modern)
                    with listener.accept() as connection:
                        if key == b"wrong":
                            with self.assertRaises(AuthenticationError):
                                deliver(connection, key, modern)
                            self.assertEqual(peer.line(), "refused")
                            continue
                        deliver(connection, key, modern)
                        answer(connection, key, modern)
                        self.assertEqual(peer.line(), "accepted")
                        self.talk(connection)

    def test_a_client_that_finds_the_listener_out(self):
        # It knows nothing, but welcomes everybody: then it is the client that ends it.
        with Listener() as listener:
            peer = Peer(self, "connect", listener.address, b"secret", False)
            with listener.accept() as connection:
                connection.send_bytes(b"#CHALLENGE#{sha256}" + os.urandom(40))
                connection.recv_bytes(256)
                connection.send_bytes(b"#WELCOME#")
                connection.recv_bytes(256)
                connection.send_bytes(b"{sha256}" + bytes(32))
                self.assertEqual(connection.recv_bytes(256), b"#FAILURE#")
            self.assertEqual(peer.line(), "refused")

    def test_md5_is_refused_unless_allowed(self):
        peer = Peer(self, "listen", "path", b"secret", False)
        address = python_of(peer.line())
        with Client(address) as connection:
            with self.assertRaises(AuthenticationError):
                answer(connection, b"secret", modern=False)
        self.assertEqual(peer.line(), "refused")
        with Listener() as listener:
            peer = Peer(self, "connect", listener.address, b"secret", False)
            with listener.accept() as connection:
                connection.send_bytes(b"#CHALLENGE#" + os.urandom(20))
                with self.assertRaises(EOFError):
                    connection.recv_bytes()
            self.assertEqual(peer.line(), "refused")

    def test_both_send_much_at_once(self):
        peer = Peer(self, "listen", "path", None, False)
        with Client(python_of(peer.line())) as connection:
            sent = [message(3_000_000) for _ in range(4)]
            sender = threading.Thread(target=lambda: [connection.send_bytes(each) for each in sent])
            sender.start()
            for each in sent:
                self.assertTrue(connection.recv_bytes() == each)
            sender.join()


if __name__ == "__main__":
    PEER = sys.argv.pop(1)
    unittest.main()
