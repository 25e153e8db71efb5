#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file by_forkserver.hpp  Start method forkserver: the child is a copy of a small server, and
/// still a child of ours.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/forkserver.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/channel.hpp>
#include <multiprocessing/detail/platform/process_attributes.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace multiprocessing::inline v1::detail {

/// Holding `mutex`.
MULTIPROCESSING_INLINE std::shared_ptr<ForkServer> make_server(LaunchState& launching,
                                                               platform::Surroundings now);

/// Returns the next message of the server; nullopt if it has ended, or has stood still for as long
/// as `patience`: it was stopped, or waits for something that may never come. It is not hurried as
/// long as it computes.
MULTIPROCESSING_INLINE std::optional<platform::Message> answer_of(const ForkServer& server,
                                                                  std::chrono::seconds patience);

/// Sends handles, in as many messages as they need.
MULTIPROCESSING_INLINE void send_handles(const platform::Handle& channel,
                                         std::span<const platform::Handle> handles, const Deadline& deadline);

/// One start by the fork server. In the order of its members' calls; nothing of it is held by a
/// fork meanwhile.
class ForkServerStart {
public:
    ForkServerStart(const LaunchRequest& request, LaunchState& launching, StartNotes& notes)
        : request_(request), launching_(launching), notes_(notes) {}

    std::shared_ptr<ChildProcess> run();

private:
    static constexpr int most_misfits = 2; // one that does not fit any more, and its successor
    static constexpr std::chrono::seconds patience{5};
    static constexpr std::chrono::seconds patience_with_preload{15};

    /// Prepares a server, and all that the child is told.
    void prepare();

    void retire(const ForkServer& server);

    void replace_server();

    /// Returns nullopt if the server ended before it answered, or stands still.
    std::optional<ForkReply> ask();

    /// Abandons a server that was asked, perhaps in part: its answer, and the child that it makes,
    /// are not taken.
    void abandon() noexcept;

    /// Ends a server that is of no use any more. Returns the pid of the copy that it made in answer
    /// to the last request, 0 if there is none.
    int end_server();

    /// Throws if a fresh server is not worth a try, after one that was killed, refused to begin, or
    /// stood still: it gets one, if this process lives on and the server would not stand still for
    /// the same reason.
    void throw_unless_worth_another(bool again) const;

    /// Tells the copy whether it may run. The copy waits for that at the end of its preparations.
    void decide(Approval approval) const;

    [[noreturn]] void throw_lost(const ForkReply& reply) const;

    /// Starts the child by spawn, where the kernel (or its seccomp filter) refuses to make
    /// siblings, or the server is no process of one thread.
    std::shared_ptr<ChildProcess> spawn_instead(const ForkReply& reply);

    const LaunchRequest& request_;
    LaunchState& launching_;
    StartNotes& notes_;
    std::shared_ptr<ForkServer> server_;
    std::unique_ptr<PendingChild> birth_;
    platform::Handle directory_;
    std::size_t sent_ = 0;
    bool fits_ = true; // the server has the rights that the child should have
    bool stood_still_ = false;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/by_spawn.hpp>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::shared_ptr<ForkServer> make_server(LaunchState& launching,
                                                               platform::Surroundings now) {
    LaunchRequest request{StartMethod::spawn, {"ForkServer", true, {}}, PackedCall::of_entry<ServeForks>()};
    request.serves = true;
    request.supervised = true; // its end is dealt with where no mutex is held
    auto [here, there] = platform::make_channel();
    platform::RightsFiles files;
    platform::Rights rights = platform::Rights::here(files);
    auto server = std::make_shared<ForkServer>(ForkServer{std::move(here), nullptr, std::move(now),
                                                          std::move(files), std::move(rights),
                                                          launching.preload != nullptr, false, nullptr});
    PendingChild birth{request, launching.lifeline()};
    set_preload(birth.start, launching);
    birth.message = write_message(birth.start, request.call.payload, {});
    platform::Child process = start_by_spawn(birth, request, launching, there);
    server->process = birth.into_child(std::move(process), false);
    return server;
}

MULTIPROCESSING_INLINE std::optional<platform::Message> answer_of(const ForkServer& server,
                                                                  std::chrono::seconds patience) {
    std::optional<std::chrono::microseconds> used; // asked for when there is a wait at all
    for (bool waits = false;; waits = true) {
        try {
            return platform::receive(server.channel,
                                     Deadline::after(waits ? patience : std::chrono::milliseconds{100}));
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::timed_out) throw;
        }
        const auto now = server.process->cpu_time();
        const auto least = std::chrono::microseconds{patience} / 1000;
        if (waits && (!now || !used || *now - *used < least)) return std::nullopt;
        used = now;
    }
}

