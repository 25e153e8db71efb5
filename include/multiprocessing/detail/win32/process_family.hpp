#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_family.hpp  Win32 twin: a snapshot of all processes, each of which says by which
/// one it was started.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <vector>

namespace multiprocessing::inline v1::detail::platform {

/// Not said: a snapshot takes too long for those who ask often.
inline std::vector<int> children_of(int) { return {}; }

class Descendants {
public:
    explicit Descendants(int pid);
    void kill() noexcept;

private:
    std::vector<Handle> processes_; // the nearest first
};

MULTIPROCESSING_INLINE void end_descendants() noexcept;
MULTIPROCESSING_INLINE void end_what_is_left_of(int pid) noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/win32/api.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <boost/winapi/get_current_process_id.hpp>
#include <boost/winapi/get_process_times.hpp>
#include <boost/winapi/process.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// PROCESSENTRY32W
struct ProcessEntry {
    winapi::DWORD_ size;
    winapi::DWORD_ users;
    winapi::DWORD_ id;
    winapi::ULONG_PTR_ heap;
    winapi::DWORD_ module_id;
    winapi::DWORD_ threads;
    winapi::DWORD_ parent;
    winapi::LONG_ priority;
    winapi::DWORD_ flags;
    winapi::WCHAR_ file[260];
};

/// When it was made; 0 if that is not known.
MULTIPROCESSING_INLINE std::uint64_t beginning_of(const Handle& process) noexcept {
    winapi::FILETIME_ begin{};
    winapi::FILETIME_ other{};
    if (!process.valid() || !winapi::GetProcessTimes(process.native(), &begin, &other, &other, &other))
        return 0;
    return std::uint64_t{begin.dwHighDateTime} << 32 | begin.dwLowDateTime;
}

MULTIPROCESSING_INLINE std::vector<ProcessEntry> all_processes() {
    using Snapshot = winapi::HANDLE_ BOOST_WINAPI_WINAPI_CC(winapi::DWORD_, winapi::DWORD_);
    using Next = winapi::BOOL_ BOOST_WINAPI_WINAPI_CC(winapi::HANDLE_, ProcessEntry*);
    constexpr winapi::DWORD_ of_processes = 2;
    auto* const snapshot = system_function<Snapshot>(L"kernel32.dll", "CreateToolhelp32Snapshot");
    auto* const first = system_function<Next>(L"kernel32.dll", "Process32FirstW");
    auto* const next = system_function<Next>(L"kernel32.dll", "Process32NextW");
    std::vector<ProcessEntry> all;
    if (!snapshot || !first || !next) return all;
    const Handle list{snapshot(of_processes, 0)};
    ProcessEntry entry{};
    entry.size = sizeof entry;
    for (bool is_there = list.valid() && first(list.native(), &entry); is_there;
         is_there = next(list.native(), &entry))
        all.push_back(entry);
    return all;
}

MULTIPROCESSING_INLINE Descendants::Descendants(int pid) {
    constexpr winapi::DWORD_ terminate = 0x0001;
    constexpr winapi::DWORD_ query = 0x1000;
    const std::vector<ProcessEntry> all = all_processes();
    struct Member {
        winapi::DWORD_ id;
        std::uint64_t begin;
    };
    const auto root = static_cast<winapi::DWORD_>(pid);
    std::vector<Member> family{{root, beginning_of(Handle{winapi::OpenProcess(query, false, root)})}};
    for (std::size_t i = 0; i < family.size(); ++i) {
        const Member parent = family[i];
        for (const ProcessEntry& entry : all) {
            if (entry.parent != parent.id || entry.id == parent.id) continue;
            Handle process{winapi::OpenProcess(terminate | query, false, entry.id)};
            // The id of a parent that has ended may be in use again, by a younger process.
            const std::uint64_t begin = beginning_of(process);
            if (begin == 0 || parent.begin == 0 || begin < parent.begin) continue;
            processes_.push_back(std::move(process));
            family.push_back({entry.id, begin});
        }
    }
}

MULTIPROCESSING_INLINE void Descendants::kill() noexcept {
    for (const Handle& process : processes_) winapi::TerminateProcess(process.native(), 1);
}

MULTIPROCESSING_INLINE void end_descendants() noexcept {
    end_what_is_left_of(static_cast<int>(winapi::GetCurrentProcessId()));
}

MULTIPROCESSING_INLINE void end_what_is_left_of(int pid) noexcept {
    try {
        Descendants{pid}.kill();
    } catch (const std::exception&) {} // no memory
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
