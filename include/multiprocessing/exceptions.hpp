#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file exceptions.hpp  What the library throws, beside the standard's own exceptions.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// Base of every exception of the library. Python: `multiprocessing.ProcessError`.
class MULTIPROCESSING_VISIBLE ProcessError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A wait with a timeout ended without its event. Python: `multiprocessing.TimeoutError`.
class MULTIPROCESSING_VISIBLE TimeoutError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// Bytes could not be made from a value, or no value of the wanted type from the bytes.
/// Python: `pickle.PicklingError` and `pickle.UnpicklingError`; `MaybeEncodingError` of a pool.
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

/// The barrier that was waited at is broken, was broken by this wait's timeout, or was reset
/// meanwhile. Python: `threading.BrokenBarrierError`.
class MULTIPROCESSING_VISIBLE BrokenBarrierError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// There is nothing in a queue. Python: `queue.Empty`.
class MULTIPROCESSING_VISIBLE Empty : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// There is no room in a queue. Python: `queue.Full`.
class MULTIPROCESSING_VISIBLE Full : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// A queue was shut down. Python: `queue.ShutDown`.
class MULTIPROCESSING_VISIBLE ShutDown : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// The other end of a connection is closed, and all that it sent was received. Python: `EOFError`.
class MULTIPROCESSING_VISIBLE EOFError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// A message is longer than the memory that it was to go to. Python:
/// `multiprocessing.BufferTooShort`.
class MULTIPROCESSING_VISIBLE BufferTooShort : public ProcessError {
public:
    explicit BufferTooShort(std::vector<std::byte> message)
        : ProcessError("multiprocessing: a message of " + std::to_string(message.size()) +
                       " bytes is longer than the buffer"),
          message_(std::make_shared<const std::vector<std::byte>>(std::move(message))) {}

    /// The whole message, which is used up.
    const std::vector<std::byte>& message() const noexcept { return *message_; }

private:
    std::shared_ptr<const std::vector<std::byte>> message_; // exceptions are copied, and that may not throw
};

/// The other side of a connection does not know the key, or cannot be asked in a way that both
/// know. Python: `multiprocessing.AuthenticationError`.
class MULTIPROCESSING_VISIBLE AuthenticationError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// The worker process that ran a task ended before the task did. Python has no such exception: its
/// `Pool` waits for ever.
class MULTIPROCESSING_VISIBLE WorkerLostError : public ProcessError {
public:
    WorkerLostError(const std::string& text, int pid, std::optional<int> exitcode,
                    std::optional<std::size_t> task_index, const std::string& trace = {})
        : ProcessError(text),
          pid_(pid),
          exitcode_(exitcode),
          task_index_(task_index),
          trace_(std::make_shared<const std::string>(trace)) {}

    /// Process id of the worker.
    int pid() const noexcept { return pid_; }
    /// How it ended, as `Process::exitcode()`: -signum when killed by a signal, nullopt when
    /// unknown.
    std::optional<int> exitcode() const noexcept { return exitcode_; }
    /// Position in the input of a map, or nullopt for a single task. Where items are so quick that
    /// a worker notes them by blocks of 64, the first of the block.
    std::optional<std::size_t> task_index() const noexcept { return task_index_; }
    /// Where it crashed: a line per frame, innermost first, with names where the program exports
    /// them (`-rdynamic`), else with what addr2line turns into lines. Empty if it was killed from
    /// outside, ended by itself, or handles crashes.
    const std::string& trace() const noexcept { return *trace_; }

private:
    int pid_;
    std::optional<int> exitcode_;
    std::optional<std::size_t> task_index_;
    std::shared_ptr<const std::string> trace_; // exceptions are copied, and that may not throw
};

/// Where an exception that was caught here was first thrown: in which process, and what it was
/// there. Python: the `RemoteTraceback` that is the `__cause__` of such an exception.
struct RemoteCause {
    std::string type = {};    ///< Name of the exception's type, as the compiler spells it.
    std::string text = {};    ///< Its `what()`; empty if it had none.
    std::string process = {}; ///< Name of the process, `Process-1`.
    int pid = 0;              ///< Id of the process.
    /// Who called whom when it was thrown: a line per frame, innermost first, without those of this
    /// library, with names where the program exports them (`-rdynamic`); else its end says how to
    /// ask addr2line. On Windows of where it was caught.
    std::string trace = {};
    std::optional<std::size_t> task_index = {}; ///< Position in the input of a map; nullopt for a single task.
};

/// An exception from another process whose type cannot be rebuilt here: neither a standard
/// exception with a text, nor derived from one, nor registered by `register_exception`.
class MULTIPROCESSING_VISIBLE RemoteError : public ProcessError {
public:
    explicit RemoteError(const RemoteCause& cause)
        : ProcessError(cause.text.empty() ? cause.type : cause.type + ": " + cause.text) {}
};

} // namespace multiprocessing::inline v1
