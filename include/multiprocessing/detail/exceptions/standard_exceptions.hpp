#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file standard_exceptions.hpp  The exception types that cross as themselves without being
/// registered.

#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/exceptions.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

namespace multiprocessing::inline v1::detail {

// Written by hand, not by codecs of records: there are 25 types, and every program that has a pool
// compiles them all.

/// How an exception type crosses. `save` is false if this exception cannot be rebuilt, but perhaps
/// as one of its bases. Here: by its text.
template <class E>
struct ExceptionCodec {
    static bool save(Writer& writer, const E& exception) {
        writer.text(exception.what());
        return true;
    }
    static E load(Reader& reader) { return E(reader.text()); }
};

/// Types whose text is fixed: what is rebuilt has the original's all the same (see FromWorker).
template <class E>
    requires(std::is_default_constructible_v<E>)
struct ExceptionCodec<E> {
    static bool save(Writer&, const E&) { return true; }
    static E load(Reader&) { return E(); }
};

/// Returns a number for each category of the standard library.
MULTIPROCESSING_INLINE const std::error_category* standard_category(std::uint8_t number) noexcept;

/// Writes the code, and the text that was given to the exception: its constructor appended the
/// code's message, and will again.
MULTIPROCESSING_INLINE bool save_system_error(Writer& writer, const std::system_error& error);
MULTIPROCESSING_INLINE std::error_code load_error_code(Reader& reader);

template <>
struct ExceptionCodec<std::system_error> {
    static bool save(Writer& writer, const std::system_error& error) {
        return save_system_error(writer, error);
    }
    static std::system_error load(Reader& reader) {
        const std::error_code code = load_error_code(reader);
        const std::string text = reader.text();
        return text.empty() ? std::system_error(code) : std::system_error(code, text);
    }
};

template <>
struct ExceptionCodec<std::ios_base::failure> {
    static bool save(Writer& writer, const std::system_error& error) {
        return save_system_error(writer, error);
    }
    static std::ios_base::failure load(Reader& reader) {
        const std::error_code code = load_error_code(reader);
        return std::ios_base::failure(reader.text(), code);
    }
};

template <>
struct ExceptionCodec<std::filesystem::filesystem_error> {
    static bool save(Writer& writer, const std::filesystem::filesystem_error& error) {
        if (!save_system_error(writer, error)) return false;
        for (const std::filesystem::path* path : {&error.path1(), &error.path2()}) {
            writer.length(path->native().size());
            writer.bytes(path->c_str(), path->native().size() * sizeof(Letter));
        }
        return true;
    }
    static std::filesystem::filesystem_error load(Reader& reader) {
        const std::error_code code = load_error_code(reader);
        const std::string text = reader.text();
        const std::filesystem::path first = load_path(reader);
        const std::filesystem::path second = load_path(reader);
        if (second.empty()) return {text, first, code};
        return {text, first, second, code};
    }

private:
    using Letter = std::filesystem::path::value_type;

    static std::filesystem::path load_path(Reader& reader) {
        std::filesystem::path::string_type letters(reader.length(sizeof(Letter)), Letter{});
        const std::size_t size = letters.size() * sizeof(Letter);
        std::memcpy(letters.data(), reader.bytes(size).data(), size);
        return letters;
    }
};

template <class E>
    requires std::derived_from<E, WorkerFault>
struct ExceptionCodec<E> {
    static bool save(Writer& writer, const E& error) {
        const WorkerEnd& end = error.end();
        writer.text(error.what());
        writer.raw(end.pid);
        write(writer, end.exitcode);
        write(writer, end.worker);
        write(writer, end.task_index);
        writer.raw(end.attempt);
        writer.raw(end.attempts);
        writer.raw(end.peak_memory);
        writer.raw(std::int64_t{end.cpu_time.count()});
        writer.text(end.trace);
        return true;
    }
    static E load(Reader& reader) {
        const std::string text = reader.text();
        WorkerEnd end;
        end.pid = reader.raw<int>();
        end.exitcode = read<int>(reader);
        end.worker = read<int>(reader);
        end.task_index = read<std::size_t>(reader);
        end.attempt = reader.raw<int>();
        end.attempts = reader.raw<int>();
        end.peak_memory = reader.raw<std::uint64_t>();
        end.cpu_time = std::chrono::microseconds{reader.raw<std::int64_t>()};
        end.trace = reader.text();
        return {text, std::move(end)};
    }

private:
    template <class T>
    static void write(Writer& writer, const std::optional<T>& number) {
        writer.raw(std::uint8_t{number.has_value()});
        writer.raw(number.value_or(T{}));
    }
    template <class T>
    static std::optional<T> read(Reader& reader) {
        const bool has_number = reader.flag();
        const T number = reader.raw<T>();
        return has_number ? std::optional(number) : std::nullopt;
    }
};

/// One of the types. `Rebuild` is the function that throws it again: see throw_as_itself().
template <class Rebuild>
struct StandardException {
    const std::type_info* type;
    bool (*save)(const std::exception&, Writer&); ///< False if the exception is none of that type.
    Rebuild rebuild;
};

template <class E>
bool save_as(const std::exception& exception, Writer& writer) {
    const auto* const one = dynamic_cast<const E*>(&exception);
    return one && ExceptionCodec<E>::save(writer, *one);
}

template <class... E>
struct ExceptionList {
    /// A table of them, with `Rebuilding::as<E>` for each.
    template <class Rebuild, class Rebuilding>
    static constexpr StandardException<Rebuild> table[] = {
        {&typeid(E), &save_as<E>, &Rebuilding::template as<E>}...};
};

/// Derived types before their bases: the first that fits is the nearest.
using StandardExceptions =
    ExceptionList<std::filesystem::filesystem_error, std::ios_base::failure, std::system_error,
                  std::range_error, std::overflow_error, std::underflow_error, WorkerLostError,
                  TimeLimitExceeded, MemoryLimitExceeded, TimeoutError, SerializationError, CancelledError,
                  BrokenBarrierError, Empty, Full, ShutDown, EOFError, AuthenticationError, ProcessError,
                  std::runtime_error, std::invalid_argument, std::domain_error, std::length_error,
                  std::out_of_range, std::logic_error, std::bad_array_new_length, std::bad_alloc, std::bad_cast,
                  std::bad_typeid, std::bad_optional_access, std::bad_variant_access, std::bad_weak_ptr,
                  std::bad_exception>;

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE const std::error_category* standard_category(std::uint8_t number) noexcept {
    switch (number) {
    case 0: return &std::generic_category();
    case 1: return &std::system_category();
    case 2: return &std::iostream_category();
    default: return nullptr;
    }
}

MULTIPROCESSING_INLINE bool save_system_error(Writer& writer, const std::system_error& error) {
    std::uint8_t category = 0;
    while (const auto* known = standard_category(category)) {
        if (*known == error.code().category()) break;
        ++category;
    }
    if (!standard_category(category)) return false;
    std::string text = error.std::system_error::what();
    const std::string message = ": " + error.code().message();
    if (text.size() >= message.size() &&
        text.compare(text.size() - message.size(), message.size(), message) == 0) {
        text.resize(text.size() - message.size());
    } else if (text == error.code().message()) {
        text.clear();
    }
    writer.raw(category);
    writer.raw(error.code().value());
    writer.text(text);
    return true;
}

MULTIPROCESSING_INLINE std::error_code load_error_code(Reader& reader) {
    const auto* const category = standard_category(reader.raw<std::uint8_t>());
    if (!category) reader.fail("there is no such category of error codes");
    return {reader.raw<int>(), *category};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
