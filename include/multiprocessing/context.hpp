#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file context.hpp  Context: the functions of the library with a fixed start method.

#include <multiprocessing/connection.hpp>
#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/synchronize.hpp>
#include <multiprocessing/util.hpp>

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// The functions and types of the namespace `multiprocessing` with a fixed start method:
/// `ctx.Process(work)` starts by it, whatever the default of the program is. A `.start_method` in
/// options takes precedence. A small value, which is copied freely.
///
/// Python: the object that `multiprocessing.get_context(method)` returns.
class Context {
public:
    /// Throws `std::invalid_argument` if this platform does not have the start method.
    explicit Context(StartMethod method);

    /// Makes a Process, as the constructors of `multiprocessing::Process` do.
    template <class Function, class... Arguments>
        requires(!std::same_as<std::decay_t<Function>, ProcessOptions>)
    multiprocessing::Process Process(Function&& function, Arguments&&... arguments) const {
        return Process(ProcessOptions{}, std::forward<Function>(function),
                       std::forward<Arguments>(arguments)...);
    }
    template <class Function, class... Arguments>
    multiprocessing::Process Process(ProcessOptions options, Function&& function,
                                     Arguments&&... arguments) const {
        return multiprocessing::Process(with_method(std::move(options)), std::forward<Function>(function),
                                        std::forward<Arguments>(arguments)...);
    }

    /// Makes a Pool, as the constructors of `multiprocessing::Pool` do.
    multiprocessing::Pool Pool() const { return Pool(PoolOptions{}); }
    multiprocessing::Pool Pool(Count processes) const { return Pool(PoolOptions{.processes = processes}); }
    multiprocessing::Pool Pool(PoolOptions options) const;
    template <class Initializer, class... Arguments>
    multiprocessing::Pool Pool(Count processes, Initializer&& initializer, Arguments&&... arguments) const {
        return Pool(PoolOptions{.processes = processes}, std::forward<Initializer>(initializer),
                    std::forward<Arguments>(arguments)...);
    }
    template <class Initializer, class... Arguments>
    multiprocessing::Pool Pool(PoolOptions options, Initializer&& initializer, Arguments&&... arguments) const {
        return multiprocessing::Pool(with_method(std::move(options)), std::forward<Initializer>(initializer),
                                     std::forward<Arguments>(arguments)...);
    }

    /// Makes a pipe, as `multiprocessing::Pipe` does.
    static std::pair<Connection, Connection> Pipe(bool duplex = true) { return multiprocessing::Pipe(duplex); }

    // Shared objects are the same for all start methods: a context makes them for programs that
    // have one at hand.
    multiprocessing::Lock Lock() const;
    multiprocessing::RLock RLock() const;
    multiprocessing::Semaphore Semaphore(Count value = 1) const { return multiprocessing::Semaphore(value); }
    multiprocessing::BoundedSemaphore BoundedSemaphore(Count value = 1) const {
        return multiprocessing::BoundedSemaphore(value);
    }
    template <class... AnyLock>
    multiprocessing::Condition Condition(const AnyLock&... lock) const {
        return multiprocessing::Condition(lock...);
    }
    multiprocessing::Event Event() const;
    template <class... Argument>
    multiprocessing::Barrier Barrier(Argument&&... argument) const {
        return multiprocessing::Barrier(std::forward<Argument>(argument)...);
    }
    template <class T, class... Argument>
    multiprocessing::Value<T> Value(Argument&&... argument) const {
        return multiprocessing::Value<T>(std::forward<Argument>(argument)...);
    }
    template <class T, class... Argument>
    multiprocessing::RawValue<T> RawValue(Argument&&... argument) const {
        return multiprocessing::RawValue<T>(std::forward<Argument>(argument)...);
    }
    template <class T>
    multiprocessing::Array<T> Array(std::size_t size) const {
        return multiprocessing::Array<T>(size);
    }
    template <class T, detail::RangeOf<T, multiprocessing::Array<T>> Range>
    multiprocessing::Array<T> Array(Range&& range) const {
        return multiprocessing::Array<T>(std::forward<Range>(range));
    }
    template <class T>
    multiprocessing::Array<T> Array(std::initializer_list<T> elements) const {
        return multiprocessing::Array<T>(elements);
    }
    template <class T>
    multiprocessing::RawArray<T> RawArray(std::size_t size) const {
        return multiprocessing::RawArray<T>(size);
    }
    template <class T, detail::RangeOf<T, multiprocessing::RawArray<T>> Range>
    multiprocessing::RawArray<T> RawArray(Range&& range) const {
        return multiprocessing::RawArray<T>(std::forward<Range>(range));
    }

