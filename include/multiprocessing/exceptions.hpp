#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file exceptions.hpp  The exceptions of the library.

#include <multiprocessing/detail/config.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// The base of all exceptions of the library. Python: `multiprocessing.ProcessError`.
class MULTIPROCESSING_VISIBLE ProcessError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A timeout has passed. Python: `multiprocessing.TimeoutError`.
class MULTIPROCESSING_VISIBLE TimeoutError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// A value cannot be serialized, or bytes are no value of the wanted type. Python:
/// `pickle.PicklingError` and `pickle.UnpicklingError`; `MaybeEncodingError` of a pool.
class MULTIPROCESSING_VISIBLE SerializationError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// A task was cancelled, or its pool was terminated before it ended.
/// Python: `concurrent.futures.CancelledError`.
class MULTIPROCESSING_VISIBLE CancelledError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// The barrier is broken, or was reset during the wait. Python: `threading.BrokenBarrierError`.
class MULTIPROCESSING_VISIBLE BrokenBarrierError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// A queue has no item. Python: `queue.Empty`.
class MULTIPROCESSING_VISIBLE Empty : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// A queue has no room. Python: `queue.Full`.
class MULTIPROCESSING_VISIBLE Full : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// A queue was shut down. Python: `queue.ShutDown`.
class MULTIPROCESSING_VISIBLE ShutDown : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// The other end of a connection is closed, and all of its messages were received. Python:
/// `EOFError`.
class MULTIPROCESSING_VISIBLE EOFError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// A message is longer than the memory for it. Python: `multiprocessing.BufferTooShort`.
class MULTIPROCESSING_VISIBLE BufferTooShort : public ProcessError {
public:
    explicit BufferTooShort(std::vector<std::byte> message)
        : ProcessError("multiprocessing: a message of " + std::to_string(message.size()) +
                       " bytes is longer than the buffer"),
          message_(std::make_shared<const std::vector<std::byte>>(std::move(message))) {}

    /// Returns the whole message, which cannot be received again.
    const std::vector<std::byte>& message() const noexcept { return *message_; }

private:
    std::shared_ptr<const std::vector<std::byte>> message_; // exceptions are copied, and that may not throw
};

/// The other side of a connection does not know the key, or has no handshake in common with this
/// one. Python: `multiprocessing.AuthenticationError`.
class MULTIPROCESSING_VISIBLE AuthenticationError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// How a worker process of a pool ended, and what it was at: what the errors below tell of it.
struct WorkerEnd {
    int pid = 0;                                ///< Its process id.
    std::optional<int> exitcode = {};           ///< As `Process::exitcode()`; nullopt if unknown.
    std::optional<int> worker = {};             ///< Its number in the pool: 0 ... workers - 1.
    std::optional<std::size_t> task_index = {}; ///< The item, in the input of a map; nullopt for a single task.
    int attempt = 1;                            ///< Which attempt of the task this was.
    int attempts = 1;                           ///< How many are made at most: 1 + retries.
    std::uint64_t peak_memory = 0;              ///< Bytes that were resident at most; 0 if unknown.
    std::chrono::microseconds cpu_time{0};      ///< Of the worker, from its start.
    std::string trace = {};                     ///< The stack of the crash, as `trace()` describes it.
};

