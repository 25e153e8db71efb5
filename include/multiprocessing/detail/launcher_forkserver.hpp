#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file launcher_forkserver.hpp  Start method forkserver: the child is a copy of a small server, and still a child of ours.

#include <multiprocessing/detail/child_main.hpp>
#include <multiprocessing/detail/child_message.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launcher_spawn.hpp>
#include <multiprocessing/detail/launching.hpp>
#include <multiprocessing/detail/platform/channel.hpp>
#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/surroundings.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Asks the server for a copy of itself. With it travel the strand, the end that says the subtree is alive, and, as far
/// as the flags say so, standard output, standard error and the working directory, in this order.
struct ForkRequest {
    Position message;
    platform::SignalMask mask;
    bool has_output;
    bool has_error;
    bool has_folder;
    std::uint64_t handles; ///< Among the target's arguments: they follow, in messages of nothing else.
};

/// The server's answer.
struct ForkReply {
    int pid;   ///< 0: no child was made.
    int error; ///< Why, as an errno; 0 if the kernel refuses this kind of fork.
};

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
    return {reinterpret_cast<const std::byte*>(&value), sizeof value};
}

/// The life of a copy of the server; does not return into the server's loop.
[[noreturn]] inline void live_as_copy(const ForkRequest& request, std::vector<platform::Handle>& handles,
                                      TreeMember& server) noexcept {
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
        const platform::Handle folder = take(request.has_folder);
        while (next < handles.size()) { // from here on our own: not for a child of ours
            self().given.emplace_back(handles[next].release());
            ++next;
        }

        message = read_message(server.space, request.message);
        self().alive.pop_back(); // that one says the server is alive; the ancestors' are ours, too
        ChildRecord& record = server.space.at<ChildRecord>(message.start.record);
        process_wide<Tree>().join(server.owner, message.start.name, &record.touched);
        platform::ignore_interrupt(self().ignored_interrupt_before);
        become_child(message.start, std::move(strand), std::move(alive));
        platform::take_standard_outputs({output.native(), error.native()});
        platform::apply_surroundings(message.changes, folder);
        platform::leave_word(state_word_name, state_root().word); // the environment may be another one now
        request.mask.apply();
    } catch (const std::exception& error) { refuse_child(message.start, error); }
    run_child(message.start, message.payload);
}

/// Target of the server process: it copies itself on demand, until its parent closes the channel. It has one thread, and
/// a copy costs the same however large the parent is, as the server was made anew.
struct ServeForks {
    static void run(TargetFrame& frame) {
        if (!frame.payload.empty()) run_preload(frame.payload);
        const platform::Handle channel = std::move(self().channel);
        // A rehearsal: what a copy is the first to call, the dynamic linker has to look up in every copy anew.
        platform::take_standard_outputs(platform::standard_outputs());
        while (std::optional<platform::Message> message = platform::receive(channel)) {
            platform::send(channel, bytes_of(copy_for(*message, channel)), {});
        }
    }

private:
    /// The function of set_forkserver_preload().
    static void run_preload(std::span<const std::byte> payload) {
        CodeAddress place;
        std::memcpy(&place, payload.data(), sizeof place);
        const void* const preload = resolve(place, 0);
        reinterpret_cast<void (*)()>(reinterpret_cast<std::uintptr_t>(preload))();
    }

    static ForkReply copy_for(platform::Message& message, const platform::Handle& channel) {
        ForkRequest request{0, platform::SignalMask::of_caller(), false, false, false, 0};
        if (message.bytes.size() != sizeof request || message.handles.size() < 2) return {0, EINVAL};
        std::memcpy(&request, message.bytes.data(), sizeof request);
        while (request.handles > 0) {
            std::optional<platform::Message> more = platform::receive(channel);
            if (!more || more->handles.empty() || more->handles.size() > request.handles) return {0, EMFILE};
            request.handles -= more->handles.size();
            for (platform::Handle& handle : more->handles) message.handles.push_back(std::move(handle));
        }
        for (const auto& handle : message.handles)
            platform::HandleTraits::keep_in_forked_child(handle.native());
        platform::flush_standard_streams();
        TreeMember& server = tree();
        process_wide<Tree>().prepare_join();
        self().starts_child_by_fork = true;
        before_fork(); // this kind of fork does not run the handlers of fork()
        std::optional<int> pid;
        int error = 0;
        try {
            pid = platform::fork_sibling();
        } catch (const std::system_error& refused) { error = refused.code().value(); }
        const bool in_child = pid && *pid == 0;
        after_fork(in_child);
        self().starts_child_by_fork = false;
        if (in_child) live_as_copy(request, message.handles, server);
        return {pid.value_or(0), error};
    }
};