MULTIPROCESSING_INLINE void send_handles(const platform::Handle& channel,
                                         std::span<const platform::Handle> handles, const Deadline& deadline) {
    constexpr std::size_t most = 64;
    std::vector<platform::NativeHandle> some;
    for (const platform::Handle& handle : handles) {
        some.push_back(handle.native());
        if (some.size() < most && &handle != &handles.back()) continue;
        platform::send(channel, bytes_of(std::uint8_t{0}), {some.data(), some.size()}, deadline);
        some.clear();
    }
}

MULTIPROCESSING_INLINE std::shared_ptr<ChildProcess> ForkServerStart::run() {
    const NotToEndIn part;
    std::lock_guard turn{launching_.turn};
    bool again = false;
    for (int misfits = 0;;) {
        prepare();
        const std::optional<ForkReply> reply = ask();
        // The kernel has noted the pid, also of a copy whose server ended before it could
        // answer.
        const int pid = reply ? reply->pid : end_server();
        if (!fits_) {
            // It was made with other rights than this thread has now: neither the copy nor
            // another one may run.
            if (pid != 0) {
                platform::Child copy{pid};
                platform::wait_one(copy.sentinel().native(), Deadline::after(std::chrono::seconds{1}));
                copy.discard();
            }
            replace_server();
            // A server that was just made does not fit either: the system does not say enough
            // to compare.
            if (++misfits < most_misfits) continue;
            prepare();
            return spawn_instead(ForkReply{});
        }
        if (pid != 0) return birth_->into_child(platform::Child{pid});
        if (!reply) {
            throw_unless_worth_another(again);
            again = true;
            continue;
        }
        if (reply->error == EMFILE && reply->arrived > 0) throw_lost(*reply);
        if (reply->error)
            platform::throw_error({reply->error, std::generic_category()}, "fork, in the fork server");
        return spawn_instead(*reply);
    }
}

MULTIPROCESSING_INLINE void ForkServerStart::prepare() {
    birth_.reset();
    notes_.ended.reserve(notes_.ended.size() + 2); // for what is noted where nothing may fail
    const platform::Surroundings now = platform::Surroundings::here();
    std::shared_ptr<ForkServer> old;
    {
        std::lock_guard lock{launching_.mutex};
        prepare_first_start(launching_);
        if (launching_.server && !now.can_be_taken_on(launching_.server->surroundings))
            old = std::move(launching_.server);
        if (!launching_.server) launching_.server = make_server(launching_, now);
        server_ = launching_.server;
        birth_ = std::make_unique<PendingChild>(request_, launching_.lifeline());
        birth_->message =
            write_message(birth_->start, request_.call.payload, now.changes(server_->surroundings));
        directory_ = now.directory(server_->surroundings);
    }
    if (old) retire(*old);
}

MULTIPROCESSING_INLINE void ForkServerStart::retire(const ForkServer& server) {
    platform::shut(server.channel);
    if (!server.process->wait(Deadline::after(std::chrono::seconds{1})))
        server.process->try_to(&ChildProcess::kill);
    notes_.ended.push_back(server.process);
}

MULTIPROCESSING_INLINE void ForkServerStart::replace_server() {
    {
        std::lock_guard lock{launching_.mutex};
        if (launching_.server == server_) launching_.server.reset();
    }
    retire(*server_);
}

MULTIPROCESSING_INLINE std::optional<ForkReply> ForkServerStart::ask() {
    const auto outputs = platform::standard_outputs();
    const auto is_open = [](platform::NativeHandle handle) {
        return handle != platform::HandleTraits::invalid();
    };
    const ForkRequest fork_request{birth_->message.position(),
                                   birth_->start.record,
                                   request_.mask,
                                   is_open(outputs[0]),
                                   is_open(outputs[1]),
                                   directory_.valid(),
                                   {},
                                   handles_of(request_).size()};
    std::vector<platform::NativeHandle> handles{birth_->strand.child.native(), birth_->alive.writer.native()};
    for (const platform::NativeHandle handle : {outputs[0], outputs[1], directory_.native()}) {
        if (is_open(handle)) handles.push_back(handle);
    }
    fits_ = true;
    sent_ = handles.size() + handles_of(request_).size();
    try {
        if (!server_->ready) {
            if (!answer_of(*server_, server_->preloads ? patience_with_preload : patience)) return std::nullopt;
            server_->ready = true;
        }
        const Deadline deadline = Deadline::after(patience);
        platform::send(server_->channel, bytes_of(fork_request), {handles.data(), handles.size()}, deadline);
        send_handles(server_->channel, handles_of(request_), deadline);
        fits_ = platform::Rights::here(server_->rights_files).equal(server_->rights);
        decide(fits_ ? Approval::given : Approval::refused);
        const std::optional<platform::Message> answer = answer_of(*server_, patience);
        ForkReply reply;
        if (!answer || answer->bytes.size() != sizeof reply) return std::nullopt;
        std::memcpy(&reply, answer->bytes.data(), sizeof reply);
        return reply;
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::broken_pipe || error.code() == std::errc::timed_out) return std::nullopt;
        abandon();
        throw;
    } catch (const std::exception&) { // short of memory
        abandon();
        throw;
    }
}

