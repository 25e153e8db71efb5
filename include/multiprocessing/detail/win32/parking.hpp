#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file parking.hpp  Win32 twin: a named event per word, which exists while somebody sleeps.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cwchar>

#include <boost/winapi/access_rights.hpp>
#include <boost/winapi/event.hpp>
#include <boost/winapi/thread.hpp>
#include <boost/winapi/wait.hpp>

#include <multiprocessing/detail/win32/api.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// WaitOnAddress wakes nobody in another process. An auto-reset event does, and it is a flag, never a count: what was
/// set for one who was killed is one look in vain for the next.
///
/// A sleeper makes or opens the event *first* and looks at the word *second*; a waker changes the word first and looks
/// for the event second. So either the waker finds the event, or the sleeper, who came later, sees the word changed.
/// The system keeps the names under a lock, which orders the one before the other.
///
/// No event is kept. It vanishes with its last sleeper, killed ones included, and whatever is set in it with it: words
/// cost nothing while nobody sleeps, and a wake then is one name that is not found.
class Parking {
public:
    Parking(const void* base, ParkingKey key) noexcept
        : base_(static_cast<const std::byte*>(base)), key_(key) {}

    void sleep(const Word& word, std::uint32_t expected, std::chrono::nanoseconds at_most) const {
        const Handle event{winapi::CreateEventW(nullptr, false, false, Name(*this, word).text)};
        if (!event.valid()) {
            winapi::Sleep(1); // no memory for it: whoever sleeps looks again, so a nap will do
            return;
        }
        // Between a look and the wait that follows it, a wake may come and be used up by a sleeper who expects another
        // value. The word is busiest at the beginning, when all who share it come and go: hence a second look soon.
        constexpr std::chrono::nanoseconds soon = std::chrono::milliseconds{2};
        const std::chrono::nanoseconds first = at_most < soon ? at_most : soon;
        for (const std::chrono::nanoseconds span : {first, at_most - first}) {
            if (word.load() != expected) return;
            const winapi::DWORD_ state = winapi::WaitForSingleObject(event.native(), milliseconds(span));
            if (state == winapi::WAIT_TIMEOUT_) continue;
            // Others may have looked before the word changed and not begun to wait: pass the wake on.
            // killed here: they find out at their second look, or when their slice ends.
            if (word.load() != expected) winapi::SetEvent(event.native());
            return;
        }
    }

    void wake_one(const Word& word) const noexcept {
        if (const Handle event = open(word); event.valid()) winapi::SetEvent(event.native());
    }

    void wake_all(const Word& word) const noexcept {
        const Handle event = open(word);
        if (!event.valid()) return;
        // Setting it releases one who waits, there and then. As long as it does not stay set, there was one. The bound
        // is for sleepers who come back as fast as they are woken.
        for (int i = 0; i < 10'000; ++i) {
            winapi::SetEvent(event.native());
            if (winapi::WaitForSingleObject(event.native(), 0) == winapi::WAIT_OBJECT_0_) break;
        }
        winapi::SetEvent(event.native()); // for those who have looked and do not wait yet: they pass it on
    }

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

    Handle open(const Word& word) const noexcept {
        return Handle{winapi::OpenEventW(winapi::EVENT_MODIFY_STATE_ | winapi::SYNCHRONIZE_, false,
                                         Name(*this, word).text)};
    }

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