/// Starts the server of this process, at its first need.
inline ForkServer& running_server(Launching& launching) {
    if (launching.server) return *launching.server;
    LaunchRequest request{StartMethod::spawn,
                          {"ForkServer", true, {}},
                          thunk_address<ServeForks, TargetFrame>(),
                          thunk_file<ServeForks, TargetFrame>()};
    if (launching.preload) {
        const CodeAddress place = code_address_of(reinterpret_cast<const void*>(launching.preload));
        const auto bytes = bytes_of(place);
        request.payload.assign(bytes.begin(), bytes.end());
    }
    request.serves = true;
    auto [here, there] = platform::make_channel();
    Birth birth{request, launching.lifeline()};
    Block message = write_message(birth.start, request.payload, {});
    platform::Surroundings surroundings = platform::Surroundings::here();
    platform::Child process = start_by_spawn(birth, request, message, launching, there);
    auto child = birth.into_child(std::move(process), std::move(message));
    launching.server.emplace(ForkServer{std::move(here), std::move(child), std::move(surroundings)});
    return *launching.server;
}

/// In messages of as many as one may have.
inline void send_handles(const platform::Handle& channel, std::span<const platform::Handle> handles) {
    constexpr std::size_t most = 64;
    std::vector<platform::NativeHandle> some;
    for (const platform::Handle& handle : handles) {
        some.push_back(handle.native());
        if (some.size() < most && &handle != &handles.back()) continue;
        platform::send(channel, bytes_of(std::uint8_t{0}), {some.data(), some.size()});
        some.clear();
    }
}

inline platform::Child start_by_forkserver(Birth& birth, const LaunchRequest& request, Block& message,
                                           Launching& launching) {
    for (bool again = false;; again = true) {
        ForkServer& server = running_server(launching);
        const platform::Surroundings now = platform::Surroundings::here();
        message = write_message(birth.start, request.payload, now.changes(server.surroundings));
        const platform::Handle folder = now.folder(server.surroundings);
        const auto outputs = platform::standard_outputs();
        const auto is_open = [](platform::NativeHandle handle) {
            return handle != platform::HandleTraits::invalid();
        };
        const ForkRequest fork_request{message.position(),  request.mask,   is_open(outputs[0]),
                                       is_open(outputs[1]), folder.valid(), handles_of(request).size()};
        std::vector<platform::NativeHandle> handles{birth.strand.native(), birth.alive.writer.native()};
        for (const platform::NativeHandle handle : {outputs[0], outputs[1], folder.native()}) {
            if (is_open(handle)) handles.push_back(handle);
        }
        std::optional<platform::Message> answer;
        try {
            platform::send(server.channel, bytes_of(fork_request), {handles.data(), handles.size()});
            send_handles(server.channel, handles_of(request));
            answer = platform::receive(server.channel);
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::broken_pipe) {
                launching.stop_server(); // it may wait for the rest of the handles
                throw;
            }
        }
        ForkReply reply{};
        if (answer && answer->bytes.size() == sizeof reply) {
            std::memcpy(&reply, answer->bytes.data(), sizeof reply);
            if (reply.pid) return platform::Child{reply.pid};
            if (reply.error)
                platform::throw_error({reply.error, std::generic_category()}, "fork, in the fork server");
            // This kernel (or its seccomp filter) refuses to make siblings: spawn needs the same of the program.
            return start_by_spawn(birth, request, message, launching);
        }
        // It has ended: killed by somebody, or it refused to begin. A fresh one gets one chance.
        const std::shared_ptr<ChildProcess> ended = server.process;
        launching.server.reset();
        ended->end();
        if (!ended->refusal().empty()) throw ProcessError(ended->refusal());
        if (again)
            throw ProcessError(
                "multiprocessing: the fork server ended twice without making a child (exit code " +
                std::to_string(ended->poll()->exitcode.value_or(-1)) + ")");
    }
}

} // namespace multiprocessing::inline v1::detail
