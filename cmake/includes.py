#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Holds the headers to including what they use, and nothing else.

    includes.py [ROOT]        prints what is wrong, one line each

A header of the standard library is included by each file that spells one of its names, and by no other; a header of ours
only where one of the names that it defines is spelt. Where something else is needed of it, a comment says what:
`#include <...> // for the codecs of containers`. What only the bodies at the end of a header spell is included there,
behind `#if MULTIPROCESSING_BODIES`.
"""

import re
import sys
from functools import cache
from pathlib import Path

# What is looked for behind `std::`. A name in several lines may come from any of them.
NAMES = {
    "algorithm": "all_of any_of none_of binary_search clamp copy copy_n count fill find find_if lower_bound max max_element "
                 "min partition sort stable_sort reverse includes count set_(union|intersection|difference|symmetric_difference) transform unique ranges::(all_of|find|sort|min|max)",
    "array": "array get to_array tuple_element_t tuple_size_v",
    "atomic": r"atomic\w* memory_order\w*",
    "bit": "bit_cast bit_ceil bit_floor bit_width countl_zero countr_one countr_zero endian popcount",
    "charconv": "from_chars to_chars", "chrono": r"chrono(_literals)?", "cmath": "lround fabs isinf isnan",
    "compare": r"\w+_ordering compare_three_way",
    "concepts": "same_as convertible_to constructible_from default_initializable derived_from integral floating_point "
                "invocable regular copyable movable",
    "condition_variable": r"condition_variable(_any)?",
    "csignal": "signal raise", "cstddef": "size_t byte ptrdiff_t nullptr_t max_align_t to_integer",
    "cstdint": r"u?int(8|16|32|64|ptr|max)_t",
    "cstdio": "FILE snprintf printf fprintf fopen freopen fclose fgets fputs fputc fflush sscanf perror puts",
    "cstdlib": "abort atexit atoi exit _Exit free malloc getenv strtod strtol strtoll strtoul strtoull",
    "cstring": "mem(cpy|move|cmp|set|chr) str(len|chr|rchr|str|cmp|ncmp|ncpy|error)",
    "deque": "deque", "ctime": "time_t tm localtime strftime", "cwchar": "swprintf wcslen",
    "exception": r"exception exception_ptr current_exception rethrow_\w+ make_exception_ptr terminate uncaught_exceptions "
                 "nested_exception throw_with_nested bad_exception",
    "filesystem": "filesystem", "fstream": r"[io]?fstream filebuf",
    "functional": "function greater hash invoke less equal_to reference_wrapper ref cref bind_front plus",
    "initializer_list": "initializer_list", "ios": "ios_base streamsize iostream_category",
    "iosfwd": r"[io]stream streambuf basic_\w*stream\w*",
    "iostream": "cout cerr clog cin ostream istream",
    "iterator": r"back_inserter begin end size data distance advance next prev default_sentinel_t iter_\w+ \w*_iterator "
                r"\w+_iterator_tag sentinel_for input_or_output_iterator make_move_iterator move_iterator",
    "limits": "numeric_limits", "list": "list", "set": "(multi)?set", "unordered_map": "unordered_(multi)?map", "unordered_set": "unordered_(multi)?set", "map": "map multimap get",
    "memory": "unique_ptr shared_ptr weak_ptr make_unique make_shared make_unique_for_overwrite addressof construct_at "
              r"destroy\w* uninitialized_\w+ enable_shared_from_this allocator default_delete static_pointer_cast bad_weak_ptr",
    "mutex": r"(recursive_)?(timed_)?mutex lock_guard unique_lock scoped_lock once_flag call_once try_to_lock adopt_lock "
             "defer_lock",
    "new": "bad_alloc bad_array_new_length launder nothrow",
    "optional": "optional nullopt nullopt_t bad_optional_access make_optional",
    "ranges": r"ranges::(\w+_range\b|range_\w+|subrange|size|data|begin|end|view\w*|iterator_t) views",
    "span": r"span as_bytes as_writable_bytes dynamic_extent", "random": r"random_device mt19937\w*",
    "stdexcept": "logic_error runtime_error invalid_argument out_of_range length_error domain_error range_error "
                 "overflow_error underflow_error",
    "streambuf": "streambuf", "string": r"w?string basic_string to_w?string char_traits getline sto\w+ erase_if",
    "string_view": "w?string_view basic_string_view char_traits",
    "system_error": r"system_error error_code error_condition error_category errc make_error_code \w+_category",
    "thread": "thread jthread this_thread",
    "tuple": r"tuple tuple_(size|element)\w* apply get make_tuple tie forward_as_tuple ignore",
    "type_traits": r"is_\w+ (add|remove|make)_(const|cv|cvref|reference|pointer|volatile|signed|unsigned|extent)\w* decay_t "
                   r"conditional_t enable_if_t underlying_type_t invoke_result_t common_type_t type_identity\w* extent_v void_t "
                   "true_type false_type bool_constant integral_constant negation_v conjunction_v disjunction_v",
    "typeinfo": "type_info bad_cast bad_typeid",
    "utility": r"move forward exchange swap pair declval as_const in_place\w* in_range cmp_\w+ make_pair unreachable get "
               r"\w*index_sequence\w* integer_sequence tuple_(size|element)\w* to_underlying piecewise_construct",
    "variant": r"variant visit get get_if holds_alternative monostate bad_variant_access variant_\w+", "vector": "vector erase_if",
}
# What a header has besides: enough to keep it, and for those of `NEEDED` a reason to have it.
BESIDES = {
    "cerrno": r"\berrno\b|\bE[A-Z]{3,}\b", "climits": r"\b(CHAR_BIT|\w+_MAX)\b", "compare": "<=>",
    "csignal": r"\bSIG[A-Z]+\b|\bsig\w+", "cstdio": r"\b(FILE|EOF|BUFSIZ|std(in|out|err)|rename|remove)\b",
    "cstdlib": r"::(setenv|unsetenv|getenv|environ|_exit|realpath|mkdtemp|_wputenv_s)\b|\bEXIT_\w+",
    "cstring": r"::(str|mem)\w+\(", "ctime": r"\b(timespec|tm|clock_gettime|localtime_\w+|nanosleep)\b", "cwchar": r"\bwcs\w+",
    "new": r"\bnew\s*\(", "typeinfo": r"\btypeid\b",
}
BODIES = "\n#if MULTIPROCESSING_BODIES\n"
NEEDED = ("cerrno", "typeinfo", "new")
INCLUDE = re.compile(r"^\s*#\s*include <([^>]+)>[ \t]*(//[ \t]*for .*)?", re.MULTILINE)
# At the beginning of a line: what a header defines in its namespace; and what stands behind a word that defines, anywhere.
WORDS = re.compile(r"\b(?:class|struct|union|enum|concept|using|namespace)\s+(?:class\s+)?(?:[A-Z_]+\s+|alignas\(\w+\)\s+|\[\[[^\]]*\]\]\s*)?(\w+)|"
                   r"^\s*#\s*define\s+(\w+)|^\s*using (?:\w+::)+(\w+);|^(?=[\w\[])[^\n]*?(\w+)(?:\[\w*\])?\s*[({=;]", re.MULTILINE)


def code_of(text):
    """Without comments, texts and includes."""
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', '""', text, flags=re.DOTALL)
    return re.sub(r"^\s*#\s*include.*$", "", text, flags=re.MULTILINE)


def pattern_of(header):
    names = "|".join(NAMES.get(header, "").split())
    return re.compile(rf"\bstd::(?:{names})(?!\w)") if names else re.compile("(?!)")


STD = {header: pattern_of(header) for header in sorted(NAMES.keys() | BESIDES.keys())}


def check(root):
    include = root / "include"
    texts = {path.relative_to(include).as_posix(): path.read_text() for path in sorted(include.rglob("*.hpp"))}
    codes = {name: code_of(text) for name, text in texts.items()}
    complaints = []

    def say(name, text):
        complaints.append(f"include/{name} {text}")

    def twins_of(name):
        twins = [name.replace("/platform/", f"/{room}/") for room in ("posix", "win32")]
        return [twin for twin in twins if twin != name and twin in texts]

    @cache
    def defined(name):
        """What is spelt to use it. A contract has its twins' names; a header that defines nothing those of what it includes."""
        found = {word for words in WORDS.findall(codes[name]) for word in words if word} - {"multiprocessing", "static_assert"}
        others = twins_of(name) if found or twins_of(name) else [other for other, _ in INCLUDE.findall(texts[name])]
        return found.union(*(defined(other) for other in others if other in texts))

    for name, text in texts.items():
        code = codes[name]
        includes = INCLUDE.findall(text)
        own = {included for included, _ in includes}
        for header, pattern in STD.items():
            for word in {match.group() for match in pattern.finditer(code)}:
                homes = sorted(other for other, its in STD.items() if its.fullmatch(word))
                if header == homes[0] and not own & set(homes):
                    say(name, f"spells {word}: #include <{'> or <'.join(homes)}>")
            if header in NEEDED and header not in own and re.search(BESIDES[header], code):
                say(name, f"uses what <{header}> has: #include <{header}>")
        interface = code_of(text.split(BODIES)[0])
        above = {included for included, reason in INCLUDE.findall(text.split(BODIES)[0]) if not reason} if BODIES in text else ()
        for included in sorted(above):
            if included in STD:
                spelt = STD[included].search(interface) or re.search(BESIDES.get(included, "(?!)"), interface)
            else:
                spelt = included not in texts or re.search("/(config|posix/.*|win32/.*)[.]hpp$", included) or \
                    defined(included) & set(re.findall(r"\w+", interface))
            if not spelt:
                say(name, f"includes <{included}>, which only its bodies need: move it behind #if MULTIPROCESSING_BODIES")
        for included, reason in includes:
            besides = BESIDES.get(included, "(?!)")
            if included in STD:
                if not reason and not STD[included].search(code) and not re.search(besides, code):
                    say(name, f"includes <{included}> and spells no name of it")
            elif re.fullmatch(r"[a-z_]+", included):
                say(name, f"includes <{included}>, which cmake/includes.py does not know: add it to NAMES there")
            elif included in texts and not reason and not included.endswith("/config.hpp"):
                pair = [re.sub("/(platform|posix|win32)/", "/", file) for file in (name, included)]
                if pair[0] == pair[1] or len(code.split("namespace")) == 1:
                    continue  # contract and twin; a header that only includes others
                spelt = code + "".join(codes[twin] for twin in twins_of(name))
                if not defined(included) & set(re.findall(r"\w+", spelt)):
                    say(name, f"includes <{included}> and spells no name of it")
    return complaints


if __name__ == "__main__":
    found = check(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve())
    print("".join(line + "\n" for line in found), end="")
    sys.exit(1 if found else 0)
