#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file parking.hpp  Win32 twin: a named event per word, which exists while a thread sleeps.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cwchar>

#include <boost/winapi/access_rights.hpp>
#include <boost/winapi/event.hpp>
#include <boost/winapi/thread.hpp>
#include <boost/winapi/wait.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// WaitOnAddress wakes no thread of another process. An auto-reset event does, and it is a flag,
/// never a count: what was set for a sleeper that was killed is one look in vain for the next.
///
/// A sleeper makes or opens the event *first* and looks at the word *second*; a waker changes the
/// word first and looks for the event second. So either the waker finds the event, or the sleeper,
/// which came later, sees the word changed. The system keeps the names under a lock, which orders
/// the one before the other.
///
/// No event is kept. It vanishes with its last sleeper, killed ones included, and what is still set
/// in it with it: words cost nothing while nobody sleeps, and a wake then is a name that is not
/// found.
class Parking {
public:
    Parking(const void* base, ParkingKey key) noexcept
        : base_(static_cast<const std::byte*>(base)), key_(key) {}

    void sleep(const Word& word, std::uint32_t expected, std::chrono::nanoseconds at_most) const {
        const Handle event{winapi::CreateEventW(nullptr, false, false, Name(*this, word).text)};
        if (!event.valid()) {
            winapi::Sleep(1); // no memory for it: a sleeper looks again, so a nap will do
            return;
        }
        // A wake that comes between a look and the wait that follows it stays set in the event,
        // where a sleeper that already expects the new value may take it. Seen three times in
        // 20,000 rounds of a barrier of 8. Such things happen while all are on their way to sleep:
        // hence a second look soon after.
        constexpr std::chrono::nanoseconds soon = std::chrono::milliseconds{2};
        const std::chrono::nanoseconds first = at_most < soon ? at_most : soon;
        for (const std::chrono::nanoseconds span : {first, at_most - first}) {
            if (word.load() != expected) return;
            const winapi::DWORD_ state = winapi::WaitForSingleObject(event.native(), to_milliseconds(span));
            if (state == winapi::WAIT_TIMEOUT_) continue;
            // Setting the event releases the longest waiter: all that expect the old value, one by
            // one, before those that came later. Killed here: the others look again when their time
            // is up.
            if (word.load() != expected) winapi::SetEvent(event.native());
            return;
        }
    }

    bool wake_one(const Word& word) const noexcept {
        const Handle event{winapi::OpenEventW(winapi::EVENT_MODIFY_STATE_, false, Name(*this, word).text)};
        if (event.valid()) winapi::SetEvent(event.native());
        return event.valid();
    }

    // The sleepers pass it on. Setting the event until no sleeper takes it does worse: those that
    // were woken are back asleep, for the next value, before the last is awake, and are woken in
    // vain without end.
    bool wake_all(const Word& word) const noexcept { return wake_one(word); }

private:
    /// The key is random, so nobody meets this name by chance.
    struct Name {
        wchar_t text[64];

        Name(const Parking& parking, const Word& word) noexcept {
            const auto offset = reinterpret_cast<const std::byte*>(&word) - parking.base_;
            std::swprintf(text, sizeof text / sizeof *text, L"Local\\mp-%016llx%016llx-%llx",
                          static_cast<unsigned long long>(parking.key_[0]),
                          static_cast<unsigned long long>(parking.key_[1]),
                          static_cast<unsigned long long>(offset));
        }
    };

    const std::byte* base_;
    ParkingKey key_;
};

inline std::uint32_t current_processor() noexcept { return GetCurrentProcessorNumber(); }

inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

} // namespace multiprocessing::inline v1::detail::platform
