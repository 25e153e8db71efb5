#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file remote_exception.hpp  Exceptions that cross processes: taken apart where they were thrown,
/// thrown again here.

#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/cause.hpp>
#include <multiprocessing/detail/exceptions/standard_exceptions.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/exceptions.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace detail {

/// An exception on the wire.
struct RemoteFailure {
    RemoteCause cause;
    std::string codec;                 ///< The type that rebuilds it, by name; empty for a RemoteError.
    std::vector<std::byte> payload;    ///< For that codec.
    std::vector<RemoteFailure> nested; ///< The one that std::throw_with_nested put inside it, if any.
};

MULTIPROCESSING_INLINE void write_failure(Writer& writer, const RemoteFailure& failure);
MULTIPROCESSING_INLINE RemoteFailure read_failure(Reader& reader);

MULTIPROCESSING_INLINE std::vector<std::byte> bytes_of_failure(const RemoteFailure& failure);
MULTIPROCESSING_INLINE RemoteFailure failure_of(std::span<const std::byte> bytes);

} // namespace detail

/// What an exception of type E is here that another process has thrown: an E, to be caught as such,
/// whose name says, where nobody catches it, that a worker threw it. remote_cause() tells which
/// one, at which item, and where.
template <class E>
struct MULTIPROCESSING_VISIBLE FromWorker : E, detail::CarriesCause {
    FromWorker(E original, RemoteCause from) : E(std::move(original)), CarriesCause{std::move(from)} {}
};

/// The same for a standard exception; its text is what it was, also where the type cannot be given
/// one.
template <std::derived_from<std::exception> E>
    requires(!std::same_as<E, RemoteError>) // which has its own
struct MULTIPROCESSING_VISIBLE FromWorker<E> : E, detail::CarriesCause {
    FromWorker(E original, RemoteCause from) : E(std::move(original)), CarriesCause{std::move(from)} {}
    const char* what() const noexcept override { return cause.text.c_str(); }
};

/// One with the exception inside that is being handled when it is made, as std::throw_with_nested
/// would make it.
template <class E>
struct MULTIPROCESSING_VISIBLE FromWorkerNested : FromWorker<E>, std::nested_exception {
    using FromWorker<E>::FromWorker;
};

namespace detail {

/// Returns the cause of the last rebuilt exception of this thread whose type could not be derived
/// from.
MULTIPROCESSING_INLINE std::optional<RemoteCause>& plain_cause();

/// Throws `exception` with its cause; inside it, if `nested`, the exception that is being handled.
template <class E>
[[noreturn]] void throw_rebuilt(E exception, const RemoteCause& cause, bool nested) {
    if constexpr (std::is_class_v<E> && !std::is_final_v<E>) {
        if constexpr (!std::is_base_of_v<std::nested_exception, E>) {
            if (nested) throw FromWorkerNested<E>{std::move(exception), cause};
        }
        throw FromWorker<E>{std::move(exception), cause};
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
        /// Returns the exception that is being handled as bytes, if it is of this type.
        std::optional<std::vector<std::byte>> (*save)();
        /// Throws it; returns if the bytes cannot be read.
        void (*rethrow)(const RemoteFailure&, bool nested);
    };

    void add(const Type& type);

    /// Returns all types, the latest first: it may derive from one that was registered before.
    std::vector<Type> all();

private:
    std::vector<Type> types_;
};

/// How a standard exception is thrown again.
struct RebuildStandard {
    template <class E>
    [[noreturn]] static void as(const RemoteFailure& failure, bool nested) {
        Reader reader{failure.payload};
        throw_rebuilt(ExceptionCodec<E>::load(reader), failure.cause, nested);
    }
};
inline constexpr auto& standard_exceptions =
    StandardExceptions::table<void (*)(const RemoteFailure&, bool), RebuildStandard>;

/// Saves the exception that is being handled, by the type as which it will arrive: its own, if that
/// is registered, before its bases.
MULTIPROCESSING_INLINE void save_current_exception(RemoteFailure& failure);

/// Takes apart the exception that is being handled, and those that are nested in it.
/// `item`: of a map, at which it was thrown.
MULTIPROCESSING_INLINE RemoteFailure capture_current_exception(std::optional<std::size_t> item = {},
                                                               int depth = 0);

/// Throws what `failure` describes, as the nearest type that can be rebuilt here; inside it, if
/// `nested`, the exception that is being handled.
[[noreturn]] MULTIPROCESSING_INLINE void throw_as_itself(const RemoteFailure& failure, bool nested);

/// Throws what another process threw. `remote_cause()` tells of where.
[[noreturn]] MULTIPROCESSING_INLINE void throw_remote(const RemoteFailure& failure);

MULTIPROCESSING_INLINE std::exception_ptr rebuild(const RemoteFailure& failure);

} // namespace detail

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/types/type_name.hpp>

