#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file launch_state.hpp  What this process has for starting children: its lifeline, and one start
/// at a time.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/launch/child_start.hpp>
#include <multiprocessing/detail/platform/lifeline.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/process_attributes.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The server that forks for us, and what it had of this process's surroundings when it was made.
struct ForkServer {
    platform::Handle channel;
    std::shared_ptr<ChildProcess> process;
    platform::Surroundings surroundings;
    platform::RightsFiles rights_files; ///< Of the thread whose turn it is.
    platform::Rights rights;
    bool preloads = false;
    bool ready = false;                 ///< It has said so. Of the thread whose turn it is.
    std::shared_ptr<ForkServer> before; ///< Another one that a fork has brought along.
};

/// Ends it; a thread that waits for its answer goes on. Holding no mutex.
MULTIPROCESSING_INLINE void end_server(ForkServer& server);

/// What is finished at the end of this process, before its children are ended.
class FinishedAtEnd {
public:
    FinishedAtEnd() = default;
    FinishedAtEnd(const FinishedAtEnd&) = delete;
    FinishedAtEnd& operator=(const FinishedAtEnd&) = delete;
    virtual ~FinishedAtEnd() = default;
    virtual void finish() noexcept = 0;
};

/// Starts are prepared one after the other, and no fork comes in between: it would copy handles
/// that are not registered yet, and a stray copy of the end of a pipe is a child that never seems
/// to end.
class LaunchState {
public:
    static constexpr StateSlot slot = StateSlot::launching;

    // Never held while this process waits for another, nor by a thread that calls fork(); see
    // StartByFork.
    RecursiveMutex mutex;

    /// Of the threads that talk with the fork server, one at a time: held while they wait for it. A
    /// fork does not take it, and a thread that holds `mutex` does not either.
    Mutex turn;

    /// Returns the lifeline, which is made at the first start.
    platform::Lifeline& lifeline();

    std::shared_ptr<ForkServer> server; // made at the first need; under `mutex`
    std::filesystem::path executable;   // what spawn runs, if not this program; under `mutex`
    void (*preload)() = nullptr;        // what the fork server runs first; under `mutex`
    bool ends_children = false;         // an exit handler will, or the last step of a child
    std::vector<std::weak_ptr<FinishedAtEnd>> finished_at_end; // under `mutex`
    bool warned_of_server_threads = false;                     // under `turn`

    /// Holds the tree; called before the first child, with `mutex` held.
    void hold_tree();

    /// Ends the server, if there is one.
    void stop_server();

    void before_fork() { mutex.lock(); }
    void after_fork(bool in_child);

private:
    std::optional<platform::Lifeline> lifeline_;
    std::shared_ptr<ForkServer> forgotten_;
};

/// Has that child run the function of set_forkserver_preload() first, if there is one. Called with
/// `mutex` held.
MULTIPROCESSING_INLINE void set_preload(ChildStart& start, const LaunchState& launching);

/// What a start has to say, and to take notice of, when it holds no mutex any more.
class StartNotes {
public:
    std::vector<std::string> warnings;
    std::vector<std::shared_ptr<ChildProcess>> ended; ///< Fork servers.

    StartNotes() = default;
    StartNotes(const StartNotes&) = delete;
    StartNotes& operator=(const StartNotes&) = delete;
    ~StartNotes();
};

/// Returns the directory that a child is to work in, as an absolute path. Throws
/// `std::system_error` if there is none; `purpose` says what for.
MULTIPROCESSING_INLINE std::filesystem::path existing_directory(const std::filesystem::path& directory,
                                                                const std::string& purpose);

/// What is prepared for one child. Whatever does not become a ChildProcess is undone with it.
class PendingChild {
public:
    PendingChild(const LaunchRequest& request, platform::Lifeline& lifeline);
    PendingChild(const PendingChild&) = delete;
    PendingChild& operator=(const PendingChild&) = delete;
    ~PendingChild();

    /// Turns a child that runs into a ChildProcess, which looks after it from here on. `listed`:
    /// among this process's children.
    std::shared_ptr<ChildProcess> into_child(platform::Child process, bool listed = true) noexcept;

    ChildRecord& record() const;

    ChildStart start{};
    platform::Strand strand;
    platform::Pipe alive;
    Block message; // for a child that is no copy of this process

private:
    Block record_;
    std::shared_ptr<ChildProcess> child_; // until it runs
};

MULTIPROCESSING_INLINE void end_children();

/// Has the work of this object finished at the end of this process, before its children are ended.
MULTIPROCESSING_INLINE void finish_at_end(const std::shared_ptr<FinishedAtEnd>& object);
MULTIPROCESSING_INLINE void finish_all() noexcept;

/// Ends the children of this process, and its fork server; called at its end.
MULTIPROCESSING_INLINE void end_children();

/// Prepares the first start of this process. Called with `mutex` held.
MULTIPROCESSING_INLINE void prepare_first_start(LaunchState& launching);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/launch/children.hpp>
#include <multiprocessing/detail/launch/reaper.hpp>
#include <multiprocessing/detail/platform/channel.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void end_server(ForkServer& server) {
    platform::shut(server.channel);
    ChildProcess& process = *server.process;
    if (!process.wait(Deadline::after(std::chrono::seconds{1}))) {
        process.try_to(&ChildProcess::kill);
        process.wait(Deadline::after(std::chrono::seconds{1}));
    }
    if (process.look()) process.settle();
}

MULTIPROCESSING_INLINE platform::Lifeline& LaunchState::lifeline() {
    if (!lifeline_) lifeline_.emplace();
    return *lifeline_;
}

