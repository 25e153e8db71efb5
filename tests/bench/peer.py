# SPDX-License-Identifier: BSL-1.0
"""CPython's side of the benches: reads what to do, a word a line, and answers how many seconds that took."""

import multiprocessing
import sys
import time


def nothing():
    pass


def square(x):
    return x * x


def start_and_join(method):
    process = multiprocessing.get_context(method).Process(target=nothing)
    process.start()
    process.join()


def main():
    pool = None
    numbers = list(range(1_000_000))

    def warm_pool():
        nonlocal pool
        if pool is None:
            pool = multiprocessing.get_context("fork").Pool()
            pool.map(square, numbers)
        return pool

    rounds = {
        "nothing": nothing,
        "fork": lambda: start_and_join("fork"),
        "spawn": lambda: start_and_join("spawn"),
        "forkserver": lambda: start_and_join("forkserver"),
        "map": lambda: warm_pool().map(square, numbers),
        "apply": lambda: warm_pool().apply(square, (7,)),
    }
    for line in sys.stdin:
        word = line.strip()
        if word in ("map", "apply"):
            warm_pool()
        begin = time.perf_counter()
        rounds[word]()
        print(time.perf_counter() - begin, flush=True)
    if pool is not None:
        pool.terminate()


if __name__ == "__main__":
    main()
