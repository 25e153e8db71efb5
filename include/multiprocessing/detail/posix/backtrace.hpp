#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file backtrace.hpp  POSIX twin: the unwinder that exceptions need anyway, dladdr,
/// __cxa_demangle: nothing to link.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/executable.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <typeinfo>
#include <utility>

#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>
#include <unwind.h>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::string readable(const char* name);

MULTIPROCESSING_INLINE std::string current_exception_name();

/// Where the stack of this thread ends that user code has; 0 if it runs none for us.
inline constinit thread_local std::uintptr_t user_code_floor MULTIPROCESSING_VISIBLE = 0;

/// User code runs from here on, called by the function that has this object.
class UserCode {
public:
    static constexpr bool ends_traces = true; ///< Whether the system can.

    // Inlined: the frame is that of the function.
    __attribute__((always_inline)) UserCode() noexcept
        : before_(
              std::exchange(user_code_floor, reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)))) {}
    UserCode(const UserCode&) = delete;
    UserCode& operator=(const UserCode&) = delete;
    ~UserCode() { user_code_floor = before_; }

private:
    const std::uintptr_t before_;
};

/// Return addresses, innermost first. Takes no memory and no lock: a handler of a crash may fill
/// it.
struct Frames {
    static constexpr int most = 64;
    void* at[most];
    int count = 0;
    bool cut = false; ///< At the floor: the last frame is that of the caller of user code.

    __attribute__((noinline)) void fill() noexcept {
        count = 0;
        cut = false;
        _Unwind_Backtrace(
            [](_Unwind_Context* context, void* argument) {
                Frames& frames = *static_cast<Frames*>(argument);
                // What the unwinder calls the frame's address is where its callee's frame ends.
                if (user_code_floor != 0 && _Unwind_GetCFA(context) > user_code_floor) {
                    frames.cut = true;
                    return _URC_END_OF_STACK;
                }
                if (frames.count == most) return _URC_END_OF_STACK;
                frames.at[frames.count++] = reinterpret_cast<void*>(_Unwind_GetIP(context));
                return _URC_NO_REASON;
            },
            this);
    }
};

/// A place in the code, for people.
struct Place {
    std::string image;
    std::uintptr_t offset = 0; ///< As addr2line takes it.
    std::string symbol;        ///< As the linker has it; empty if the image exports none.

    static Place of(const void* address);

    /// Finds the image, where there is no dynamic linker.
    void find_image(std::uintptr_t address);

    /// Returns whether it is in a library whose names and lines nobody here can have.
    bool is_of_system() const;

    /// Returns whether the code is that of this library: the name begins with its namespace,
    /// whatever is around it.
    bool is_ours() const;

    std::string text() const;
};

/// Returns the frames as text, without those of this library unless there are no others; then,
/// where names are wanting, how to get them. `Places`: any range of Place.
template <class Places>
std::string text_of_places(const Places& places) {
    bool all = true;
    for (const Place& place : places) all = all && place.is_ours();
    std::string lines;
    std::map<std::string, std::string> nameless;
    for (const Place& place : places) {
        if (place.is_ours() && !all) continue;
        lines += place.text();
        if (!place.symbol.empty() || place.image.empty() || place.is_of_system()) continue;
        char number[32];
        std::snprintf(number, sizeof number, " 0x%zx", static_cast<std::size_t>(place.offset - 1));
        nameless[place.image] += number;
    }
    for (const auto& [image, numbers] : nameless)
        lines += "(for names link with -rdynamic, or ask: addr2line -Cfipe " + image + numbers + ")\n";
    return lines;
}

MULTIPROCESSING_INLINE std::string text_of_frames(const Frames& frames, int skip);

__attribute__((noinline)) inline std::string backtrace(int skip) {
    Frames frames;
    frames.fill();
    return text_of_frames(frames, skip + 2); // fill() and this
}

/// Nothing is ever of this class. A catch clause of it asks the runtime, while it looks for who
/// handles an exception, whether that is of this class, and the answer is ours to give: by then it
/// is thrown, and its stack is still there.
class MULTIPROCESSING_VISIBLE ThrowProbe {
public:
    virtual ~ThrowProbe(); // not defined: so the compiler takes the typeinfo from elsewhere
    ThrowProbe(const ThrowProbe&) = delete;
    ThrowProbe& operator=(const ThrowProbe&) = delete;
};

/// Where the last exception of this thread that passed a probe was thrown.
struct Thrown {
    Frames frames;
    const void* object = nullptr; ///< The exception; null: there is none, or it was told of.
};
inline thread_local Thrown last_thrown MULTIPROCESSING_VISIBLE;

/// A std::type_info as the runtime sees one, in the layout of the Itanium ABI, as libstdc++ and
/// libc++abi agree on it: made by hand, as the compiler's has no answer of its own, and as nothing
/// of ours may run before main().
struct ProbeTable {
    std::ptrdiff_t offset;
    const void* type;
    void (*destroy)(const void*);
    void (*destroy_and_free)(const void*);
    bool (*is_pointer)(const void*);
    bool (*is_function)(const void*);
    bool (*catches)(const void*, const std::type_info*, void**, unsigned);
    bool (*casts)(const void*, const void*, void**);
};
struct ProbeType {
    void (*const* table)(const void*);
    const char* name;
};

