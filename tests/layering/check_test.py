#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Breaks a copy of the house in each way that check.py and cmake/includes.py forbid, and looks whether they say so."""

import shutil
import sys
import tempfile
from pathlib import Path

from check import check

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
sys.path.insert(0, str(ROOT / "cmake"))
from includes import check as check_includes  # noqa: E402
OURS = "include/multiprocessing/"


def replaced(file, old, new):
    def change(root):
        path = root / file
        text = path.read_text()
        assert old in text, f"{file} has no '{old}'"
        path.write_text(text.replace(old, new, 1))

    return change


def added(file, text):
    def change(root):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as out:
            out.write(text)

    return change


def removed(file):
    return lambda root: (root / file).unlink()


CONFIG = "#include <multiprocessing/detail/config.hpp>\n"
HEADER = "#pragma once\n// SPDX-License-Identifier: BSL-1.0\n/// @file {}  A thing.\n"

# What is done to the copy, and a part of what must be said about it.
BREAKS = [
    (replaced(OURS + "timeout.hpp", CONFIG, CONFIG + "#include <multiprocessing/pool.hpp>\n"),
     "timeout.hpp is on floor L0c and includes pool on floor L4c"),
    (replaced(OURS + "detail/ring/ends.hpp", CONFIG, CONFIG + "#include <multiprocessing/detail/ring/ring.hpp>\n"),
     "ends.hpp includes detail/ring/ring of its own floor L2f"),
    (replaced(OURS + "detail/parking/parking.hpp", CONFIG, CONFIG + "#include <multiprocessing/detail/space/heap.hpp>\n"),
     "parking.hpp is on floor L2c and includes detail/space/heap on floor L2d"),
    (replaced(OURS + "detail/space/space.hpp", CONFIG, CONFIG + "#include <multiprocessing/detail/space/heap.hpp>\n"),
     "headers include each other: "),
    (replaced(OURS + "detail/platform/error.hpp", CONFIG, CONFIG + "#include <multiprocessing/detail/platform/wait.hpp>\n"),
     "headers include each other: "),
    (added("tests/layering/layers.txt", "L2a detail/nothing\n"), "names detail/nothing, which does not exist"),
    (added("tests/layering/layers.txt", "L9a detail/space/heap\n"), "not understood"),
    (replaced("tests/layering/layers.txt", "L2f detail/ring/ring < ", "L2f detail/ring/ring < detail/ring/segment_chain "),
     "ring.hpp does not include detail/ring/segment_chain"),
    (added(OURS + "detail/stray.hpp", HEADER.format("stray.hpp")), "stray.hpp has no floor"),
    (added(OURS + "worker_farm.hpp", HEADER.format("worker_farm.hpp")), "whose name Python does not have"),
    (replaced(OURS + "detail/space/process_tree.hpp", CONFIG, CONFIG + "#include <multiprocessing/detail/none.hpp>\n"),
     "none.hpp>, which does not exist"),
    (replaced(OURS + "detail/space/process_tree.hpp", CONFIG, CONFIG + '#include "space.hpp"\n'), 'includes "space.hpp"'),
    (added(OURS + "detail/space/process_tree.hpp", "#include <unistd.h>\n"), "includes the system's <unistd.h>"),
    (added(OURS + "pool.hpp", "#include <sys/mman>\n"), "includes the system's <sys/mman>"),
    (added(OURS + "detail/posix/wait.hpp", "#include <boost/winapi/wait.hpp>\n"), "only detail/win32 may"),
    (added(OURS + "detail/win32/wait.hpp", "#include <Windows.h>\n"), "includes <windows.h>"),
    (added(OURS + "detail/space/process_tree.hpp", "#include <multiprocessing/detail/posix/wait.hpp>\n"), "ask its contract"),
    (added(OURS + "detail/posix/wait.hpp", "#include <multiprocessing/detail/win32/text.hpp>\n"), "ask its contract"),
    (added(OURS + "detail/platform/wait.hpp", "#ifdef _WIN32\n#endif\n"), "spells _WIN32"),
    (added(OURS + "detail/space/process_tree.hpp", "#if MULTIPROCESSING_PLATFORM_WIN32\n#endif\n"), "only contracts in detail/platform"),
    (added(OURS + "pool.hpp", "#if defined(__linux__)\n#endif\n"), "asks for __linux__"),
    (added(OURS + "pool.hpp", "#if defined(__clang__)\n#endif\n"), "asks for __clang__"),
    (added(OURS + "pool.hpp", "inline int least(int a) { return std::min(a, 0); }\n"), "calls min( or max("),
    (removed(OURS + "detail/win32/wait.hpp"), "platform/wait.hpp has no twin in detail/win32"),
    (replaced(OURS + "timeout.hpp", "#pragma once", "#ifndef TIMEOUT"), "does not start with '#pragma once'"),
    (replaced(OURS + "timeout.hpp", "BSL-1.0", "MIT"), "SPDX-License-Identifier: BSL-1.0' as its second line"),
    (replaced(OURS + "timeout.hpp", "@file timeout.hpp", "@file time.hpp"), "has no '/// @file timeout.hpp"),
    (replaced(OURS + "timeout.hpp", "#include <chrono>", "#include <chrono>\n#include <algorithm>"), "unsorted includes"),
    (replaced(OURS + "timeout.hpp", "config.hpp>\n\n", "config.hpp>\n"), "mixes kinds of headers"),
    (replaced(OURS + "timeout.hpp", "#include <chrono>", "#include <chrono>\n\n#include <cmath>"), "or a group twice"),
    (added(OURS + "timeout.hpp", "\n" * 300), "timeout.hpp has "),
    (added(OURS + "pool.hpp", "\n" * 300), "pool.hpp has "),
    (added("tests/layering/layers.txt", "size timeout 400\n"), "take its 'size' out"),
    (added("tests/layering/layers.txt", "size nothing 400\n"), "names nothing, which does not exist"),
    (added(OURS + "detail/tree/node.hpp", HEADER.format("node.hpp")), "README.md does not name `tree/`"),
    (added(OURS + "detail/ring/rings.hpp", HEADER.format("rings.hpp")), "ring.hpp and rings.hpp differ by a letter"),
    (added(OURS + "detail/ring/ring.hpp", "namespace multiprocessing::inline v1 {\n}\n"), "opens the public namespace"),
    (removed("tests/platform/wait.test.cpp"), "has no suite: write tests/platform/wait.test.cpp"),
    (added(OURS + "house/lock.hpp", HEADER.format("lock.hpp")), "has no header beside its folder"),
    (added(OURS + "readme.txt", "text"), "is no header"),
    (added("src/pool.cpp", "\n"), "src: no entry of the top level"),
    (added("tests/unit/new.test.cpp", "int main() {}\n"), "new.test.cpp has no SPDX line"),
    (added(OURS + "multiprocessing.hpp", "#include <multiprocessing/listener.hpp>\n"), "is not for everybody"),
]
if (ROOT / OURS / "multiprocessing.hpp").exists():
    BREAKS.append((replaced(OURS + "multiprocessing.hpp", "#include <multiprocessing/pool.hpp>\n", ""),
                   "does not include pool.hpp"))
