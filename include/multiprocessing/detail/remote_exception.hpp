#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file remote_exception.hpp  Exceptions that cross processes: taken apart where they were thrown, thrown again here.

#include <multiprocessing/detail/archive/type_name.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/self.hpp>
#include <multiprocessing/detail/standard_exceptions.hpp>
#include <multiprocessing/detail/state.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/reduction.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace detail {

/// An exception on the wire.
struct RemoteFailure {
    RemoteCause cause;
    std::string codec;                 ///< Who rebuilds it: the name of a type; empty for a RemoteError.
    std::vector<std::byte> payload;    ///< For that codec.
    std::vector<RemoteFailure> nested; ///< The one that std::throw_with_nested put inside it, if any.
};

/// Beside the type itself, what a rebuilt exception is: found again by remote_cause().
struct MULTIPROCESSING_VISIBLE CarriesCause {
    RemoteCause cause;
};

template <class E>
struct MULTIPROCESSING_VISIBLE Rebuilt : E, CarriesCause {
    Rebuilt(E original, RemoteCause from) : E(std::move(original)), CarriesCause{std::move(from)} {}
};

/// The same for a standard exception; its text is what it was, also where the type cannot be given one.
template <std::derived_from<std::exception> E>
    requires(!std::same_as<E, RemoteError>) // which has its own
struct MULTIPROCESSING_VISIBLE Rebuilt<E> : E, CarriesCause {
    Rebuilt(E original, RemoteCause from) : E(std::move(original)), CarriesCause{std::move(from)} {}
    const char* what() const noexcept override { return cause.text.c_str(); }
};

/// An exception that knows where it was thrown: see throw_with_trace().
struct MULTIPROCESSING_VISIBLE CarriesTrace {
    std::string trace;
};

template <class E>
struct MULTIPROCESSING_VISIBLE Traced : E, CarriesTrace {
    Traced(E original, std::string stack) : E(std::move(original)), CarriesTrace{std::move(stack)} {}
};

/// The cause of the last rebuilt exception of this thread whose type could not be derived from.
inline std::optional<RemoteCause>& plain_cause() {
    thread_local std::optional<RemoteCause> cause;
    return cause;
}

/// Throws `exception` with its cause; inside it, if there is one, the exception that is being handled.
template <class E>
[[noreturn]] void throw_rebuilt(E exception, const RemoteCause& cause, bool nested) {
    if constexpr (std::is_class_v<E> && !std::is_final_v<E>) {
        Rebuilt<E> rebuilt{std::move(exception), cause};
        if (nested) std::throw_with_nested(std::move(rebuilt));
        throw rebuilt;
    } else {
        plain_cause() = cause;
        throw exception;
    }
}

/// The exception types of the program's own that cross as themselves.
class ExceptionTypes : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::exceptions;

    struct Type {
        const std::type_info* type;
        /// The exception that is being handled as bytes, if it is of this type.
        std::optional<std::vector<std::byte>> (*save)();
        /// Throws it; returns if the bytes cannot be read.
        void (*rethrow)(const RemoteFailure&, bool nested);
    };

    void add(const Type& type) {
        std::lock_guard lock{mutex};
        for (const Type& known : types_) {
            if (*known.type == *type.type) return;
        }
        types_.insert(types_.begin(), type);
    }

    /// The latest first: it may derive from one that was registered before.
    std::vector<Type> all() {
        std::lock_guard lock{mutex};
        return types_;
    }

private:
    std::vector<Type> types_;
};

/// What people call the type of the exception that is being handled: without what std::throw_with_nested and this
/// library wrap around it.
inline std::string current_exception_type() {
    std::string name = readable(platform::current_exception_name());
    for (const std::string_view wrapper :
         {"std::_Nested_exception<", "multiprocessing::detail::Rebuilt<", "multiprocessing::detail::Traced<"}) {
        if (name.compare(0, wrapper.size(), wrapper) != 0) continue;
        name = name.substr(wrapper.size(), name.size() - wrapper.size() - 1);
    }
    return name;
}

/// As what the exception that is being handled is to arrive.
inline void save_current_exception(RemoteFailure& failure) {
    const auto types = process_wide<ExceptionTypes>().all();
    for (const bool exact : {true, false}) { // as what it is, before as what it is derived from
        for (const auto& type : types) {
            if ((readable(platform::readable(type.type->name())) == failure.cause.type) != exact) continue;
            try {
                if (auto payload = type.save()) {
                    failure.codec = type.type->name();
                    failure.payload = std::move(*payload);
                    return;
                }
            } catch (...) { // its serialize() throws: it arrives as one of its bases
            }
        }
    }
    try {
        throw;
    } catch (const std::exception& exception) {
        StandardExceptions::save(exception, failure.codec, failure.payload);
    } catch (...) {}
}