MULTIPROCESSING_INLINE bool see_thrown(const void*, const std::type_info*, void** object, unsigned) noexcept;
inline constexpr ProbeTable probe_table{0,
                                        nullptr,
                                        [](const void*) {},
                                        [](const void*) {},
                                        [](const void*) { return false; },
                                        [](const void*) { return false; },
                                        &see_thrown,
                                        [](const void*, const void*, void**) { return false; }};
inline constexpr char probe_name[] = "N15multiprocessing2v16detail8platform10ThrowProbeE";
__attribute__((used)) MULTIPROCESSING_VISIBLE inline constinit const ProbeType
    probe_type __asm__("_ZTIN15multiprocessing2v16detail8platform10ThrowProbeE") = {&probe_table.destroy,
                                                                                    probe_name};

/// Returns whether the function of that frame throws what it is told to.
MULTIPROCESSING_INLINE bool throws(const void* frame);

/// Returns how many frames are those of the probe, of the runtime's search, and of what was called
/// to throw.
MULTIPROCESSING_INLINE int frames_of_throwing(const Frames& frames);

MULTIPROCESSING_INLINE std::string thrown_trace();

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::string readable(const char* name) {
    int status = 0;
    char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string result = status == 0 ? text : name;
    std::free(text);
    return result;
}

MULTIPROCESSING_INLINE std::string current_exception_name() {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    return type ? readable(type->name()) : "(an exception of another language)";
}

MULTIPROCESSING_INLINE Place Place::of(const void* address) {
    Place place;
    Dl_info info{};
    void* extra = nullptr;
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    // An address is where a call returns to: that may be behind the function, if the call was
    // its last word.
    if (::dladdr1(reinterpret_cast<const void*>(number - 1), &info, &extra, RTLD_DL_LINKMAP) == 0 ||
        !info.dli_fname) {
        place.find_image(number);
        return place;
    }
    const auto* const image = static_cast<const link_map*>(extra);
    place.image = *image->l_name ? image->l_name : program_path().string();
    place.offset = number - image->l_addr;
    if (info.dli_sname) place.symbol = info.dli_sname;
    return place;
}

MULTIPROCESSING_INLINE void Place::find_image(std::uintptr_t address) {
    offset = address;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* argument) {
            Place& place = *static_cast<Place*>(argument);
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& segment = info->dlpi_phdr[i];
                const std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
                if (segment.p_type != PT_LOAD || place.offset < begin ||
                    place.offset - begin >= segment.p_memsz)
                    continue;
                place.image = *info->dlpi_name ? info->dlpi_name : program_path().string();
                place.offset -= info->dlpi_addr;
                return 1;
            }
            return 0;
        },
        this);
}

MULTIPROCESSING_INLINE bool Place::is_of_system() const {
    return image.starts_with("/lib") || image.starts_with("/usr/lib");
}

MULTIPROCESSING_INLINE bool Place::is_ours() const {
    std::string_view name = symbol;
    if (!name.starts_with("_Z")) return false;
    name.remove_prefix(2);
    const std::size_t begin = name.find_first_not_of("ZNKLV");
    return begin != name.npos && name.substr(begin).starts_with("15multiprocessing2v1");
}

MULTIPROCESSING_INLINE std::string Place::text() const {
    char number[32];
    std::snprintf(number, sizeof number, image.empty() ? "0x%zx" : "+0x%zx", static_cast<std::size_t>(offset));
    return (symbol.empty() ? "" : readable(symbol.c_str()) + " ") +
           (image.empty() ? number : "(" + image + number + ")") + "\n";
}

MULTIPROCESSING_INLINE std::string text_of_frames(const Frames& frames, int skip) {
    // The last one before the floor is ours; it is kept where user code was inlined into it.
    const int end = frames.cut && frames.count - 1 > skip ? frames.count - 1 : frames.count;
    Place places[Frames::most];
    const int count = end > skip ? end - skip : 0;
    for (int i = 0; i < count; ++i) places[i] = Place::of(frames.at[skip + i]);
    struct Range {
        const Place* first;
        const Place* last;
        const Place* begin() const { return first; }
        const Place* end() const { return last; }
    };
    return text_of_places(Range{places, places + count});
}

MULTIPROCESSING_INLINE bool see_thrown(const void*, const std::type_info*, void** object, unsigned) noexcept {
    last_thrown.frames.fill();
    last_thrown.object = object ? *object : nullptr;
    return false;
}

MULTIPROCESSING_INLINE bool throws(const void* frame) {
    const std::string symbol = Place::of(frame).symbol;
    return symbol == "__cxa_throw" || symbol == "__cxa_rethrow" ||
           symbol == "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE";
}

MULTIPROCESSING_INLINE int frames_of_throwing(const Frames& frames) {
    int own = 5; // where no image exports names
    for (int i = 0; i < 8 && i < frames.count; ++i) {
        if (throws(frames.at[i])) own = i + 1;
    }
    return own;
}

MULTIPROCESSING_INLINE std::string thrown_trace() {
    const void* const object = std::exchange(last_thrown.object, nullptr);
    if (!object) return {};
    // Of a pointer, its value was told to the probe.
    const std::type_info* const type = abi::__cxa_current_exception_type();
    if (!type) return {};
    if (type->name()[0] != 'P') {
        const std::exception_ptr current = std::current_exception();
        const void* thrown = nullptr;
        // It is a pointer to the object, by the ABI.
        // NOLINTNEXTLINE(bugprone-undefined-memory-manipulation)
        std::memcpy(&thrown, &current, sizeof thrown);
        if (thrown != object) return {};
    }
    return text_of_frames(last_thrown.frames, frames_of_throwing(last_thrown.frames));
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
