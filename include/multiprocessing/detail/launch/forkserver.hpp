#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file forkserver.hpp  The server of the start method forkserver: what it is asked, and how it
/// copies itself.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_record.hpp>
#include <multiprocessing/detail/launch/packed_call.hpp>
#include <multiprocessing/detail/platform/channel.hpp>
#include <multiprocessing/detail/platform/process_attributes.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Asks the server for a copy of itself. With it travel the strand, the end that says the subtree
/// is alive, and, as far as the flags say so, standard output, standard error and the working
/// directory, in this order.
struct ForkRequest {
    Position message;
    Position record; ///< Of its ChildRecord, where the kernel notes its pid.
    platform::SignalMask mask;
    bool has_output;
    bool has_error;
    bool has_directory;
    bool unused[5];        ///< No byte that is sent is left as it happens to be.
    std::uint64_t handles; ///< Among the target's arguments: they follow, in messages of nothing else.
};

/// The server's answer.
struct ForkReply {
    int pid = 0;     ///< 0: no child was made.
    int error = 0;   ///< Why, as an errno; 0 if the kernel refuses this kind of fork, or because of `threads`.
    int threads = 0; ///< A copy is made of a process with one thread only: these are the others; -1: not known.
    int unused = 0;
    /// How many of the handles that were sent have arrived, if there was no room for some.
    std::uint64_t arrived = 0;
};

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
    return {reinterpret_cast<const std::byte*>(&value), sizeof value};
}

/// Its parent looks at its own rights while the copy is made. A copy that has other rights than it
/// should have ends here, before anything of the program's runs in it: its parent may have given up
/// the right to end it.
MULTIPROCESSING_INLINE void await_approval(Space& space, ChildRecord& record);

/// Lives as a copy of the server; does not return into the server's loop.
[[noreturn]] MULTIPROCESSING_INLINE void live_as_copy(const ForkRequest& request,
                                                      std::vector<platform::Handle>& handles,
                                                      TreeMember& server, const platform::HandleLimit& limit,
                                                      bool shares_ids) noexcept;

/// Target of the server process: it says that it is ready, and copies itself on demand, until its
/// parent closes the channel. It should have one thread, and a copy costs the same however large
/// the parent is, as the server is a fresh process.
struct ServeForks {
    static void run(TargetFrame&);

private:
    static ForkReply copy_for(platform::Message& message, const platform::Handle& channel,
                              const platform::HandleLimit& limit, bool shares_ids);
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/child_main.hpp>
#include <multiprocessing/detail/launch/child_message.hpp>
#include <multiprocessing/detail/platform/fork.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void await_approval(Space& space, ChildRecord& record) {
    wait(space.parking(), record.approval, Deadline{},
         [&] { return record.approved.load(std::memory_order_acquire) != Approval::asked; });
    if (record.approved.load(std::memory_order_acquire) != Approval::given) platform::exit_now(1);
}

MULTIPROCESSING_INLINE void live_as_copy(const ForkRequest& request, std::vector<platform::Handle>& handles,
                                         TreeMember& server, const platform::HandleLimit& limit,
                                         bool shares_ids) noexcept {
    ChildMessage message;
    try {
        std::size_t next = 0;
        const auto take = [&](bool there) {
            return there ? std::move(handles.at(next++)) : platform::Handle{};
        };
        platform::Handle strand = take(true);
        platform::hold(strand); // before all else
        platform::Handle alive = take(true);
        const platform::Handle output = take(request.has_output);
        const platform::Handle error = take(request.has_error);
        const platform::Handle directory = take(request.has_directory);
        while (next < handles.size()) { // from here on our own: not for a child of ours
            this_process().given.emplace_back(handles[next].release());
            ++next;
        }

        message = read_message(server.space, request.message);
        this_process().alive.pop_back(); // that one says the server is alive; the ancestors' are ours, too
        ChildRecord& record = server.space.at<ChildRecord>(message.start.record);
        process_wide<Tree>().join(server.owner, message.start.name, &record.touched, shares_ids);
        platform::ignore_interrupt(this_process().ignored_interrupt_before);
        become_child(message.start, std::move(strand), std::move(alive));
        platform::take_standard_outputs({output.native(), error.native()});
        limit.restore();
        platform::apply_surroundings(message.changes, directory);
        platform::leave_word(state_word_name, state_root().word); // the environment may be another one now
        await_approval(server.space, record);
        request.mask.apply();
    } catch (const std::exception& error) { refuse_child(message.start, error); }
    run_child(message.start, message.payload);
}

MULTIPROCESSING_INLINE void ServeForks::run(TargetFrame&) {
    const platform::Handle channel = std::move(this_process().channel);
    // A rehearsal: what a copy is the first to call, the dynamic linker has to look up in every
    // copy again.
    platform::take_standard_outputs(platform::standard_outputs());
    // Its parent may have raised its own since.
    const platform::HandleLimit limit = platform::HandleLimit::raise();
    // After the function of set_forkserver_preload(), which is all that could change it.
    const bool shares_ids = platform::children_share_ids();
    try {
        platform::send(channel, bytes_of(std::uint8_t{0}), {}, Deadline{});
        while (std::optional<platform::Message> message = platform::receive(channel, Deadline{})) {
            if (message->bytes.size() != sizeof(ForkRequest)) continue;
            platform::send(channel, bytes_of(copy_for(*message, channel, limit, shares_ids)), {}, Deadline{});
        }
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::broken_pipe) throw; // its parent has no use for the answer any more
    }
}

MULTIPROCESSING_INLINE ForkReply ServeForks::copy_for(platform::Message& message,
                                                      const platform::Handle& channel,
                                                      const platform::HandleLimit& limit, bool shares_ids) {
    ForkRequest request{0, 0, platform::SignalMask::of_caller(), false, false, false, {}, 0};
    std::memcpy(&request, message.bytes.data(), sizeof request);
    std::size_t lost = message.lost;
    // All of them are taken, also if some are lost: what follows is the next request.
    while (request.handles > 0) {
        std::optional<platform::Message> more = platform::receive(channel, Deadline{});
        if (!more) return {0, EPIPE};
        lost += more->lost;
        request.handles -= (std::min)(request.handles, std::uint64_t{more->handles.size() + more->lost});
        for (platform::Handle& handle : more->handles) message.handles.push_back(std::move(handle));
    }
    if (lost > 0) return {0, EMFILE, 0, 0, message.handles.size()};
    // Of a process with other threads the copy is not whole: it may have malloc's locks in a
    // state that only they end.
    const std::optional<int> threads = platform::foreign_threads(0);
    if (threads != 0) return {0, 0, threads.value_or(-1)};
    std::vector<platform::NativeHandle> kept;
    for (const auto& handle : message.handles) kept.push_back(handle.native());
    platform::flush_standard_streams();
    TreeMember& server = tree();
    ChildRecord& record = server.space.at<ChildRecord>(request.record);
    process_wide<Tree>().prepare_join();
    const StartByFork start{kept};
    before_fork(); // this kind of fork does not run the handlers of fork()
    std::optional<int> pid;
    int error = 0;
    try {
        pid = platform::fork_sibling(record.pid);
    } catch (const std::system_error& refused) { error = refused.code().value(); }
    const bool in_child = pid && *pid == 0;
    after_fork(in_child);
    if (in_child) live_as_copy(request, message.handles, server, limit, shares_ids);
    return {pid.value_or(0), error};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
