#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file remote_caller.hpp  What a manager's server knows of clients that are no processes of its
/// tree: the threads that make their calls, and who serves them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/outcome.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <condition_variable>

namespace multiprocessing::inline v1::detail {

/// The thread of a server that makes a call for a remote client, and waits for its turn at the
/// object and for an answer that comes later.
struct RemoteCaller {
    Incarnation process = 0; ///< A number that the client has here; no process of the tree has it.
    platform::ThreadName thread = 0;
    std::condition_variable_any changed;
    bool has_turn = false; // this and what follows are guarded by the server's mutex
    bool answered = false;
    bool abandoned = false; // what is answered goes to the next, or nowhere
    CallOutcome outcome;

    virtual ~RemoteCaller() = default;
    /// Asked while it waits: whether nobody will hear the answer.
    virtual bool is_gone() = 0;
};

/// What serves remote clients beside the processes of the tree.
class RemoteSide {
public:
    virtual ~RemoteSide() = default;
    /// Serves from now on.
    virtual void start() = 0;
    /// Ends connections and threads; calls that run on are forgotten.
    virtual void close() = 0;
};

} // namespace multiprocessing::inline v1::detail
