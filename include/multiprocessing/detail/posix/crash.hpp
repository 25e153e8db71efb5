#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file crash.hpp  POSIX twin: handlers for the signals of crashes, on a stack of their own.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// An image that was loaded when crashes began to be recorded: a handler may not ask for that.
struct CrashImage {
    std::uintptr_t begin;
    std::uintptr_t end;
    std::uintptr_t origin; ///< What its symbols are relative to.
    std::string path;
};

/// What the handler needs, made beforehand, and kept until the process ends.
struct CrashPlan {
    std::span<char> text;
    std::vector<CrashImage> images;
    std::vector<std::byte> stack;
    pid_t pid;
};
inline constinit CrashPlan* crash_plan = nullptr;

/// Appends to memory of a fixed size. Calls nothing, so a handler may use it.
class CrashText {
public:
    explicit CrashText(std::span<char> room) noexcept : room_(room) {}
    void put(std::string_view letters) noexcept;
    void put_hex(std::uintptr_t number) noexcept;

private:
    std::span<char> room_;
    std::size_t size_ = 0;
};

/// Returns the instruction that a signal interrupted; 0 where that is not known.
MULTIPROCESSING_INLINE std::uintptr_t interrupted_at(const void* context) noexcept;

MULTIPROCESSING_INLINE void write_crash(const CrashPlan& plan, std::uintptr_t crash) noexcept;

/// Ends the process as it would have ended without us: the default action is in force again. An
/// instruction that failed fails again, with all that a core dump wants to see still in place; a
/// signal that was sent is sent again.
MULTIPROCESSING_INLINE void on_crash(int signal, siginfo_t* info, void* context) noexcept;

/// Returns the path of the program, whatever it was called as, or of a library as it was found.
MULTIPROCESSING_INLINE std::string path_of(const dl_phdr_info& image);

MULTIPROCESSING_INLINE void record_crashes(std::span<char> text);

/// Returns the symbol that an image exports for what lies there; empty if there is none, or no such
/// image here.
MULTIPROCESSING_INLINE std::string exported_symbol(const std::string& path, std::uintptr_t offset);

MULTIPROCESSING_INLINE std::string with_names(const std::string& text);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/platform/process_family.hpp>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE void CrashText::put(std::string_view letters) noexcept {
    for (const char letter : letters) {
        if (size_ + 1 < room_.size()) room_[size_++] = letter;
    }
    room_[size_] = 0;
}

MULTIPROCESSING_INLINE void CrashText::put_hex(std::uintptr_t number) noexcept {
    char digits[2 * sizeof number];
    std::size_t count = 0;
    do digits[count++] = "0123456789abcdef"[number % 16];
    while ((number /= 16) != 0);
    while (count > 0) put({&digits[--count], 1});
}

MULTIPROCESSING_INLINE std::uintptr_t interrupted_at(const void* context) noexcept {
    [[maybe_unused]] const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__) && defined(REG_RIP)
    return static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return static_cast<std::uintptr_t>(machine.pc);
#else
    return 0;
#endif
}

MULTIPROCESSING_INLINE void write_crash(const CrashPlan& plan, std::uintptr_t crash) noexcept {
    Frames frames; // nothing is allocated for it, once the unwinder has been called before
    frames.fill();
    int first = 0; // the handler's own frames come before
    for (int i = 0; i < frames.count; ++i) {
        if (reinterpret_cast<std::uintptr_t>(frames.at[i]) != crash) continue;
        first = i;
        break;
    }
    // The last one before the floor is ours; it is kept where user code was inlined into it.
    const int end = frames.cut && frames.count - 1 > first ? frames.count - 1 : frames.count;
    CrashText text{plan.text};
    for (int i = first; i < end; ++i) {
        const auto address = reinterpret_cast<std::uintptr_t>(frames.at[i]);
        const CrashImage* found = nullptr;
        for (const CrashImage& image : plan.images) {
            if (address >= image.begin && address < image.end) found = &image;
        }
        if (found) {
            text.put("(");
            text.put(found->path);
            text.put("+0x");
            text.put_hex(address - found->origin);
            text.put(")\n");
        } else {
            text.put("0x");
            text.put_hex(address);
            text.put("\n");
        }
    }
}