/// Takes apart the exception that is being handled, and those that are nested in it.
inline RemoteFailure capture_current_exception(int depth = 0) {
    RemoteFailure failure;
    failure.cause.type = current_exception_type();
    failure.cause.pid = platform::current_pid();
    {
        std::lock_guard lock{self().mutex};
        failure.cause.process = self().identity.name;
    }
    save_current_exception(failure);
    try {
        throw;
    } catch (const CarriesTrace& traced) {
        failure.cause.trace = traced.trace;
    } catch (const CarriesCause& rebuilt) { // it came from a process further down
        failure.cause = rebuilt.cause;
    } catch (...) { failure.cause.trace = platform::backtrace(1); }
    try {
        throw;
    } catch (const std::exception& exception) {
        failure.cause.text = exception.what();
        try {
            std::rethrow_if_nested(exception);
        } catch (...) {
            if (depth < 100) failure.nested.push_back(capture_current_exception(depth + 1));
        }
    } catch (const std::string& text) { failure.cause.text = text; } catch (const char* text) {
        failure.cause.text = text ? text : "";
    } catch (...) {}
    return failure;
}

[[noreturn]] void throw_remote(const RemoteFailure& failure);

/// Throws what `failure` describes, as the nearest type that can be rebuilt here; inside it, if `nested`, the exception
/// that is being handled.
[[noreturn]] inline void throw_as_itself(const RemoteFailure& failure, bool nested) {
    for (const auto& type : process_wide<ExceptionTypes>().all()) {
        if (type.type->name() == failure.codec) type.rethrow(failure, nested);
    }
    StandardExceptions::load(failure.codec, failure.payload, [&](auto exception) {
        throw_rebuilt(std::move(exception), failure.cause, nested);
    });
    throw_rebuilt(RemoteError(failure.cause), failure.cause, nested);
}

/// Throws what another process threw. `remote_cause()` tells of where.
[[noreturn]] inline void throw_remote(const RemoteFailure& failure) {
    if (failure.nested.empty()) throw_as_itself(failure, false);
    try {
        throw_remote(failure.nested.front());
    } catch (...) {
        throw_as_itself(failure, true); // inside the handler, which is what makes the other one nested
    }
}

inline std::exception_ptr rebuild(const RemoteFailure& failure) {
    try {
        throw_remote(failure);
    } catch (...) { return std::current_exception(); }
}

/// The exception that is being handled, for people: type and text whole, then what is nested in it.
inline std::string describe_current_exception() {
    std::string text;
    const RemoteFailure failure = capture_current_exception();
    const RemoteFailure* at = &failure;
    for (const char* lead = "  "; at;
         at = at->nested.empty() ? nullptr : &at->nested.front(), lead = "  inside: ") {
        text += lead + at->cause.type + (at->cause.text.empty() ? "" : ": " + at->cause.text) + "\n";
    }
    return text;
}

} // namespace detail

/// Lets exceptions of type E cross processes as themselves. E is Serializable; it may, but need not, derive from
/// `std::exception`. To be called in every process that throws or catches them, so at the beginning of main(), before
/// freeze_support(). Python needs no such thing: there every exception is pickled.
template <Serializable E>
void register_exception() {
    detail::process_wide<detail::ExceptionTypes>().add(
        {&typeid(E),
         []() -> std::optional<std::vector<std::byte>> {
             try {
                 throw;
             } catch (const E& exception) { return dumps(exception); } catch (...) {
                 return std::nullopt;
             }
         },
         [](const detail::RemoteFailure& failure, bool nested) {
             std::optional<E> exception;
             try {
                 exception.emplace(loads<E>(failure.payload));
             } catch (const SerializationError&) {
                 return; // what cannot be read must not hide what happened
             }
             detail::throw_rebuilt(std::move(*exception), failure.cause, nested);
         }});
}

/// Where an exception that was caught here was first thrown: its type's name, process, pid and trace there; null if it
/// was thrown in this process. Lives as long as the exception.
///
/// The trace is of where the exception was caught in that process; the stack below was unwound by then. Throw by
/// throw_with_trace() where it matters.
/// Python: `exception.__cause__`, a `RemoteTraceback`.
inline const RemoteCause* remote_cause(const std::exception& exception) {
    if (const auto* carrier = dynamic_cast<const detail::CarriesCause*>(&exception)) return &carrier->cause;
    // A type that cannot be derived from: the cause lies beside the last such exception of this thread.
    const auto& plain = detail::plain_cause();
    if (plain && plain->text == exception.what() &&
        plain->type == detail::readable(detail::platform::readable(typeid(exception).name()))) {
        return &*plain;
    }
    return nullptr;
}

/// The same for an exception of any type, as `AsyncResult` and `Outcome` hold it.
inline const RemoteCause* remote_cause(const std::exception_ptr& exception) {
    if (!exception) return nullptr;
    try {
        std::rethrow_exception(exception);
    } catch (const detail::CarriesCause& carrier) {
        return &carrier.cause;
    } catch (const std::exception& standard) { return remote_cause(standard); } catch (...) {
        return detail::plain_cause() ? &*detail::plain_cause() : nullptr;
    }
}

/// Throws `exception` together with the stack of this very place, which remote_cause() shows if it is caught in
/// another process.
template <class E>
[[noreturn]] void throw_with_trace(E exception) {
    throw detail::Traced<E>(std::move(exception), detail::platform::backtrace(1));
}

} // namespace multiprocessing::inline v1
