#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Holds the house to its plan: layers, includes, names, sizes. See layers.txt.

    check.py [ROOT]        prints what is wrong, one line each, and how to put it right
"""

import fnmatch
import re
import sys
from pathlib import Path

TOP_LEVEL = {"include", "tests", "examples", "cmake", "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE"}
MOST_LINES = 300
BODIES = "#if MULTIPROCESSING_BODIES"

# Where config.hpp stops the compiler: no such header, and none that is looked for.
FULL_STOP = "<multiprocessing/see_the_error_above>"

# Words of a compiler or system that only config.hpp and the platform contracts may look at.
PLATFORM_WORDS = re.compile(
    r"\b(MULTIPROCESSING_PLATFORM_\w+|__linux__|__unix__|__APPLE__|__FreeBSD__|__MINGW\w+|__CYGWIN__)\b"
)
COMPILER_WORDS = re.compile(r"\b(__clang__|__GNUC__|_MSC_VER|__INTEL_COMPILER)\b")


class Plan:
    """What layers.txt says."""

    def __init__(self, path):
        self.path = path
        self.rules = []  # (layer, name or pattern, patterns of the same layer)
        self.public = set()
        self.optional = set()
        self.sizes = {}
        self.compiler = set()
        self.named = set()
        self.mistakes = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            line = line.split("#")[0]
            words = line.split()
            if not words:
                continue
            word, rest = words[0], words[1:]
            if word == "size" and len(rest) == 2:
                self.sizes[rest[0]] = int(rest[1])
            elif word == "compiler" and rest:
                self.compiler.update(rest)
            elif word == "named" and rest:
                self.named.update(rest)
            elif word in ("public", "optional") and rest:
                (self.public if word == "public" else self.optional).update(rest)
            elif re.fullmatch(r"L[0-5][a-z]", word) and rest and (len(rest) == 1 or rest[1] == "<"):
                self.rules.append((word, rest[0], rest[2:]))
            else:
                self.mistakes.append(f"{path.name}:{number}: not understood: {line.strip()}")

    def rule(self, name):
        """The layer of a header, what it may include of it, and whether a pattern says so; a name goes first."""
        for layer, pattern, peers in sorted(self.rules, key=lambda rule: "*" in rule[1]):
            if fnmatch.fnmatchcase(name, pattern):
                return layer, peers, "*" in pattern
        return None


class Header:
    def __init__(self, root, path):
        self.path = path
        self.name = path.relative_to(root / "include/multiprocessing").as_posix().removesuffix(".hpp")
        self.text = path.read_text()
        self.lines = self.text.splitlines()
        self.includes = [i for i in re.findall(r"^\s*#\s*include\s*([<\"][^>\"]*[>\"])", self.text, re.MULTILINE)
                         if i != FULL_STOP]
        self.ours = [i[len("<multiprocessing/"):-1].removesuffix(".hpp") for i in self.includes
                     if i.startswith("<multiprocessing/")]

    @property
    def code(self):
        """The text without comments, that words in prose are not taken for code."""
        return re.sub(r"//[^\n]*|/\*.*?\*/", "", self.text, flags=re.DOTALL)

    def under(self, *rooms):
        return any(self.name.startswith(f"detail/{room}/") for room in rooms)


def kind_of(include):
    """The group of an include: what is ours, then the standard's, then Boost's, then the system's."""
    if include.startswith("<multiprocessing/"):
        return 0
    if include.startswith("<boost/"):
        return 2
    return 3 if re.search(r"[./]", include) else 1


def check_layers(plan, headers, say):
    names = {header.name for header in headers}
    for header in headers:
        found = plan.rule(header.name)
        if found is None:
            say(header, f"has no floor: add 'L? {header.name}' to tests/layering/layers.txt")
            continue
        layer, peers, by_pattern = found
        used = set()
        for other in header.ours:
            if other not in names:
                say(header, f"includes <multiprocessing/{other}.hpp>, which does not exist")
                continue
            its = plan.rule(other)
            if its is None or its[0] < layer:
                continue
            matching = [peer for peer in peers if fnmatch.fnmatchcase(other, peer)]
            used.update(matching)
            if its[0] > layer:
                say(header, f"is on floor {layer} and includes {other} on floor {its[0]}, which is above it")
            elif not matching:
                say(header, f"includes {other} of its own floor {layer}: if that is meant, list it behind '<' "
                            "in tests/layering/layers.txt")
        for peer in peers:
            if not by_pattern and peer not in used:
                say(header, f"does not include {peer}: take it out of its line in tests/layering/layers.txt")
    for _, pattern, _ in plan.rules:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            say(plan.path, f"names {pattern}, which does not exist")


