#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file standard_exceptions.hpp  The exception types that cross as themselves without being registered.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
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
#include <variant>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// How an exception type crosses: `save` makes a Serializable of it, `load` the exception again. Here: by its text.
template <class E>
struct ExceptionCodec {
    using Saved = std::string;
    static Saved save(const E& exception) { return exception.what(); }
    static E load(const Saved& text) { return E(text); }
};

/// Types whose text is fixed: what is rebuilt has the original's all the same (see Rebuilt).
template <class E>
    requires(std::is_default_constructible_v<E> && !std::is_constructible_v<E, std::string> &&
             !std::is_base_of_v<std::system_error, E>)
struct ExceptionCodec<E> {
    using Saved = std::nullptr_t;
    static Saved save(const E&) { return nullptr; }
    static E load(Saved) { return E(); }
};

/// A std::error_code; the categories of the standard library are known by their names.
struct SavedErrorCode {
    std::string category;
    int value;

    explicit operator std::error_code() const {
        for (const std::error_category* known :
             {&std::generic_category(), &std::system_category(), &std::iostream_category()}) {
            if (category == known->name()) return {value, *known};
        }
        throw SerializationError("multiprocessing: no error category of the name '" + category + "' here");
    }
};

/// The text that was given to the exception: its constructor appended the code's message, and will again.
inline std::string text_without_message(const std::system_error& error) {
    std::string text = error.std::system_error::what();
    const std::string message = ": " + error.code().message();
    if (text.size() >= message.size() &&
        text.compare(text.size() - message.size(), message.size(), message) == 0) {
        text.resize(text.size() - message.size());
    } else if (text == error.code().message()) {
        text.clear();
    }
    return text;
}

struct SavedSystemError {
    std::string text;
    SavedErrorCode code;
};

template <class E>
    requires(std::is_same_v<E, std::system_error> || std::is_same_v<E, std::ios_base::failure>)
struct ExceptionCodec<E> {
    using Saved = SavedSystemError;
    static Saved save(const E& error) {
        return {text_without_message(error), {error.code().category().name(), error.code().value()}};
    }
    static E load(const Saved& saved) {
        const auto code = static_cast<std::error_code>(saved.code);
        if constexpr (std::is_same_v<E, std::system_error>) {
            return saved.text.empty() ? E(code) : E(code, saved.text);
        } else {
            return E(saved.text, code);
        }
    }
};

struct SavedFilesystemError {
    SavedSystemError error;
    std::filesystem::path first;
    std::filesystem::path second;
};

template <>
struct ExceptionCodec<std::filesystem::filesystem_error> {
    using Saved = SavedFilesystemError;
    static Saved save(const std::filesystem::filesystem_error& error) {
        return {{text_without_message(error), {error.code().category().name(), error.code().value()}},
                error.path1(),
                error.path2()};
    }
    static std::filesystem::filesystem_error load(const Saved& saved) {
        const auto code = static_cast<std::error_code>(saved.error.code);
        if (saved.second.empty()) return {saved.error.text, saved.first, code};
        return {saved.error.text, saved.first, saved.second, code};
    }
};

template <>
struct ExceptionCodec<WorkerLostError> {
    struct Saved {
        std::string text;
        int pid;
        std::optional<int> exitcode;
        std::optional<std::size_t> task_index;
    };
    static Saved save(const WorkerLostError& error) {
        return {error.what(), error.pid(), error.exitcode(), error.task_index()};
    }
    static WorkerLostError load(const Saved& saved) {
        return {saved.text, saved.pid, saved.exitcode, saved.task_index};
    }
};

template <class... E>
struct ExceptionList {
    /// Finds the first type of the list that `exception` is, and saves it as that.
    static bool save(const std::exception& exception, std::string& codec, std::vector<std::byte>& payload) {
        return (save_as<E>(exception, codec, payload) || ...);
    }

    /// Calls `rethrow(exception)` for the type of that name; returns if there is none, or it cannot be read.
    template <class Rethrow>
    static void load(const std::string& codec, const std::vector<std::byte>& payload, Rethrow rethrow) {
        (load_as<E>(codec, payload, rethrow), ...);
    }

private:
    template <class One>
    static bool save_as(const std::exception& exception, std::string& codec, std::vector<std::byte>& payload) {
        const auto* const one = dynamic_cast<const One*>(&exception);
        if (!one) return false;
        payload = dumps(ExceptionCodec<One>::save(*one));
        codec = typeid(One).name();
        return true;
    }

    template <class One, class Rethrow>
    static void load_as(const std::string& codec, const std::vector<std::byte>& payload, Rethrow& rethrow) {
        if (codec != typeid(One).name()) return;
        std::optional<One> exception;
        try {
            exception.emplace(ExceptionCodec<One>::load(loads<typename ExceptionCodec<One>::Saved>(payload)));
        } catch (const SerializationError&) {
            return; // what cannot be read must not hide what happened
        }
        rethrow(std::move(*exception));
    }
};

/// Derived types before their bases: the first that fits is the nearest.
using StandardExceptions =
    ExceptionList<std::filesystem::filesystem_error, std::ios_base::failure, std::system_error,
                  std::range_error, std::overflow_error, std::underflow_error, WorkerLostError, TimeoutError,
                  SerializationError, CancelledError, BrokenBarrierError, ProcessError, std::runtime_error, std::invalid_argument,
                  std::domain_error, std::length_error, std::out_of_range, std::logic_error,
                  std::bad_array_new_length, std::bad_alloc, std::bad_cast, std::bad_typeid,
                  std::bad_optional_access, std::bad_variant_access, std::bad_weak_ptr, std::bad_exception>;

} // namespace multiprocessing::inline v1::detail
