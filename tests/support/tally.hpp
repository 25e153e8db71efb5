#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file tally.hpp  A shared handle of the tests' own: counters that any process can add to, and wait for.

#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace support {

/// 64 shared counters. Python's nearest: `multiprocessing.Array('q', 64)` with a Condition.
class Tally
    : public multiprocessing::detail::HandleBase<
          Tally, std::pair<multiprocessing::detail::ParkingPlace, std::array<std::atomic<std::int64_t>, 64>>> {
public:
    static constexpr char kind[] = "Tally";

    Tally() = default;

    std::int64_t add(int index, std::int64_t value) const {
        const auto result = counter(index).fetch_add(value) + value;
        multiprocessing::detail::post(parking(), body().first);
        return result;
    }
    void set(int index, std::int64_t value) const {
        counter(index).store(value);
        multiprocessing::detail::post(parking(), body().first);
    }
    std::int64_t get(int index) const { return counter(index).load(); }

    /// Waits until a counter is at least `value`; throws if that takes a minute.
    void wait_for(int index, std::int64_t value) const {
        const auto deadline = multiprocessing::detail::Deadline::after(std::chrono::seconds{60});
        if (!multiprocessing::detail::wait(parking(), body().first, deadline,
                                           [&] { return get(index) >= value; })) {
            throw std::runtime_error("Tally: nobody counted " + std::to_string(index) + " up to " +
                                     std::to_string(value));
        }
    }

private:
    friend HandleBase;
    explicit Tally(multiprocessing::detail::Received received) : HandleBase(std::move(received)) {}

    std::atomic<std::int64_t>& counter(int index) const {
        return body().second.at(static_cast<std::size_t>(index));
    }
    multiprocessing::detail::platform::Parking& parking() const { return (body(), member().space.parking()); }
};

} // namespace support
