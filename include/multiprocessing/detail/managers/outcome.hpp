#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file outcome.hpp  How a call is carried out in a manager's server, and what comes of it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What came of a job.
struct CallOutcome {
    std::vector<std::byte> payload;
    ProxyTargets references;
    bool failed = false;
    bool deferred = false;
    std::optional<ServedCall::Clock::time_point> look_at;
};

/// The exception that is being handled, as what came of a job. Looks for where it was thrown, so no
/// mutex is held.
MULTIPROCESSING_INLINE CallOutcome current_failure() noexcept;
template <class E>
CallOutcome failed_outcome(const E& exception) {
    try {
        throw exception;
    } catch (...) { return current_failure(); }
}

/// The server whose job this thread carries out; null in other threads.
MULTIPROCESSING_INLINE ManagerServer*& server_of_this_thread() noexcept;

/// Does what the job says. Code of the program's runs, so no mutex is held.
MULTIPROCESSING_INLINE CallOutcome carry_out(ManagerServer& server, ServerJob& job) noexcept;

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/launch/child_main.hpp>

#include <exception>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE CallOutcome current_failure() noexcept {
    require_no_mutex();
    CallOutcome outcome;
    outcome.failed = true;
    try {
        outcome.payload = bytes_of_failure(capture_current_exception());
    } catch (const std::exception&) {} // no memory: the client cannot read it, and throws
    return outcome;
}

MULTIPROCESSING_INLINE ManagerServer*& server_of_this_thread() noexcept {
    static constinit thread_local ManagerServer* server = nullptr;
    return server;
}

MULTIPROCESSING_INLINE CallOutcome carry_out(ManagerServer& server, ServerJob& job) noexcept {
    require_no_mutex();
    ManagerServer* const before = std::exchange(server_of_this_thread(), &server);
    const ScopeExit left{[&] { server_of_this_thread() = before; }};
    const ForkOrigin here;
    CallOutcome outcome;
    try {
        void* const object = job.object ? job.object->value.get() : nullptr;
        if (job.kind == ServerJob::Kind::tick) {
            outcome.look_at = job.object->type.tick(object, ServedCall::Clock::now());
            return outcome;
        }
        if (job.kind == ServerJob::Kind::gone) {
            job.object->type.gone(object, job.origin.process);
            return outcome;
        }
        ManagedReadContext received{job.references, job.caller != nullptr};
        Reader reader{job.payload, &received};
        ManagedWriteContext context;
        Writer writer{&context};
        ServedCall call{server, object, job.object, reader, writer, job.origin, context};
        const auto entry = job.entry ? job.entry : resolve(job.request.entry).entry;
        entry(&call);
        outcome.deferred = call.deferred;
        outcome.look_at = call.look_at;
        if (!call.deferred) {
            outcome.payload = writer.release();
            outcome.references = std::move(context.references);
        }
    } catch (...) { outcome = current_failure(); }
    if (!here.is_here()) end_returned_copy("a method of a manager's object");
    return outcome;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