#include <cstdint>
#include <mutex>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void write_failure(Writer& writer, const RemoteFailure& failure) {
    for (const std::string* text : {&failure.cause.type, &failure.cause.text, &failure.cause.process,
                                    &failure.cause.trace, &failure.codec})
        writer.text(*text);
    writer.raw(failure.cause.pid);
    writer.raw(std::uint8_t{failure.cause.task_index.has_value()});
    if (failure.cause.task_index) writer.raw(*failure.cause.task_index);
    writer.text({reinterpret_cast<const char*>(failure.payload.data()), failure.payload.size()});
    writer.raw(std::uint8_t{!failure.nested.empty()});
    if (!failure.nested.empty()) write_failure(writer, failure.nested.front());
}

MULTIPROCESSING_INLINE RemoteFailure read_failure(Reader& reader) {
    RemoteFailure failure;
    for (std::string* text : {&failure.cause.type, &failure.cause.text, &failure.cause.process,
                              &failure.cause.trace, &failure.codec})
        *text = reader.text();
    failure.cause.pid = reader.raw<int>();
    if (reader.flag()) failure.cause.task_index = reader.raw<std::size_t>();
    const auto payload = reader.bytes(reader.length(1));
    failure.payload.assign(payload.begin(), payload.end());
    if (reader.flag()) failure.nested.push_back(read_failure(reader));
    return failure;
}

MULTIPROCESSING_INLINE std::vector<std::byte> bytes_of_failure(const RemoteFailure& failure) {
    Writer writer;
    write_failure(writer, failure);
    return writer.release();
}

MULTIPROCESSING_INLINE RemoteFailure failure_of(std::span<const std::byte> bytes) {
    Reader reader{bytes};
    return read_failure(reader);
}

MULTIPROCESSING_INLINE std::optional<RemoteCause>& plain_cause() {
    thread_local std::optional<RemoteCause> cause;
    return cause;
}

MULTIPROCESSING_INLINE void ExceptionTypes::add(const Type& type) {
    std::lock_guard lock{mutex};
    for (const Type& known : types_) {
        if (*known.type == *type.type) return;
    }
    types_.insert(types_.begin(), type);
}

MULTIPROCESSING_INLINE std::vector<ExceptionTypes::Type> ExceptionTypes::all() {
    std::lock_guard lock{mutex};
    return types_;
}

MULTIPROCESSING_INLINE void save_current_exception(RemoteFailure& failure) {
    const std::string exact = current_exception_type();
    const auto types = process_wide<ExceptionTypes>().all();
    for (const bool exactly : {true, false}) {
        for (const auto& type : types) {
            if ((readable(platform::readable(type.type->name())) == exact) != exactly) continue;
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
        for (const auto& standard : standard_exceptions) {
            Writer writer;
            if (!standard.save(exception, writer)) continue;
            failure.codec = standard.type->name();
            failure.payload = writer.release();
            return;
        }
    } catch (...) {}
}

MULTIPROCESSING_INLINE RemoteFailure capture_current_exception(std::optional<std::size_t> item, int depth) {
    RemoteFailure failure;
    std::string trace = current_trace(); // first, as it forgets where the exception was thrown when others are
    failure.cause = current_cause();
    if (failure.cause.pid == platform::current_pid()) {
        failure.cause.trace = std::move(trace);
        failure.cause.task_index = item;
    }
    save_current_exception(failure);
    handle_nested_exception([&] {
        if (depth < 100) failure.nested.push_back(capture_current_exception(item, depth + 1));
    });
    return failure;
}

MULTIPROCESSING_INLINE void throw_as_itself(const RemoteFailure& failure, bool nested) {
    for (const auto& type : process_wide<ExceptionTypes>().all()) {
        if (type.type->name() == failure.codec) type.rethrow(failure, nested);
    }
    for (const auto& standard : standard_exceptions) {
        if (standard.type->name() == failure.codec) standard.rebuild(failure, nested);
    }
    throw_rebuilt(RemoteError(failure.cause), failure.cause, nested);
}

MULTIPROCESSING_INLINE void throw_remote(const RemoteFailure& failure) {
    if (failure.nested.empty()) throw_as_itself(failure, false);
    try {
        throw_remote(failure.nested.front());
    } catch (...) {
        throw_as_itself(failure, true); // inside the handler, which is what makes the other one nested
    }
}

MULTIPROCESSING_INLINE std::exception_ptr rebuild(const RemoteFailure& failure) {
    try {
        throw_remote(failure);
    } catch (...) { return std::current_exception(); }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