MULTIPROCESSING_INLINE void ForkServerStart::abandon() noexcept {
    try {
        decide(Approval::refused);
        server_->process->try_to(&ChildProcess::kill);
        if (const int pid = end_server()) platform::Child{pid}.discard();
    } catch (const std::exception&) { static_cast<void>(birth_.release()); } // it may refer to it yet
}

MULTIPROCESSING_INLINE int ForkServerStart::end_server() {
    {
        std::lock_guard lock{launching_.mutex};
        if (launching_.server == server_) launching_.server.reset();
    }
    ChildProcess& process = *server_->process;
    // That the channel is at its end is seen a moment before the end of the process.
    stood_still_ = !process.wait(Deadline::after(std::chrono::milliseconds{100}));
    if (stood_still_) {
        process.try_to(&ChildProcess::kill);
        process.wait(Deadline::after(std::chrono::seconds{1}));
    }
    notes_.ended.push_back(server_->process);
    const int pid = std::atomic_ref(birth_->record().pid).load();
    // If it cannot be ended it may make the copy yet: what that would refer to stays.
    if (pid == 0 && !process.look()) static_cast<void>(birth_.release());
    return pid;
}

MULTIPROCESSING_INLINE void ForkServerStart::throw_unless_worth_another(bool again) const {
    ChildProcess& ended = *server_->process;
    const std::string what = "multiprocessing: starting " + request_.identity.name + " by the fork server: ";
    if (!ended.refusal().empty()) throw ProcessError(ended.refusal());
    if (this_process().ends_children.load()) throw ProcessError(what + "this process is ending");
    if (stood_still_ && !server_->ready && server_->preloads)
        throw ProcessError(what +
                           "the function of set_forkserver_preload() has neither returned nor used a "
                           "processor for " +
                           std::to_string(patience_with_preload.count()) + " seconds; let it wait for nothing");
    if (!again) return;
    if (stood_still_)
        throw ProcessError(what + "it gave no answer for " + std::to_string(patience.count()) +
                           " seconds, nor did its successor; see whether they are stopped, or use the start "
                           "method spawn");
    const auto ending = ended.look();
    throw ProcessError("multiprocessing: the fork server ended twice without making a child (exit code " +
                       std::to_string(ending ? ending->exitcode.value_or(-1) : -1) + ")");
}

MULTIPROCESSING_INLINE void ForkServerStart::decide(Approval approval) const {
    ChildRecord& record = birth_->record();
    record.approved.store(approval, std::memory_order_release);
    post(tree().space.parking(), record.approval);
}

MULTIPROCESSING_INLINE void ForkServerStart::throw_lost(const ForkReply& reply) const {
    platform::throw_error(
        std::make_error_code(std::errc::too_many_files_open),
        "starting " + request_.identity.name + " by the fork server: of " + std::to_string(sent_) +
            " handles that go along " + std::to_string(reply.arrived) +
            " have found room there; raise the hard limit (`ulimit -Hn`) before the first start, "
            "or use the start method spawn");
}

MULTIPROCESSING_INLINE std::shared_ptr<ChildProcess> ForkServerStart::spawn_instead(const ForkReply& reply) {
    if (reply.threads != 0 && !std::exchange(launching_.warned_of_server_threads, true)) {
        const std::string number = reply.threads < 0 ? "an unknown number of" : std::to_string(reply.threads);
        notes_.warnings.push_back(
            "the fork server has " + number +
            " other thread(s), by a static initialiser or a library, and cannot be copied: processes are "
            "started by spawn instead");
    }
    std::lock_guard lock{launching_.mutex};
    set_preload(birth_->start, launching_);
    birth_->message = write_message(birth_->start, request_.call.payload, {});
    platform::Child process = start_by_spawn(*birth_, request_, launching_);
    return birth_->into_child(std::move(process));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