MULTIPROCESSING_INLINE void on_crash(int signal, siginfo_t* info, void* context) noexcept {
    ::signal(signal, SIG_DFL); // it may not be so, if another handler has called this one
    // A process that a task has forked writes nothing: it is not this process that crashed.
    if (CrashPlan* const plan = crash_plan; plan && plan->pid == ::getpid()) {
        crash_plan = nullptr; // threads may crash together, and writing about it may crash
        write_crash(*plan, interrupted_at(context));
        end_descendants();
    }
    if (info->si_code <= 0) ::raise(signal);
}

MULTIPROCESSING_INLINE std::string path_of(const dl_phdr_info& image) {
    return *image.dlpi_name ? image.dlpi_name : program_path().string();
}

MULTIPROCESSING_INLINE void record_crashes(std::span<char> text) {
    auto* const plan = new CrashPlan{text, {}, {}, ::getpid()};
    Frames().fill(); // loads the unwinder now
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* argument) {
            std::uintptr_t end = info->dlpi_addr;
            std::uintptr_t begin = ~std::uintptr_t{0};
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& segment = info->dlpi_phdr[i];
                if (segment.p_type != PT_LOAD) continue;
                begin = (std::min<std::uintptr_t>)(begin, info->dlpi_addr + segment.p_vaddr);
                end = (std::max<std::uintptr_t>)(end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
            }
            static_cast<CrashPlan*>(argument)->images.push_back({begin, end, info->dlpi_addr, path_of(*info)});
            return 0;
        },
        plan);
    // A stack that has overflowed cannot hold the frame of a handler.
    stack_t stack{};
    if (::sigaltstack(nullptr, &stack) == 0 && (stack.ss_flags & SS_DISABLE)) {
        plan->stack.resize(static_cast<std::size_t>(64 * 1024));
        stack = {};
        stack.ss_sp = plan->stack.data();
        stack.ss_size = plan->stack.size();
        ::sigaltstack(&stack, nullptr);
    }
    crash_plan = plan;

    struct sigaction action {};
    action.sa_sigaction = on_crash;
    action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESETHAND);
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
        struct sigaction before {};
        if (::sigaction(signal, nullptr, &before) == 0 && !(before.sa_flags & SA_SIGINFO) &&
            before.sa_handler == SIG_DFL) {
            ::sigaction(signal, &action, nullptr);
        }
    }
}

MULTIPROCESSING_INLINE std::string exported_symbol(const std::string& path, std::uintptr_t offset) {
    struct Search {
        const std::string& path;
        std::uintptr_t offset;
        std::string symbol;
    } search{path, offset, {}};
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* argument) {
            Search& wanted = *static_cast<Search*>(argument);
            if (path_of(*info) != wanted.path) return 0;
            wanted.symbol = Place::of(reinterpret_cast<const void*>(info->dlpi_addr + wanted.offset)).symbol;
            return 1;
        },
        &search);
    return search.symbol;
}

MULTIPROCESSING_INLINE std::string with_names(const std::string& text) {
    std::vector<Place> places;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = (std::min)(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        at = end + 1;
        const std::size_t plus = line.rfind("+0x");
        Place place;
        if (plus != std::string::npos && line[0] == '(') {
            place.image = line.substr(1, plus - 1);
            place.offset = std::strtoull(line.c_str() + plus + 1, nullptr, 16);
            place.symbol = exported_symbol(place.image, place.offset);
        } else {
            place.offset = std::strtoull(line.c_str(), nullptr, 16);
        }
        places.push_back(std::move(place));
    }
    return text_of_places(places);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