else:
    BREAKS.append((added(OURS + "multiprocessing.hpp", "#pragma once\n"), "does not include pool.hpp"))

# The same, for cmake/includes.py.
LIFELINE = "<multiprocessing/detail/platform/lifeline.hpp>"
INCLUDE_BREAKS = [
    (replaced(OURS + "pool/basic_pool.hpp", "#include <vector>\n", ""), "basic_pool.hpp spells std::vector: #include <vector>"),
    (replaced(OURS + "detail/posix/process.hpp", "#include <cerrno>\n", ""), "process.hpp uses what <cerrno> has"),
    (replaced(OURS + "timeout.hpp", "#include <chrono>", "#include <array>\n#include <chrono>"),
     "timeout.hpp includes <array> and spells no name of it"),
    (replaced(OURS + "queues.hpp", CONFIG, CONFIG + f"#include {LIFELINE}\n"),
     f"queues.hpp includes {LIFELINE} and spells no name of it"),
    (added(OURS + "timeout.hpp", "#include <regex>\n"), "which cmake/includes.py does not know"),
]


def copy_of_house(to):
    for room in ("include", "tests/layering", "tests/platform"):
        shutil.copytree(ROOT / room, to / room, ignore=shutil.ignore_patterns("__pycache__"))
    for room in ("examples", "cmake", "tests/unit"):
        (to / room).mkdir()
    return to


def main():
    failures = 0
    for number, (change, expected) in enumerate(BREAKS + INCLUDE_BREAKS):
        look = check if number < len(BREAKS) else check_includes
        with tempfile.TemporaryDirectory() as folder:
            root = copy_of_house(Path(folder).resolve())
            if number in (0, len(BREAKS)) and look(root):
                print("the copy itself is not in order:", *look(root), sep="\n")
                return 1
            change(root)
            said = look(root)
            if not any(expected in line for line in said):
                failures += 1
                print(f"break {number}: expected '{expected}', but it said:", *said, sep="\n    ")
    print(f"{len(BREAKS + INCLUDE_BREAKS)} breaks, {failures} of them not seen")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
