#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file cause.hpp  What can be told of the exception that is being handled: its type, its text,
/// where it was thrown.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/exceptions.hpp>

#include <exception>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Beside the type itself, what an exception is that came from another process: found again by
/// remote_cause().
struct MULTIPROCESSING_VISIBLE CarriesCause {
    RemoteCause cause;
};

/// An exception that knows where it was thrown: see throw_with_trace().
struct MULTIPROCESSING_VISIBLE CarriesTrace {
    std::string trace;
};

template <class E>
struct MULTIPROCESSING_VISIBLE Traced : E, CarriesTrace {
    Traced(E original, std::string stack) : E(std::move(original)), CarriesTrace{std::move(stack)} {}
};

/// Returns what people call the type of the exception that is being handled: without what
/// std::throw_with_nested and this library wrap around it.
MULTIPROCESSING_INLINE std::string current_exception_type();

/// Returns all but the trace of the exception that is being handled. One that came from a process
/// further down is told of as that process did, trace and all.
MULTIPROCESSING_INLINE RemoteCause current_cause();

/// Returns the stack where the exception that is being handled was thrown, if that is known; else
/// up to here.
MULTIPROCESSING_INLINE std::string current_trace();

/// Calls `handle()` as the handler of the exception that std::throw_with_nested put inside the one
/// that is being handled, if there is one.
template <class Handle>
void handle_nested_exception(Handle handle) {
    try {
        throw;
    } catch (const std::exception& exception) {
        try {
            std::rethrow_if_nested(exception);
        } catch (...) { handle(); }
    } catch (...) {}
}

/// Returns the exception that is being handled, for people: type and text whole, then what is
/// nested in it.
MULTIPROCESSING_INLINE std::string describe_current_exception(const char* lead = "  ", int depth = 0);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <mutex>
#include <string_view>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::string current_exception_type() {
    std::string name = readable(platform::current_exception_name());
    for (const std::string_view wrapper :
         {"std::_Nested_exception<", "multiprocessing::FromWorkerNested<", "multiprocessing::FromWorker<",
          "multiprocessing::detail::Traced<"}) {
        if (name.compare(0, wrapper.size(), wrapper) != 0) continue;
        name = name.substr(wrapper.size(), name.size() - wrapper.size() - 1);
    }
    return name;
}

MULTIPROCESSING_INLINE RemoteCause current_cause() {
    RemoteCause cause;
    try {
        throw;
    } catch (const CarriesCause& rebuilt) { return rebuilt.cause; } catch (const std::exception& exception) {
        cause.text = exception.what();
    } catch (const std::string& text) { cause.text = text; } catch (const char* text) {
        cause.text = text ? text : "";
    } catch (...) {}
    cause.type = current_exception_type();
    cause.pid = platform::current_pid();
    ThisProcess& me = this_process();
    std::lock_guard lock{me.mutex};
    cause.process = me.identity.name;
    return cause;
}

MULTIPROCESSING_INLINE std::string current_trace() {
    std::string thrown = platform::thrown_trace(); // asked first: throwing again is throwing
    try {
        throw;
    } catch (const CarriesTrace& traced) { return traced.trace; } catch (...) {
        return thrown.empty() ? platform::backtrace(1) : std::move(thrown);
    }
}

MULTIPROCESSING_INLINE std::string describe_current_exception(const char* lead, int depth) {
    const RemoteCause cause = current_cause();
    std::string text = lead + cause.type + (cause.text.empty() ? "" : ": " + cause.text) + "\n";
    handle_nested_exception([&] {
        if (depth < 100) text += describe_current_exception("  inside: ", depth + 1);
    });
    return text;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
