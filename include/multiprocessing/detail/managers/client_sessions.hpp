#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file client_sessions.hpp  Which processes are clients of a manager's server, and what of theirs
/// ends with them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/managers/server_channel.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The clients of a manager's server, and whose which channel is. All members are called with the
/// server's mutex, which guards the state.
class ClientSessions {
public:
    explicit ClientSessions(ManagerBody& body) : body_(body), channels_(ManagerBody::channel_count) {}

    ServerChannel& channel(std::uint32_t index) noexcept { return channels_[index]; }
    /// How many channels, from the first, may be in use.
    std::uint32_t used() const noexcept;

    /// Finds, or begins, the session of the process that has called by this channel; returns
    /// whether there is a new one. A process whose number is another's by now goes through `end`.
    template <class End>
    bool bind(std::uint32_t index, const End& end);
    /// Forgets the session: its process has ended, so nobody posts by its channels any more.
    /// Returns the objects that it referred to, which are destroyed without the mutex.
    std::vector<std::shared_ptr<void>> end(ClientSession& session);
    /// Whether the process has ended, as the system says now: it may have done so before this was
    /// noticed.
    bool has_ended(ClientSession& session) const;
    /// A session whose process has ended; null if there is none.
    ClientSession* find_ended() noexcept;
    /// Whether a channel was claimed, and never used, by a thread that lives no longer: the claimer
    /// may have been killed between.
    bool is_stranger(std::uint32_t index) const;
    void free_channel(std::uint32_t index) noexcept { channels_[index].free(body_.channels[index]); }

    /// Appends what becomes ready when a client ends; closes those of sessions that are over.
    void append_ends(std::vector<platform::NativeHandle>& handles);
    void note_end(platform::NativeHandle handle) noexcept;
    /// Asks about the clients whose end is not told by a handle.
    void look_after_unwatched();
    /// Moves all references out: at the end of the server.
    std::vector<std::shared_ptr<ServedObject>> take_references();

private:
    bool begin_session(std::uint32_t index, Incarnation process, int pid);

    ManagerBody& body_;
    std::vector<ServerChannel> channels_;
    std::unordered_map<Incarnation, std::unique_ptr<ClientSession>> sessions_;
    std::vector<platform::Handle> ends_; // of sessions that are over, to be closed by the supervisor
};

template <class End>
bool ClientSessions::bind(std::uint32_t index, const End& end) {
    ServerChannel& state = channels_[index];
    const CallChannel& channel = body_.channels[index];
    const platform::ThreadName owner = channel.owner.load(std::memory_order_relaxed);
    const Incarnation process = channel.process.load(std::memory_order_relaxed);
    const int pid = channel.pid.load(std::memory_order_relaxed);
    if (state.session && state.owner == owner && state.session->process == process && state.session->pid == pid)
        return false;
    state.owner = owner;
    state.request.clear();
    state.answer.clear();
    if (const auto found = sessions_.find(process); found != sessions_.end() && found->second->pid != pid)
        end(*found->second); // the number of a dead one, used again
    return begin_session(index, process, pid);
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/process_watch.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::uint32_t ClientSessions::used() const noexcept {
    return (std::min)(body_.used.load(std::memory_order_acquire), ManagerBody::channel_count);
}

MULTIPROCESSING_INLINE bool ClientSessions::begin_session(std::uint32_t index, Incarnation process, int pid) {
    std::unique_ptr<ClientSession>& session = sessions_[process];
    const bool is_new = !session;
    if (is_new) {
        session = std::make_unique<ClientSession>();
        session->process = process;
        session->pid = pid;
        auto end = platform::watch_process(pid);
        // The pid may be another's by now; while the thread that claimed the channel lives, it is
        // not.
        session->has_ended = !end || !platform::lives(channels_[index].owner);
        if (end) session->end = std::move(*end);
    }
    channels_[index].session = session.get();
    return is_new;
}

/// What the client posted before is on the list or in the backlog, and is carried out or not as it
/// comes; what waits is not.
MULTIPROCESSING_INLINE std::vector<std::shared_ptr<void>> ClientSessions::end(ClientSession& session) {
    for (std::uint32_t i = 0; i < used(); ++i) {
        ServerChannel& state = channels_[i];
        if (state.session != &session) continue;
        const bool is_its = body_.channels[i].owner.load(std::memory_order_relaxed) == state.owner &&
                            body_.channels[i].process.load(std::memory_order_relaxed) == session.process &&
                            body_.channels[i].pid.load(std::memory_order_relaxed) == session.pid;
        state.session = nullptr;
        if (!is_its) continue; // given back, and perhaps claimed by another process
        state.in_hand = 0;
        if (state.running != 0) {
            state.is_orphan = true;
        } else {
            free_channel(i);
        }
    }
    std::vector<std::shared_ptr<void>> objects;
    for (auto& [id, reference] : session.references) objects.push_back(std::move(reference.object));
    ends_.push_back(std::move(session.end));
    sessions_.erase(session.process);
    return objects;
}

MULTIPROCESSING_INLINE bool ClientSessions::has_ended(ClientSession& session) const {
    if (!session.has_ended && session.end.valid())
        session.has_ended = platform::wait_one(session.end.native(), Deadline::passed_long_ago());
    return session.has_ended;
}

MULTIPROCESSING_INLINE ClientSession* ClientSessions::find_ended() noexcept {
    for (const auto& [process, session] : sessions_) {
        if (session->has_ended) return session.get();
    }
    return nullptr;
}

MULTIPROCESSING_INLINE bool ClientSessions::is_stranger(std::uint32_t index) const {
    const ServerChannel& state = channels_[index];
    const platform::ThreadName owner = body_.channels[index].owner.load(std::memory_order_acquire);
    if (owner == 0 || state.running != 0 || (state.session && state.owner == owner)) return false;
    return !platform::lives(owner);
}

MULTIPROCESSING_INLINE void ClientSessions::append_ends(std::vector<platform::NativeHandle>& handles) {
    ends_.clear();
    for (const auto& [process, session] : sessions_) {
        if (session->end.valid()) handles.push_back(session->end.native());
    }
}

MULTIPROCESSING_INLINE void ClientSessions::note_end(platform::NativeHandle handle) noexcept {
    for (const auto& [process, session] : sessions_) {
        if (session->end.valid() && session->end.native() == handle) session->has_ended = true;
    }
}

MULTIPROCESSING_INLINE void ClientSessions::look_after_unwatched() {
    for (const auto& [process, session] : sessions_) {
        if (!session->end.valid() && !session->has_ended)
            session->has_ended = !platform::watch_process(session->pid);
    }
}

MULTIPROCESSING_INLINE std::vector<std::shared_ptr<ServedObject>> ClientSessions::take_references() {
    std::vector<std::shared_ptr<ServedObject>> objects;
    for (auto& [process, session] : sessions_) {
        for (auto& [id, reference] : session->references) objects.push_back(std::move(reference.object));
        session->references.clear();
    }
    return objects;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
