#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file wait_any.hpp  Waiting for any of many ends of connections and other handles.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/transport.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// An end of a connection, or else a handle.
struct Waited {
    Transport* transport;
    platform::NativeHandle handle;
};

/// Waits, and returns which of them are ready, ascending; none when the deadline passed.
MULTIPROCESSING_INLINE std::vector<std::size_t> wait_connections(std::span<const Waited> waited,
                                                                 Deadline deadline);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::vector<std::size_t> wait_connections(std::span<const Waited> waited,
                                                                 Deadline deadline) {
    // Each identity once, and in the one order that all threads have: watching locks them.
    struct Watched {
        const void* identity;
        Transport* transport;
        std::optional<platform::NativeHandle> handle;
        bool ready = false;
    };
    std::vector<Watched> watched;
    for (const Waited& one : waited) {
        if (one.transport) watched.push_back({one.transport->identity(), one.transport, {}});
    }
    const auto before = [](const Watched& a, const Watched& b) {
        return std::less<>{}(a.identity, b.identity);
    };
    const auto same = [](const Watched& a, const Watched& b) { return a.identity == b.identity; };
    std::sort(watched.begin(), watched.end(), before);
    watched.erase(std::unique(watched.begin(), watched.end(), same), watched.end());

    std::size_t begun = 0;
    const auto end_all = [&] {
        while (begun > 0) {
            Watched& one = watched[--begun];
            one.ready = one.transport->unwatch(one.ready);
        }
    };
    std::vector<std::size_t> ready;
    // What stirs a handle need not be a message; and the process that should stir it may have been
    // killed before it could: so now and then all is looked at.
    for (bool last = false; ready.empty() && !last; last = deadline.passed()) {
        bool at_once = false;
        const ScopeExit end_watch{end_all};
        for (Watched& one : watched) {
            one.handle = one.transport->watch();
            ++begun;
            at_once |= !one.handle;
        }
        std::vector<platform::NativeHandle> handles;
        for (const Watched& one : watched) {
            if (one.handle) handles.push_back(*one.handle);
        }
        for (const Waited& one : waited) {
            if (!one.transport) handles.push_back(one.handle);
        }
        // What comes of it, in the order of `handles`.
        const auto came =
            platform::wait_any({handles.data(), handles.size()},
                               Deadline::after(std::chrono::seconds{at_once ? 0 : 1}).sooner(deadline));
        std::vector<bool> is_ready(handles.size(), false);
        for (const std::size_t i : came) is_ready[i] = true;
        std::size_t next = 0;
        for (Watched& one : watched) one.ready = one.handle ? is_ready[next++] : true;
        end_all();
        for (std::size_t i = 0; i < waited.size(); ++i) {
            const bool yes =
                waited[i].transport
                    ? std::lower_bound(watched.begin(), watched.end(),
                                       Watched{waited[i].transport->identity(), nullptr, {}}, before)
                          ->ready
                    : is_ready[next++];
            if (yes) ready.push_back(i);
        }
    }
    return ready;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
