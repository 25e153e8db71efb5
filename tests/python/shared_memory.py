#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""SharedMemory and ShareableList, made by Python and used by C++, and the other way round.

    shared_memory.py PEER        PEER: the program of peer.cpp
"""

import subprocess
import sys
import unittest
from multiprocessing import resource_tracker, shared_memory

VALUES = [
    0, 1, -1, 42, 2**63 - 1, -(2**63), 1.5, -273.154, 1e300, 5e-324, float("inf"), True, False, None,
    "", "howdy", "1234567", "12345678", "é", "ééééééé", "日本語のテキスト", "😀 and more", "a\0b", "x" * 1000,
    b"", b"HoWdY", b"12345678", bytes(range(255, 0, -1)), b"\0\0x", "%d %s;\n",
]


def written(value):
    if value is None:
        return "n"
    if isinstance(value, bool):
        return f"b {int(value)}"
    if isinstance(value, int):
        return f"i {value}"
    if isinstance(value, float):
        return f"d {value!r}"
    return f"t {value.encode().hex()}" if isinstance(value, str) else f"y {value.hex()}"


def read(text):
    kind, rest = text[0], text[2:]
    return {
        "n": lambda: None,
        "b": lambda: rest == "1",
        "i": lambda: int(rest),
        "d": lambda: float(rest),
        "t": lambda: bytes.fromhex(rest).decode(),
        "y": lambda: bytes.fromhex(rest),
    }[kind]()


def untracked(shm):
    """What a Python before 3.13 has found, it unlinks when it ends."""
    resource_tracker.unregister(shm._name, "shared_memory")
    return shm


class Peer:
    """The C++ program."""

    def __init__(self):
        self.process = subprocess.Popen([PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        if answer.startswith("error: ") or not answer and self.process.poll() is not None:
            raise RuntimeError(f"{command}: {answer}")
        return answer

    def values(self):
        return [read(text) for text in self("values").split(";")[:-1]]

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class Interoperation(unittest.TestCase):
    def setUp(self):
        self.peer = Peer()
        self.addCleanup(self.peer.close)

    def assert_same(self, ours, theirs):
        self.assertEqual(ours, theirs)
        self.assertEqual([type(value) for value in ours], [type(value) for value in theirs])

    def test_python_finds_the_memory_that_was_made_here(self):
        name = self.peer("make 5000")
        shm = untracked(shared_memory.SharedMemory(name))
        self.assertRegex(name, "^psm_[0-9a-f]{8}$")
        self.assertEqual(shm.size, 5000)
        self.peer("poke 4999 200")
        self.assertEqual(shm.buf[4999], 200)
        shm.buf[0] = 7
        self.assertEqual(self.peer("peek 0"), "7")
        shm.close()
        self.peer("close")
        self.peer("unlink " + name)
        with self.assertRaises(FileNotFoundError):
            shared_memory.SharedMemory(name)

    def test_the_memory_that_python_made_is_found_here(self):
        shm = shared_memory.SharedMemory(create=True, size=5000)
        self.addCleanup(shm.unlink)
        self.addCleanup(shm.close)
        shm.buf[17] = 71
        self.assertEqual(self.peer("find " + shm.name), "5000")
        self.assertEqual(self.peer("peek 17"), "71")
        self.peer("poke 18 81")
        self.assertEqual(shm.buf[18], 81)
        self.peer.close()  # which does not unlink it
        untracked(shared_memory.SharedMemory(shm.name)).close()
        resource_tracker.register(shm._name, "shared_memory")  # by its maker, still

    def test_python_reads_the_list_that_was_made_here(self):
        name = self.peer("list " + ";".join(written(value) for value in VALUES))
        ours = shared_memory.ShareableList(name=name)
        untracked(ours.shm)
        self.addCleanup(lambda: self.peer("unlink " + name))
        self.addCleanup(ours.shm.close)
        self.assert_same(VALUES, list(ours))
        self.assertEqual(ours.format, self.peer("format"))

    def test_the_list_that_python_made_is_read_here(self):
        # Python cuts text whose bytes are more than its letters and the rest of eight.
        values = [value for value in VALUES if not isinstance(value, str) or len(value.encode()) <= len(value) // 8 * 8 + 8]
        self.assertGreater(len(values), 25)
        ours = shared_memory.ShareableList(values)
        self.addCleanup(ours.shm.unlink)
        self.addCleanup(ours.shm.close)
        self.assertEqual(self.peer("attach " + ours.shm.name), str(len(values)))
        self.assert_same(values, self.peer.values())
        self.assertEqual(self.peer("format"), ours.format)

    def test_lists_of_ascii_are_the_same_bytes(self):
        values = [value for value in VALUES if not isinstance(value, str) or value.isascii()]
        ours = shared_memory.ShareableList(values)
        self.addCleanup(ours.shm.unlink)
        self.addCleanup(ours.shm.close)
        name = self.peer("list " + ";".join(written(value) for value in values))
        theirs = untracked(shared_memory.SharedMemory(name))
        self.addCleanup(lambda: self.peer("unlink " + name))
        self.addCleanup(theirs.close)
        self.assertEqual(bytes(ours.shm.buf), bytes(theirs.buf))

    def test_each_replaces_values_of_the_other(self):
        room = "x" * 1200
        makers = [
            lambda: untracked_list(self.peer("list " + ";".join([written(room)] * len(VALUES)))),
            lambda: shared_memory.ShareableList([room] * len(VALUES)),
        ]
        for maker in makers:
            ours = maker()
            name = ours.shm.name
            try:
                self.peer("attach " + name)
                for i, value in enumerate(VALUES):
                    ours[i] = value
                self.assert_same(VALUES, self.peer.values())
                backwards = VALUES[::-1]
                for i, value in enumerate(backwards):
                    self.peer(f"set {i} {written(value)}")
                self.assert_same(backwards, list(ours))
                self.assertEqual(ours.format, self.peer("format"))
                for too_long in ("x" * 1209, "é" * 605, b"y" * 1209):
                    with self.assertRaises(ValueError):
                        ours[0] = too_long
                    with self.assertRaisesRegex(RuntimeError, "has 1208 bytes, and 12(09|10) are wanted"):
                        self.peer(f"set 0 {written(too_long)}")
                self.assert_same(backwards, list(ours))
            finally:
                ours.shm.close()
                self.peer("unlink " + name)
                if maker is makers[1]:
                    untracked(ours.shm)


def untracked_list(name):
    found = shared_memory.ShareableList(name=name)
    untracked(found.shm)
    return found


if __name__ == "__main__":
    if sys.version_info < (3, 9):
        print("skipped: before 3.9 Python's lists had lengths in the place of offsets")
        sys.exit(0)
    PEER = sys.argv.pop(1)
    unittest.main()
