#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file launching.hpp  What this process has for starting children: its lifeline, and one start at a time.

#include <multiprocessing/detail/child_process.hpp>
#include <multiprocessing/detail/child_start.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/mutex.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/lifeline.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/surroundings.hpp>
#include <multiprocessing/detail/state.hpp>
#include <multiprocessing/detail/tree.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// The server that forks for us, and what it had of this process's surroundings when it was made.
struct ForkServer {
    platform::Handle channel;
    std::shared_ptr<ChildProcess> process;
    platform::Surroundings surroundings;
};

/// Starts are made one after the other: a fork beside another start would copy that one's handles, and a stray copy of
/// the end of a pipe is a child that never seems to end.
class Launching {
public:
    static constexpr StateSlot slot = StateSlot::launching;

    // Recursive, as the fork inside a start finds it held by its own thread.
    RecursiveMutex mutex;

    /// Made at the first start.
    platform::Lifeline& lifeline() {
        if (!lifeline_) lifeline_.emplace();
        return *lifeline_;
    }

    std::optional<ForkServer> server; // made at the first need
    std::filesystem::path executable; // what spawn runs, if not this program; under `mutex`
    void (*preload)() = nullptr;      // what the fork server runs first; under `mutex`
    bool ends_children = false;       // an exit handler will, or the last step of a child

    /// Before the first child. Holding `mutex`.
    void hold_tree() {
        Self& me = self();
        std::lock_guard lock{me.mutex};
        detail::hold_tree(me);
    }

    int janitor = 0; // pid of the tree's, if this process started it

    /// Ends the server, if there is one. Holding `mutex`.
    void stop_server() {
        if (!server) return;
        const std::shared_ptr<ChildProcess> process = server->process;
        server.reset(); // it sees the end of the channel
        if (!process->wait(Deadline::after(std::chrono::seconds{1}))) process->end();
    }

    void before_fork() { mutex.lock(); }
    void after_fork(bool in_child) {
        if (!in_child) return mutex.unlock();
        remake_in_child(mutex);
        lifeline_.reset(); // the handles in these know that they are copies
        server.reset();
    }

private:
    std::optional<platform::Lifeline> lifeline_;
};

/// What is prepared for one child. Whatever does not become a ChildProcess is undone with it.
class Birth {
public:
    Birth(const LaunchRequest& request, platform::Lifeline& lifeline)
        : strand(lifeline.strand()),
          alive(platform::make_pipe()),
          record_(tree().heap.allocate_zeroed(sizeof(ChildRecord))) {
        Self& me = self();
        {
            std::lock_guard lock{me.mutex};
            start.parent = me.identity;
            start.parent.authkey = me.key();
        }
        start.identity = request.identity;
        if (start.identity.authkey.empty()) start.identity.authkey = start.parent.authkey;
        start.parent_pid = platform::current_pid();
        start.name = tree().space.new_incarnation(tree().self);
        start.record = record_.position();
        start.target = request.target;
        start.target_file = request.target_file;
        start.default_method = request.method; // as get_start_method() says there; here that fixes nothing
        start.log_level = get_logger().level();
        start.serves = request.serves;
        supervised_ = request.supervised;
        // Before the child can run. What it is never told of ends with the Birth.
        for (const auto& object : request.given) start.given.push_back(leases().give(object, start.name));
    }
    Birth(const Birth&) = delete;
    Birth& operator=(const Birth&) = delete;
    ~Birth() {
        if (!born_) leases().end(start.name);
    }

    /// The child runs: from here on it is looked after by a ChildProcess.
    std::shared_ptr<ChildProcess> into_child(platform::Child process, Block message) {
        strand.close();
        alive.writer.close();
        auto child =
            std::make_shared<ChildProcess>(std::move(process), start.identity, start.name, std::move(record_),
                                           std::move(message), std::move(alive.reader), supervised_);
        born_ = true;
        return child;
    }

    ChildStart start;
    platform::Handle strand;
    platform::Pipe alive;

private:
    Block record_;
    bool supervised_;
    bool born_ = false;
};

/// At the end of this process: its children end, and its fork server.
inline void end_children() {
    self().ends_children.store(true);
    children().end_all();
    Launching& launching = process_wide<Launching>();
    const DeferredLog written_afterwards;
    std::lock_guard lock{launching.mutex};
    launching.stop_server();
}

} // namespace multiprocessing::inline v1::detail
