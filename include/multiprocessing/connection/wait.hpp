#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file wait.hpp  Waiting until any of several Connections, Listeners, processes or handles is
/// ready.

#include <multiprocessing/connection/connection.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/transport.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/sentinel.hpp>
#include <multiprocessing/timeout.hpp>

#include <concepts>
#include <initializer_list>
#include <ranges>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::connection {

/// What wait() waits for: a Connection, a Listener, the Sentinel of a Process, or a handle of the
/// operating system. Refers to it without owning it, and stays valid as long as that is open,
/// wherever it is moved to. Two that refer to the same are equal.
class Waitable {
public:
    Waitable(const Connection& connection) : transport_(&connection.receiving()) {}
    Waitable(Connection&&) = delete; // it would be gone before the wait
    Waitable(const Connection&&) = delete;
    Waitable(const Sentinel& sentinel) : handle_(sentinel.native_handle()) {}

    /// Returns the handle of the operating system.
    detail::platform::NativeHandle fileno() const;

    friend bool operator==(const Waitable&, const Waitable&) noexcept = default;

private:
    friend std::vector<Waitable> wait_for(std::vector<Waitable> all, Timeout timeout);
    friend Waitable native(detail::platform::NativeHandle handle) noexcept;
    struct Native {
        detail::platform::NativeHandle handle;
    };
    explicit Waitable(Native native) noexcept : handle_(native.handle) {}

    detail::Transport* transport_ = nullptr;
    detail::platform::NativeHandle handle_ = detail::platform::HandleTraits::invalid();
};

/// Makes wait() accept a handle of the operating system: a descriptor that polls readable when
/// there is something to read (a socket, a pipe, a timerfd, an eventfd); on Windows any HANDLE that
/// can be waited for. The handle stays the caller's. Python: an integer, or an object with
/// `fileno()`, in the list for `multiprocessing.connection.wait`.
MULTIPROCESSING_INLINE Waitable native(detail::platform::NativeHandle handle) noexcept;

/// Does the work of wait().
MULTIPROCESSING_INLINE std::vector<Waitable> wait_for(std::vector<Waitable> all, Timeout timeout);

/// Waits until at least one of `range` is ready, and returns all that are, in the order of `range`;
/// an empty vector after the timeout. A Connection is ready when a message begins to arrive or the
/// other end has closed; a Listener while a client waits for accept(); a Sentinel when its process
/// has ended. With an empty `range` it returns after the timeout, or at once if there is none.
/// Python: `multiprocessing.connection.wait`.
template <std::ranges::input_range Range>
    requires std::convertible_to<std::ranges::range_reference_t<Range>, Waitable>
std::vector<Waitable> wait(Range&& range, Timeout timeout = no_timeout) {
    std::vector<Waitable> all;
    for (auto&& one : range) all.push_back(Waitable(std::forward<decltype(one)>(one)));
    return wait_for(std::move(all), timeout);
}
MULTIPROCESSING_INLINE std::vector<Waitable> wait(std::initializer_list<Waitable> list,
                                                  Timeout timeout = no_timeout);

} // namespace multiprocessing::inline v1::connection

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/connection/wait_any.hpp>

#include <cstddef>

namespace multiprocessing::inline v1::connection {

MULTIPROCESSING_INLINE detail::platform::NativeHandle Waitable::fileno() const {
    return transport_ ? transport_->expose().native() : handle_;
}

MULTIPROCESSING_INLINE Waitable native(detail::platform::NativeHandle handle) noexcept {
    return Waitable(Waitable::Native{handle});
}

MULTIPROCESSING_INLINE std::vector<Waitable> wait_for(std::vector<Waitable> all, Timeout timeout) {
    if (all.empty() && !timeout.span()) return all;
    std::vector<detail::Waited> waited;
    waited.reserve(all.size());
    for (const Waitable& one : all) waited.push_back({one.transport_, one.handle_});
    std::vector<Waitable> ready;
    for (const std::size_t i : detail::wait_connections(waited, detail::Deadline::after(timeout)))
        ready.push_back(all[i]);
    return ready;
}

MULTIPROCESSING_INLINE std::vector<Waitable> wait(std::initializer_list<Waitable> list, Timeout timeout) {
    return wait_for(std::vector<Waitable>(list), timeout);
}

} // namespace multiprocessing::inline v1::connection

#endif // MULTIPROCESSING_BODIES
