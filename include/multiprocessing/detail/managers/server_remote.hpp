#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file server_remote.hpp  How a manager's server carries out calls for remote clients, in the
/// threads of their connections. The class is in server.hpp.

#include <multiprocessing/detail/config.hpp>

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/managers/outcome.hpp>
#include <multiprocessing/detail/managers/remote_caller.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE CallOutcome refusal_of_call() {
    return failed_outcome(
        ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()"));
}

MULTIPROCESSING_INLINE bool ManagerServer::abandon(RemoteCaller& caller) {
    std::lock_guard lock{mutex_};
    if (caller.answered) return false;
    caller.abandoned = true;
    caller.changed.notify_one();
    return true;
}

MULTIPROCESSING_INLINE void ManagerServer::begin_request() {
    std::lock_guard lock{mutex_};
    ++busy_;
}

MULTIPROCESSING_INLINE void ManagerServer::end_request() noexcept {
    std::lock_guard lock{mutex_};
    --busy_;
}

MULTIPROCESSING_INLINE void ManagerServer::forget_remote(Incarnation process) {
    {
        std::lock_guard lock{mutex_};
        tell_gone(process);
        if (lead_.is_in_program()) body_.help.fetch_add(1, std::memory_order_seq_cst);
    }
    post(link_.parking(), body_.bell);
    post(link_.parking(), body_.help_place);
}

MULTIPROCESSING_INLINE std::shared_ptr<ServedObject> ManagerServer::find(ManagedId id) {
    std::lock_guard lock{mutex_};
    return objects_.find(id);
}

MULTIPROCESSING_INLINE std::size_t ManagerServer::number_of_objects() {
    std::lock_guard lock{mutex_};
    return objects_.size();
}

/// Returns false if the client has gone meanwhile, or the manager was shut down: then it has no
/// turn to pass on.
MULTIPROCESSING_INLINE bool ManagerServer::wait_for_turn(ServerJob& job, RemoteCaller& caller, Lock& lock) {
    TurnQueue& turns = job.object->turns();
    if (turns.busy) {
        ServerJob waiting;
        waiting.object = job.object;
        waiting.caller = &caller;
        turns.waiting.push_back(std::move(waiting));
        while (!caller.has_turn) {
            caller.changed.wait_for(lock, slice);
            if (caller.has_turn) break;
            lock.unlock();
            const bool gone = caller.is_gone();
            lock.lock(); // the turn may have come meanwhile
            if (caller.has_turn) break;
            if (!gone && body_.stage.load(std::memory_order_relaxed) == ManagerStage::open) continue;
            const auto mine = std::find_if(turns.waiting.begin(), turns.waiting.end(),
                                           [&](const ServerJob& other) { return other.caller == &caller; });
            turns.waiting.erase(mine); // the object is kept by `job`
            return false;
        }
    }
    turns.busy = true;
    turns.holder = std::this_thread::get_id();
    return true;
}

MULTIPROCESSING_INLINE void ManagerServer::wait_for_answer(RemoteCaller& caller, Lock& lock) {
    while (!caller.answered) {
        caller.changed.wait_for(lock, slice);
        if (caller.answered || caller.abandoned) return;
        const bool closes = body_.stage.load(std::memory_order_relaxed) != ManagerStage::open;
        lock.unlock();
        CallOutcome refusal;
        if (closes) refusal = refusal_of_call();
        const bool gone = closes || caller.is_gone();
        lock.lock(); // the answer may have come meanwhile
        if (!gone || caller.answered) continue;
        caller.outcome = std::move(refusal);
        return;
    }
}

MULTIPROCESSING_INLINE bool ManagerServer::answer_remote(std::uint32_t number,
                                                         std::span<const std::byte> payload,
                                                         const ProxyTargets& references, bool failed) {
    std::lock_guard lock{mutex_};
    const auto found = remote_callers_.find(number);
    if (found == remote_callers_.end() || found->second->answered || found->second->abandoned) return false;
    RemoteCaller& caller = *found->second;
    caller.outcome = {};
    caller.outcome.payload.assign(payload.begin(), payload.end());
    caller.outcome.references = references;
    caller.outcome.failed = failed;
    caller.answered = true;
    caller.changed.notify_one();
    return true;
}

MULTIPROCESSING_INLINE CallOutcome ManagerServer::call_for_remote(ServerJob job, RemoteCaller& caller) {
    Lock lock{mutex_};
    if (body_.stage.load(std::memory_order_relaxed) != ManagerStage::open)
        throw ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()");
    const bool is_brief = job.object && job.object->type.brief;
    if (!is_brief && remote_calls_ >= options_.max_calls) {
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                                "multiprocessing: all threads of a manager's server are in calls that block");
    }
    caller.has_turn = caller.answered = false;
    if (!is_brief) ++remote_calls_;
    job.has_turn = job.object && !job.object->type.concurrent;
    if (job.has_turn && !wait_for_turn(job, caller, lock)) {
        if (!is_brief) --remote_calls_;
        lock.unlock();
        return refusal_of_call();
    }
    job.origin = {CallOrigin::no_channel, last_remote_call_ += 2, caller.process, caller.thread};
    const std::uint32_t number = job.origin.number;
    remote_callers_[number] = &caller; // the answer may come during the call
    lock.unlock();
    CallOutcome outcome = carry_out(*this, job);
    lock.lock();
    if (!is_brief) --remote_calls_;
    bool must_look = outcome.look_at.has_value();
    if (must_look && job.object) schedule(*job.object, *outcome.look_at);
    if (job.has_turn) {
        if (auto next = pass_turn(*job.object)) {
            backlog_.push_back(std::move(*next)); // this thread has other things to do
            stir();
            must_look = true;
        }
    }
    if (must_look) {
        lock.unlock();
        post(link_.parking(), body_.bell);
        lock.lock();
    }
    if (outcome.deferred) {
        wait_for_answer(caller, lock);
        outcome = std::move(caller.outcome);
    }
    remote_callers_.erase(number);
    lock.unlock();
    job = {}; // may destroy objects: as code of the program's
    return outcome;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