def check_circles(headers, say):
    """A contract and its twins count as one: a twin may not include, by a detour, what it carries."""
    graph = {}
    for header in headers:
        node = re.sub(r"^detail/(posix|win32)/", "detail/platform/", header.name)
        others = {re.sub(r"^detail/(posix|win32)/", "detail/platform/", other) for other in header.ours}
        graph.setdefault(node, set()).update(others - {node})
    done, path = set(), []

    def visit(node):
        if node in path:
            say(None, "headers include each other: " + " -> ".join(path[path.index(node):] + [node]))
            return
        if node in done:
            return
        path.append(node)
        for other in sorted(graph.get(node, ())):
            visit(other)
        done.add(path.pop())

    for node in sorted(graph):
        visit(node)


def check_platform(headers, say):
    by_name = {header.name: header for header in headers}
    for header in headers:
        twin = header.under("posix", "win32")
        for include in header.includes:
            if include.startswith('"'):
                say(header, f"includes {include}: write <multiprocessing/...>")
            elif kind_of(include) == 3 and not twin:
                say(header, f"includes the system's {include}: only detail/posix and detail/win32 may")
            elif include.startswith("<boost/winapi/") and not header.under("win32"):
                say(header, f"includes {include}: only detail/win32 may")
            elif include.lower() == "<windows.h>":
                say(header, "includes <windows.h>, whose macros would reach every user")
        for other in header.ours:
            room = re.match(r"detail/(posix|win32)/", other)
            if room and not header.under("platform", room[1]):
                say(header, f"includes {other}: ask its contract in detail/platform")
        if header.name != "detail/config":
            if "_WIN32" in re.sub(r"\bMULTIPROCESSING_PLATFORM_WIN32\b", "", header.code):
                say(header, "spells _WIN32: only detail/config.hpp does")
            word = PLATFORM_WORDS.search(header.code)
            if word and not header.under("platform"):
                say(header, f"asks for {word[0]}: only contracts in detail/platform choose by platform")
        if header.under("platform"):
            for room in ("posix", "win32"):
                if header.name.replace("/platform/", f"/{room}/") not in by_name:
                    say(header, f"has no twin in detail/{room}")


def check_form(plan, headers, say):
    for header in headers:
        first = header.lines[:3] + [""] * 3
        if first[0] != "#pragma once":
            say(header, "does not start with '#pragma once'")
        if first[1] != "// SPDX-License-Identifier: BSL-1.0":
            say(header, "has no '// SPDX-License-Identifier: BSL-1.0' as its second line")
        if not re.fullmatch(rf"/// @file {re.escape(header.path.name)}  \S.*[.:,;\w]", first[2]):
            say(header, f"has no '/// @file {header.path.name}  What it is, in one sentence.' as its third line")
        check_groups(header, say)
        # Bodies at the end of the file repeat the signatures.
        most = plan.sizes.get(header.name, MOST_LINES) * (120 if BODIES in header.lines else 100) // 100
        if len(header.lines) > most:
            say(header, f"has {len(header.lines)} lines, more than {most}: split it by noun, or give it a 'size' "
                        "with its reason in tests/layering/layers.txt")
        elif header.name in plan.sizes and len(header.lines) <= MOST_LINES:
            say(header, f"has only {len(header.lines)} lines: take its 'size' out of tests/layering/layers.txt")
        if re.search(r"\b(min|max)\s*\(", header.code):
            say(header, "calls min( or max(, which <windows.h> has as macros: write (std::min)(a, b)")
        word = COMPILER_WORDS.search(header.code)
        if word and header.name != "detail/config" and header.name not in plan.compiler:
            say(header, f"asks for {word[0]}: only detail/config.hpp looks at the compiler, and those listed as "
                        "'compiler' in tests/layering/layers.txt")
    names = {header.name for header in headers}
    for name in sorted((set(plan.sizes) | plan.compiler) - names):
        say(plan.path, f"names {name}, which does not exist")