    template <class T>
    multiprocessing::Queue<T> Queue(Count maxsize = {}) const {
        return multiprocessing::Queue<T>(maxsize);
    }
    template <class T>
    multiprocessing::JoinableQueue<T> JoinableQueue(Count maxsize = {}) const {
        return multiprocessing::JoinableQueue<T>(maxsize);
    }
    template <class T>
    multiprocessing::SimpleQueue<T> SimpleQueue() const {
        return multiprocessing::SimpleQueue<T>();
    }

    /// Returns the start method of this context.
    StartMethod get_start_method() const noexcept { return method_; }
    /// Returns this context, or the one of another start method.
    Context get_context(std::optional<StartMethod> method = {}) const;

    // These do not depend on the start method: the namespace's functions of the same name.
    static std::vector<StartMethod> get_all_start_methods() { return multiprocessing::get_all_start_methods(); }
    static void freeze_support() { multiprocessing::freeze_support(); }
    static void set_executable(std::filesystem::path path);
    static void set_forkserver_preload(void (*preload)()) { multiprocessing::set_forkserver_preload(preload); }
    static ProcessView current_process() { return multiprocessing::current_process(); }
    static std::optional<ProcessView> parent_process() { return multiprocessing::parent_process(); }
    static std::vector<ProcessView> active_children() { return multiprocessing::active_children(); }
    static int cpu_count() { return multiprocessing::cpu_count(); }
    static int process_cpu_count() { return multiprocessing::process_cpu_count(); }
    static Logger& get_logger() { return multiprocessing::get_logger(); }
    static Logger& log_to_stderr(LogLevel level = LogLevel::debug) {
        return multiprocessing::log_to_stderr(level);
    }

    friend bool operator==(const Context&, const Context&) noexcept = default;

private:
    template <class Options>
    Options with_method(Options options) const {
        if (!options.start_method) options.start_method = method_;
        return options;
    }

    StartMethod method_;
};

/// Returns the context of `method`; without an argument that of the program's default, which is
/// fixed then, as by get_start_method(). Throws `std::invalid_argument` if this platform does not
/// have the start method. Python: `multiprocessing.get_context(method)`.
MULTIPROCESSING_INLINE Context get_context(std::optional<StartMethod> method = {});

static_assert(std::regular<std::optional<Context>>);

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE Context::Context(StartMethod method) : method_(method) {
    detail::require_available(method);
}

MULTIPROCESSING_INLINE multiprocessing::Pool Context::Pool(PoolOptions options) const {
    return multiprocessing::Pool(with_method(std::move(options)));
}

MULTIPROCESSING_INLINE multiprocessing::Lock Context::Lock() const { return {}; }

MULTIPROCESSING_INLINE multiprocessing::RLock Context::RLock() const { return {}; }

MULTIPROCESSING_INLINE multiprocessing::Event Context::Event() const { return {}; }

MULTIPROCESSING_INLINE Context Context::get_context(std::optional<StartMethod> method) const {
    return Context(method.value_or(method_));
}

MULTIPROCESSING_INLINE void Context::set_executable(std::filesystem::path path) {
    multiprocessing::set_executable(std::move(path));
}

MULTIPROCESSING_INLINE Context get_context(std::optional<StartMethod> method) {
    return Context(method ? *method : get_start_method());
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