MULTIPROCESSING_INLINE void LaunchState::hold_tree() {
    ThisProcess& me = this_process();
    std::lock_guard lock{me.mutex};
    detail::hold_tree(me);
}

MULTIPROCESSING_INLINE void LaunchState::stop_server() {
    std::shared_ptr<ForkServer> stopped;
    {
        std::lock_guard lock{mutex};
        stopped = std::move(server);
    }
    if (stopped) end_server(*stopped);
}

MULTIPROCESSING_INLINE void LaunchState::after_fork(bool in_child) {
    if (!in_child) return mutex.unlock();
    remake_in_child(mutex);
    new (&turn) Mutex; // a thread that is not here may have it
    lifeline_.reset(); // the handles in it know that they are copies
    if (server) {      // the parent's: forgotten, not destroyed
        server->before = std::move(forgotten_);
        forgotten_ = std::move(server);
    }
}

MULTIPROCESSING_INLINE void set_preload(ChildStart& start, const LaunchState& launching) {
    start.has_preload = launching.preload != nullptr;
    if (start.has_preload) start.preload = code_address_of(reinterpret_cast<const void*>(launching.preload));
}

MULTIPROCESSING_INLINE StartNotes::~StartNotes() {
    try {
        for (const auto& server : ended) {
            if (server->look()) server->settle();
        }
    } catch (const std::exception&) {} // short of memory: its record stays
    for (const std::string& line : warnings) get_logger().log(LogLevel::warning, line);
}

MULTIPROCESSING_INLINE std::filesystem::path existing_directory(const std::filesystem::path& directory,
                                                                const std::string& purpose) {
    if (!std::filesystem::is_directory(directory)) {
        throw std::system_error(std::make_error_code(std::errc::not_a_directory),
                                "multiprocessing: " + purpose + " with .cwd = \"" + directory.string() +
                                    "\": that is no directory; make it first");
    }
    return std::filesystem::absolute(directory);
}

MULTIPROCESSING_INLINE PendingChild::PendingChild(const LaunchRequest& request, platform::Lifeline& lifeline)
    : strand(lifeline.strand()),
      alive(platform::make_pipe()),
      record_(tree().heap.allocate_zeroed(sizeof(ChildRecord))) {
    ThisProcess& me = this_process();
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
    start.target = request.call.target;
    start.target_file = request.call.target_file;
    start.default_method = request.method; // as get_start_method() says there; here that fixes nothing
    start.log_level = get_logger().level();
    start.env = request.env;
    if (request.cwd) start.cwd = existing_directory(*request.cwd, "starting " + request.identity.name).string();
    start.serves = request.serves;
    start.capabilities = platform::Capabilities::of_caller();
    child_ = std::make_shared<ChildProcess>(start.identity, start.name, request.supervised);
    // Before the child can run. What it is never told of ends with the PendingChild.
    ScopeExit end_given{[&] { leases().end(start.name); }};
    for (const auto& object : request.call.given) start.given.push_back(leases().grant(object, start.name));
    children().expect();
    end_given.release();
}

MULTIPROCESSING_INLINE PendingChild::~PendingChild() {
    if (!child_) return;
    // It may have run for a moment before it was given up and ended.
    if (record().touched.load(std::memory_order_acquire) != 0) {
        children().add(Remains{start.name, std::move(alive.reader), true, {}, {}});
        return;
    }
    children().unexpect();
    leases().end(start.name);
}

MULTIPROCESSING_INLINE std::shared_ptr<ChildProcess> PendingChild::into_child(platform::Child process,
                                                                              bool listed) noexcept {
    strand.child.close();
    alive.writer.close();
    child_->begin(std::move(process), std::move(record_), std::move(message), std::move(alive.reader),
                  std::move(strand.parent));
    std::shared_ptr<ChildProcess> child = std::move(child_);
    if (listed) {
        children().add(child);
    } else {
        children().unexpect();
    }
    return child;
}

MULTIPROCESSING_INLINE ChildRecord& PendingChild::record() const {
    return tree().space.at<ChildRecord>(start.record);
}

MULTIPROCESSING_INLINE void finish_at_end(const std::shared_ptr<FinishedAtEnd>& object) {
    require_no_mutex();
    LaunchState& launching = process_wide<LaunchState>();
    std::lock_guard lock{launching.mutex};
    if (!std::exchange(launching.ends_children, true)) std::atexit(end_children);
    std::erase_if(launching.finished_at_end, [](const auto& other) { return other.expired(); });
    launching.finished_at_end.push_back(object);
}

MULTIPROCESSING_INLINE void finish_all() noexcept {
    LaunchState& launching = process_wide<LaunchState>();
    std::vector<std::weak_ptr<FinishedAtEnd>> objects;
    {
        std::lock_guard lock{launching.mutex};
        objects = std::move(launching.finished_at_end);
    }
    for (const auto& object : objects) {
        if (const auto alive = object.lock()) alive->finish();
    }
}

MULTIPROCESSING_INLINE void end_children() {
    // A signal handler ends the process in the middle of a start, say. The children end with it, by
    // the lifeline.
    const bool in_start = NotToEndIn::any();
    if (!in_start) finish_all();
    this_process().ends_children.store(true);
    if (in_start) return;
    end_running_children();
    process_wide<LaunchState>().stop_server();
}

MULTIPROCESSING_INLINE void prepare_first_start(LaunchState& launching) {
    if (!std::exchange(launching.ends_children, true)) std::atexit(end_children);
    launching.hold_tree();
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
