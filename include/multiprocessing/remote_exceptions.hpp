#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file remote_exceptions.hpp  Exceptions of other processes: their types here, and where they
/// were thrown.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/cause.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <typeinfo>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// Makes exceptions of type E cross processes as themselves. E is Serializable, and need not derive
/// from `std::exception`. Call it in every process that throws or catches them: at the beginning of
/// main(), before freeze_support(). Python pickles every exception, and has no such function.
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

/// Returns where an exception that was caught here was thrown first: the name of its type, process,
/// pid and stack; null if it was thrown in this process. Valid as long as the exception.
///
/// The stack is that of the throw. Where a task rethrows an exception that it has caught, it is
/// that of the rethrow, and on Windows that of the catch by the library; use throw_with_trace()
/// where that matters. Python: `exception.__cause__`, a `RemoteTraceback`.
MULTIPROCESSING_INLINE const RemoteCause* remote_cause(const std::exception& exception);

/// Returns the same for an exception of any type, as `AsyncResult` and `Outcome` hold it.
MULTIPROCESSING_INLINE const RemoteCause* remote_cause(const std::exception_ptr& exception);

/// Throws `exception` together with the stack of the caller, which remote_cause() returns in
/// another process.
template <class E>
[[noreturn]] void throw_with_trace(E exception) {
    throw detail::Traced<E>(std::move(exception), detail::platform::backtrace(1));
}

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE const RemoteCause* remote_cause(const std::exception& exception) {
    if (const auto* carrier = dynamic_cast<const detail::CarriesCause*>(&exception)) return &carrier->cause;
    // A type that cannot be derived from: the cause lies beside the last such exception of this
    // thread.
    const auto& plain = detail::plain_cause();
    if (plain && plain->text == exception.what() &&
        plain->type == detail::readable(detail::platform::readable(typeid(exception).name()))) {
        return &*plain;
    }
    return nullptr;
}

MULTIPROCESSING_INLINE const RemoteCause* remote_cause(const std::exception_ptr& exception) {
    if (!exception) return nullptr;
    try {
        std::rethrow_exception(exception);
    } catch (const detail::CarriesCause& carrier) {
        return &carrier.cause;
    } catch (const std::exception& standard) { return remote_cause(standard); } catch (...) {
        return detail::plain_cause() ? &*detail::plain_cause() : nullptr;
    }
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
