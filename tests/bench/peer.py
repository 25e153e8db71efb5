# SPDX-License-Identifier: BSL-1.0
"""CPython's side of the benches: reads what to do, a word a line, and answers how many seconds that took."""

import concurrent.futures
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


def put_on_demand(queue, demand):
    for count in iter(demand.get, None):
        for _ in range(count):
            queue.put(b"x" * 64)


class Stream:
    """A process that puts items when it is asked to."""

    def __init__(self):
        context = multiprocessing.get_context("fork")
        self.queue = context.Queue()
        self.demand = context.SimpleQueue()
        context.Process(target=put_on_demand, args=(self.queue, self.demand), daemon=True).start()

    def take(self, count):
        self.demand.put(count)
        for _ in range(count):
            self.queue.get()


def main():
    stream = None
    pool = None
    executor = None
    numbers = list(range(1_000_000))

    def warm_pool():
        nonlocal pool
        if pool is None:
            pool = multiprocessing.get_context("fork").Pool()
            pool.map(square, numbers)
        return pool

    def warm_stream():
        nonlocal stream
        if stream is None:
            stream = Stream()
            stream.take(10)
        return stream

    lock = multiprocessing.Lock()

    def take_and_give():
        for _ in range(100_000):
            lock.acquire()
            lock.release()

    def apply_asynchronously():
        for result in [warm_pool().apply_async(square, (i,)) for i in range(100_000)]:
            result.get()

    def submit_to_executor():
        nonlocal executor
        if executor is None:
            executor = concurrent.futures.ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork"))
        for future in [executor.submit(square, i) for i in range(100_000)]:
            future.result()

    managed = None

    def warm_dict():
        nonlocal managed
        if managed is None:
            manager = multiprocessing.get_context("fork").Manager()
            managed = (manager, manager.dict())
        return managed[1]

    def get_and_set(times, pause):
        """Seconds that one took, without the pauses."""
        d = warm_dict()
        took = 0.0
        for i in range(times):
            if pause:
                time.sleep(pause)
            begin = time.perf_counter()
            d["key"] = i
            d["key"]
            took += time.perf_counter() - begin
        return took / times

    rounds = {
        "nothing": nothing,
        "fork": lambda: start_and_join("fork"),
        "spawn": lambda: start_and_join("spawn"),
        "forkserver": lambda: start_and_join("forkserver"),
        "lock": take_and_give,
        "map": lambda: warm_pool().map(square, numbers),
        "queue": lambda: warm_stream().take(20_000),
        "apply": lambda: warm_pool().apply(square, (7,)),
        "imap": lambda: sum(warm_pool().imap(square, numbers[:100_000], chunksize=100)),
        "apply_async": apply_asynchronously,
        "executor": submit_to_executor,
        "manager_hot": lambda: get_and_set(2000, 0),
        "manager_blocked": lambda: get_and_set(100, 0.001),
    }
    for line in sys.stdin:
        word = line.strip()
        if word in ("map", "apply", "imap", "apply_async"):
            warm_pool()
        elif word == "queue":
            warm_stream()
        begin = time.perf_counter()
        took = rounds[word]()
        print(took if isinstance(took, float) else time.perf_counter() - begin, flush=True)
    if pool is not None:
        pool.terminate()
    if managed is not None:
        managed[0].shutdown()


if __name__ == "__main__":
    main()
