#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file server_run.hpp  How a manager's server runs: what its threads do, how it learns that a
/// client has ended, and its own end. The class and its calls are in server.hpp.

#include <multiprocessing/detail/config.hpp>

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ManagerServer::ManagerServer(ManagerLink link, Options options)
    : link_(std::move(link)),
      body_(link_.body()),
      options_(options),
      lead_(link_, options_.max_calls, [this] { serve(); }),
      clients_(body_) {
    if (!options_.in_program) first() = this; // where leak checkers find it
}

MULTIPROCESSING_INLINE void ManagerServer::serve() {
    Lock lock{mutex_};
    while (lead_.wait_for(lock)) {
        lead(lock);
        lead_.become_spare();
    }
}

MULTIPROCESSING_INLINE void ManagerServer::lead(Lock& lock) {
    const std::uint64_t mine = lead_.number();
    while (lead_.number() == mine && !lead_.has_ended()) {
        drain();
        run_timers();
        if (!graveyard_.empty()) {
            bury(lock);
        } else if (!backlog_.empty()) {
            ServerJob job = std::move(backlog_.front());
            backlog_.pop_front();
            take_up(std::move(job), lock);
        } else {
            sleep(lock);
        }
    }
}

/// Nothing can be lost in it: whoever posts a call rings the bell after it, and a waiter looks
/// again after a slice.
MULTIPROCESSING_INLINE void ManagerServer::sleep(Lock& lock) {
    Deadline deadline;
    if (const auto next = objects_.next_time())
        deadline = Deadline::after((std::max<Clock::duration>)(*next - Clock::now(), {}));
    lock.unlock();
    wait(link_.parking(), body_.bell, deadline, [&] {
        return body_.head.load(std::memory_order_seq_cst) != 0 || stirred_.load(std::memory_order_seq_cst);
    });
    lock.lock();
    stirred_.store(false, std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE void ManagerServer::bury(Lock& lock) {
    const std::uint64_t mine = lead_.number();
    if (!lead_.has_spare())
        lead_.make_spare(); // where there is none to be had, what is buried holds up the others
    auto dead = std::exchange(graveyard_, {});
    lead_.enter_program();
    ++busy_;
    lock.unlock();
    require_no_mutex();
    dead.clear();
    lock.lock();
    --busy_;
    lead_.leave_program(mine);
}

MULTIPROCESSING_INLINE void ManagerServer::wait_for_ends() {
    std::vector<platform::NativeHandle> handles{supervisor_.handle().native()};
    {
        std::lock_guard lock{mutex_};
        clients_.append_ends(handles);
    }
    // Only this thread closes one of them.
    const auto ready = platform::wait_any(handles, Deadline::after(std::chrono::seconds{1}));
    supervisor_.silence();
    std::lock_guard lock{mutex_};
    for (const std::size_t at : ready) {
        if (at != 0) clients_.note_end(handles[at]);
    }
}

/// After the end of the client's process.
MULTIPROCESSING_INLINE void ManagerServer::end_session(ClientSession& session) {
    const Incarnation process = session.process;
    for (auto& object : clients_.end(session)) graveyard_.push_back(std::move(object));
    tell_gone(process);
}

/// The objects that hear of it do so as it comes to them.
MULTIPROCESSING_INLINE void ManagerServer::tell_gone(Incarnation process) {
    for (auto& object : objects_.watchers()) {
        ServerJob job;
        job.kind = ServerJob::Kind::gone;
        job.origin.process = process;
        job.object = std::move(object);
        backlog_.push_back(std::move(job));
    }
    stir();
}

MULTIPROCESSING_INLINE void ManagerServer::look_after_clients() {
    {
        std::lock_guard lock{mutex_};
        clients_.look_after_unwatched();
        drain(); // what they posted before comes before what follows from their end
        while (ClientSession* const session = clients_.find_ended()) end_session(*session);
        for (std::uint32_t i = 0; i < clients_.used(); ++i) {
            if (!clients_.is_stranger(i)) continue;
            drain(); // it may have asked meanwhile: then it has a session
            if (clients_.is_stranger(i)) clients_.free_channel(i);
        }
        if (!stirred_.load(std::memory_order_relaxed) && backlog_.empty()) return;
        stir();
        if (lead_.is_in_program()) { // nobody may be there to call for help
            body_.help.fetch_add(1, std::memory_order_seq_cst);
        }
    }
    post(link_.parking(), body_.bell);
    post(link_.parking(), body_.help_place);
}

MULTIPROCESSING_INLINE void ManagerServer::run() {
    if (!options_.in_program) platform::ignore_interrupt(true);
    body_.pid.store(platform::current_pid(), std::memory_order_relaxed);
    body_.server.store(this_thread(), std::memory_order_release);
    {
        std::lock_guard lock{mutex_};
        if (!lead_.make_spare())
            throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                                    "multiprocessing: starting a thread of a manager's server");
    }
    body_.stage.store(ManagerStage::open, std::memory_order_seq_cst);
    if (remote_) remote_->start();
    post(link_.parking(), body_.stage_place);
    { // The next leader, while the maker goes on. If there is none to be had now, a call tries again.
        std::lock_guard lock{mutex_};
        if (lead_.threads() < 2) lead_.make_spare();
    }
    while (body_.stage.load(std::memory_order_acquire) == ManagerStage::open) {
        wait_for_ends();
        look_after_clients();
    }
    close();
}

MULTIPROCESSING_INLINE void ManagerServer::refuse_waiting(const CallOutcome& refusal, Lock& lock) {
    drain();
    for (std::uint32_t i = 0; i < ManagerBody::channel_count; ++i) {
        if (clients_.channel(i).in_hand == 0 || clients_.channel(i).running != 0) continue;
        // A client that fetches the rest of an answer would take a refusal for a piece of it.
        if (body_.channels[i].piece == static_cast<std::uint32_t>(Piece::fetch)) {
            clients_.channel(i).place_next_piece(body_.channels[i]);
        } else {
            place_answer(i, refusal);
        }
        tell(i, lock);
    }
}

MULTIPROCESSING_INLINE void ManagerServer::close() {
    const auto deadline = Clock::now() + options_.shutdown_timeout;
    const CallOutcome refusal = failed_outcome(
        ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()"));
    Lock lock{mutex_};
    // A client that waits for another is told; a call that runs has some time.
    refuse_waiting(refusal, lock);
    while ((busy_ != 0 || !graveyard_.empty()) && Clock::now() < deadline) {
        lock.unlock();
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
        lock.lock();
    }
    refuse_waiting(refusal, lock);
    lock.unlock();
    if (remote_) remote_->close();
    lock.lock();
    // The latest first.
    auto objects = clients_.take_references();
    const bool all_are_idle = busy_ == 0;
    lock.unlock();
    std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a->id > b->id; });
    if (all_are_idle) {
        for (auto& object : objects) object.reset();
    } else {
        kept_ = std::move(objects);
    }
    body_.stage.store(ManagerStage::closed, std::memory_order_seq_cst);
    for (std::uint32_t i = 0; i < clients_.used(); ++i) tell(i);
}

MULTIPROCESSING_INLINE void ManagerServer::shut_down() noexcept {
    auto open = ManagerStage::open;
    body_.stage.compare_exchange_strong(open, ManagerStage::closing, std::memory_order_seq_cst);
    supervisor_.ring();
}

MULTIPROCESSING_INLINE bool ManagerServer::end_threads() {
    {
        std::lock_guard lock{mutex_};
        lead_.end();
        stir();
    }
    const auto patience = Clock::now() + std::chrono::seconds{1};
    for (;;) {
        post(link_.parking(), body_.bell);
        post(link_.parking(), body_.help_place);
        {
            std::lock_guard lock{mutex_};
            if (lead_.threads() == 0) return true;
        }
        if (Clock::now() >= patience) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