def check_groups(header, say):
    """Groups of includes are separated by an empty line, each of one kind, in one order, sorted."""
    groups, group, depth = [], [], 0
    for line in header.lines:
        if re.match(r"\s*#\s*if", line):
            depth += 1
        elif re.match(r"\s*#\s*endif", line):
            depth -= 1
        found = re.match(r"#include ([<\"][^>\"]*[>\"])", line)
        if found and depth == 0:
            group.append(found[1])
        elif group:
            groups.append(group)
            group = []
    kinds = []
    for group in groups:
        here = {kind_of(include) for include in group}
        if len(here) > 1:
            say(header, f"mixes kinds of headers in the group of {group[0]}")
        if group != sorted(group):
            say(header, f"has unsorted includes in the group of {group[0]}")
        kinds.append(min(here))
    if kinds != sorted(set(kinds)):
        say(header, "has its groups of includes in another order than ours, the standard's, Boost's, the system's, "
                    "or a group twice")


def check_names(plan, headers, say):
    public = {header.name: header for header in headers if not header.name.startswith("detail/")}
    for name, header in public.items():
        if name not in plan.public | plan.optional:
            say(header, "is a public header whose name Python does not have: move it to detail/, or list it as "
                        "'public' in tests/layering/layers.txt")
    umbrella = public.get("multiprocessing")
    if umbrella is None:
        return
    # Those of a folder are reached by the header beside it.
    needed = {name for name in public if name in plan.public and "/" not in name} - {"multiprocessing"}
    for name in sorted(needed - set(umbrella.ours)):
        say(umbrella, f"does not include {name}.hpp")
    for name in sorted(set(umbrella.ours) - needed):
        say(umbrella, f"includes {name}.hpp, which is not for everybody")
    for name, header in public.items():
        room = public.get(name.rpartition("/")[0]) if "/" in name else umbrella
        if room is None:
            say(header, "has no header beside its folder by which it is reached")
    for header in headers:
        if header.name.startswith("detail/") and header.name not in plan.named:
            if re.search(r"^namespace multiprocessing::inline v1 \{", header.code, re.MULTILINE):
                say(header, "opens the public namespace: what is public lies in a public header")
    by_room = {}
    for header in headers:
        by_room.setdefault(header.name.rpartition("/")[0], set()).add(header.path.stem)
    for room, names in by_room.items():
        for name in sorted(names):
            if name + "s" in names:
                say(None, f"{room}: {name}.hpp and {name}s.hpp differ by a letter: give one another name")


def check_map(root, headers, say):
    """Each folder of detail/ has its row in the map."""
    path = root / "include/multiprocessing/detail/README.md"
    text = path.read_text() if path.exists() else ""
    for room in sorted({header.name.split("/")[1] for header in headers if header.name.count("/") == 2}):
        if f"`{room}/`" not in text:
            say(path, f"does not name `{room}/`: say what it answers, and where to start reading")


def check_suites(root, headers, say):
    """Each contract has a file of cases that says what it promises, for whichever twin is built."""
    for header in headers:
        if header.under("platform") and not (root / f"tests/platform/{header.path.stem}.test.cpp").exists():
            say(header, f"has no suite: write tests/platform/{header.path.stem}.test.cpp")


def check_root(root, say):
    for entry in sorted(root.iterdir()):
        if entry.name not in TOP_LEVEL and not entry.name.startswith(".") and entry.name != "build":
            say(None, f"{entry.name}: no entry of the top level: those are {', '.join(sorted(TOP_LEVEL))} and dotfiles")
    for room in ("tests", "cmake", "examples"):
        for path in sorted((root / room).rglob("*")):
            if path.suffix in (".cpp", ".hpp", ".cmake", ".py", ".sh", ".txt") and "SPDX-License-Identifier: BSL-1.0" not in path.read_text()[:600]:
                say(path, "has no SPDX line")


def check(root):
    """What is wrong, as lines of text."""
    complaints = []

    def say(where, text):
        path = where.path if isinstance(where, Header) else where
        complaints.append(f"{path.relative_to(root)} {text}" if path else text)

    plan = Plan(root / "tests/layering/layers.txt")
    complaints += plan.mistakes
    headers = [Header(root, path) for path in sorted((root / "include/multiprocessing").rglob("*.hpp"))]
    if not headers:
        complaints.append("include/multiprocessing: no headers here")
    for path in sorted((root / "include").rglob("*")):
        if path.is_file() and path.suffix != ".hpp" and path.name != "README.md":
            say(path, "is no header: only those live in include/")
    check_layers(plan, headers, say)
    check_circles(headers, say)
    check_platform(headers, say)
    check_form(plan, headers, say)
    check_names(plan, headers, say)
    check_map(root, headers, say)
    check_suites(root, headers, say)
    check_root(root, say)
    return complaints


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    complaints = check(root)
    print("\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