/// What the errors have in common that a task gets because its worker ended.
class MULTIPROCESSING_VISIBLE WorkerFault {
public:
    /// Returns the process id of the worker.
    int pid() const noexcept { return end_->pid; }
    /// Returns how the worker ended, as `Process::exitcode()` does: -signum if a signal killed it,
    /// nullopt if unknown.
    std::optional<int> exitcode() const noexcept { return end_->exitcode; }
    /// Returns the number of the worker in its pool, 0 ... workers - 1; nullopt if unknown.
    std::optional<int> worker() const noexcept { return end_->worker; }
    /// Returns the index of the item in the input of a map; nullopt for a single task. Of items
    /// that are quicker than a worker's notes, which it takes by blocks of 64, it is the first of
    /// the block.
    std::optional<std::size_t> task_index() const noexcept { return end_->task_index; }
    /// Returns which attempt of the task this was, from 1 on.
    int attempt() const noexcept { return end_->attempt; }
    /// Returns how many attempts are made at most: 1 + retries.
    int attempts() const noexcept { return end_->attempts; }
    /// Returns how many bytes of the worker were in memory at most; 0 if unknown.
    std::uint64_t peak_memory() const noexcept { return end_->peak_memory; }
    /// Returns the CPU time that the worker has used, from its start.
    std::chrono::microseconds cpu_time() const noexcept { return end_->cpu_time; }
    /// Returns the stack of the crash, a line per frame, innermost first, with names if the program
    /// exports them (`-rdynamic`), otherwise with addresses for addr2line. Empty if the worker was
    /// killed from outside, exited, or handles crashes itself.
    const std::string& trace() const noexcept { return end_->trace; }
    /// Returns all of it.
    const WorkerEnd& end() const noexcept { return *end_; }

protected:
    explicit WorkerFault(WorkerEnd end) : end_(std::make_shared<const WorkerEnd>(std::move(end))) {}

private:
    std::shared_ptr<const WorkerEnd> end_; // exceptions are copied, and that may not throw
};

/// The worker process of a task ended before the task did. Python has no such exception: its `Pool`
/// waits forever.
class MULTIPROCESSING_VISIBLE WorkerLostError : public ProcessError, public WorkerFault {
public:
    WorkerLostError(const std::string& text, WorkerEnd end) : ProcessError(text), WorkerFault(std::move(end)) {}
    WorkerLostError(const std::string& text, int pid, std::optional<int> exitcode,
                    std::optional<std::size_t> task_index, const std::string& trace = {})
        : WorkerLostError(
              text, WorkerEnd{.pid = pid, .exitcode = exitcode, .task_index = task_index, .trace = trace}) {}
};

/// A task ran longer than its `.timeout`, and its worker was ended for that. Python has no such
/// limit; pebble: `TimeoutError` of a `ProcessFuture`.
class MULTIPROCESSING_VISIBLE TimeLimitExceeded : public TimeoutError, public WorkerFault {
public:
    TimeLimitExceeded(const std::string& text, WorkerEnd end)
        : TimeoutError(text), WorkerFault(std::move(end)) {}
};

/// A task had its worker use more memory than its `.memory_limit`, and the worker was ended for
/// that. Python has no such limit.
class MULTIPROCESSING_VISIBLE MemoryLimitExceeded : public ProcessError, public WorkerFault {
public:
    MemoryLimitExceeded(const std::string& text, WorkerEnd end)
        : ProcessError(text), WorkerFault(std::move(end)) {}
};

/// Where an exception that was caught in this process was thrown first, and what it was there.
/// Python: the `RemoteTraceback` that is the `__cause__` of such an exception.
struct RemoteCause {
    std::string type = {};    ///< Name of the exception's type, as the compiler spells it.
    std::string text = {};    ///< Its `what()`; empty if it had none.
    std::string process = {}; ///< Name of the process, `Process-1`.
    int pid = 0;              ///< Id of the process.
    /// The stack at the throw, a line per frame, innermost first, without frames of this library,
    /// with names if the program exports them (`-rdynamic`); otherwise its last line says how to
    /// ask addr2line. Windows: the stack at the catch.
    std::string trace = {};
    std::optional<std::size_t> task_index = {}; ///< Position in the input of a map; nullopt for a single task.

    /// Returns all of it for people, the stack below; as `to_string(cause)` and `operator<<` do.
    std::string repr() const {
        std::string shown = text.empty() ? type : type + ": " + text;
        if (pid != 0) {
            shown += " (in " + process + ", process " + std::to_string(pid) +
                     (task_index ? ", item " + std::to_string(*task_index) : "") + ")";
        }
        return trace.empty() ? shown : shown + "\n" + trace;
    }
};

/// An exception from another process whose type cannot be rebuilt here: neither a standard
/// exception with a text, nor derived from one, nor registered by `register_exception`.
class MULTIPROCESSING_VISIBLE RemoteError : public ProcessError {
public:
    explicit RemoteError(const RemoteCause& cause)
        : ProcessError(cause.text.empty() ? cause.type : cause.type + ": " + cause.text) {}
};

} // namespace multiprocessing::inline v1
