#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file workers.hpp  The threads of a ThreadPool or ThreadPoolExecutor: what is
/// submitted to them, and the options that they do not have.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/pool/piecewise_input.hpp>
#include <multiprocessing/detail/result/result_state.hpp>
#include <multiprocessing/detail/result/result_stream.hpp>
#include <multiprocessing/detail/thread_pool/crew.hpp>
#include <multiprocessing/detail/thread_pool/result.hpp>
#include <multiprocessing/detail/thread_pool/work.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/futures/wait.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Throws for options that end or shape a process.
template <class Options>
void refuse_process_options(const Options& options) {
    const auto refuse = [](bool is_given, const char* option) {
        if (is_given)
            throw std::invalid_argument(std::string("multiprocessing: the option .") + option +
                                        " ends or shapes a process, and here threads work: leave the option "
                                        "out, or take a Pool or a ProcessPoolExecutor");
    };
    refuse(options.timeout && options.timeout->span(), "timeout");
    refuse(options.retries && options.retries->value() != 0, "retries");
    refuse(options.memory_limit != 0, "memory_limit");
    if constexpr (requires { options.maxtasksperchild; })
        refuse(options.maxtasksperchild.value() != 0, "maxtasksperchild");
    if constexpr (requires { options.max_tasks_per_child; }) {
        refuse(options.max_tasks_per_child.value() != 0, "max_tasks_per_child");
        refuse(options.break_on_worker_loss, "break_on_worker_loss");
        refuse(options.idle_timeout.span().has_value(), "idle_timeout");
    }
    if constexpr (requires { options.start_method; }) {
        refuse(options.start_method.has_value(), "start_method");
        refuse(options.recycle_memory != 0, "recycle_memory");
        refuse(options.run_inline, "run_inline");
        refuse(options.threads_per_worker.value() != 0, "threads_per_worker");
        refuse(!options.cpu_affinity.empty(), "cpu_affinity");
        refuse(!options.env.empty(), "env");
        refuse(options.worker_env != nullptr, "worker_env");
        refuse(options.cwd.has_value(), "cwd");
        refuse(!options.trace.empty(), "trace");
        refuse(options.capture_output.wanted(), "capture_output");
    }
}

/// A call without parameters, which is copied to each thread.
template <class Function, class... Arguments>
std::function<void()> initializer_of(Function&& function, Arguments&&... arguments) {
    using F = std::decay_t<Function>;
    using Item = TaskItem<Arguments...>;
    return
        [function = F(std::forward<Function>(function)), item = Item(std::forward<Arguments>(arguments)...)] {
            F called = function;
            Item given = item;
            CallInThread<F, Item>::invoke(called, given);
        };
}

/// A function that all threads call.
template <class F, class Function>
std::shared_ptr<F> shared_function(Function&& function) {
    auto shared = std::make_shared<F>(std::forward<Function>(function));
    if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
        if (!*shared)
            throw std::invalid_argument("multiprocessing: the function to be called is a null pointer");
    }
    return shared;
}

template <class F, class Item, class Range>
class StreamFromThreads;

/// The threads of a pool or executor, and the one for callbacks.
class ThreadWorkers final : public FinishedAtEnd, public std::enable_shared_from_this<ThreadWorkers> {
public:
    /// `refuse` throws what a submission throws after close().
    ThreadWorkers(std::size_t threads, std::string names, std::function<void()> initializer, void (*refuse)())
        : crew(std::make_shared<Crew>(threads ? threads : 1, std::move(names), std::move(initializer))),
          refuse_(refuse) {
        if (threads > 4096)
            throw std::invalid_argument("multiprocessing: " + std::to_string(threads) +
                                        " threads are too many: at most 4096 are possible");
    }

    template <class Function, class... Arguments>
    auto submit_task(const TaskOptions& options, Function&& function, Arguments&&... arguments) {
        using F = std::decay_t<Function>;
        using Item = TaskItem<Arguments...>;
        std::vector<Item> items;
        items.emplace_back(std::forward<Arguments>(arguments)...);
        return submit<Gives::one>(std::make_shared<ThreadResult<ReturnedInThread<F, Item>>>(callbacks_),
                                  detail::shared_function<F>(std::forward<Function>(function)),
                                  std::move(items), options.priority);
    }
    template <Gives gives, class Item, class Function, class Range>
    auto submit_map(Function&& function, Range&& range, const MapOptions& options) {
        using F = std::decay_t<Function>;
        std::vector<Item> items;
        for (auto&& element : range)
            items.push_back(detail::item_of<Item, Range>(std::forward<decltype(element)>(element)));
        auto result = std::make_shared<ThreadResult<Given<gives, ReturnedInThread<F, Item>>>>(
            callbacks_, options.progress, items.size());
        return submit<gives>(std::move(result), detail::shared_function<F>(std::forward<Function>(function)),
                             std::move(items), options.priority,
                             options.fail_fast ? std::make_shared<std::atomic<bool>>(false) : nullptr);
    }
    template <class Item, class Function, class Range>
    auto stream(Function&& function, Range&& range, const MapOptions& options, std::size_t ahead,
                bool ordered) {
        require_open();
        return std::make_unique<StreamFromThreads<std::decay_t<Function>, Item, Range>>(
            shared_from_this(), options, ahead, ordered, std::forward<Function>(function),
            std::forward<Range>(range));
    }

    template <Gives gives, class F, class Item, class Result>
    std::shared_ptr<ResultState<Result>>
    submit(std::shared_ptr<ThreadResult<Result>> result, std::shared_ptr<F> function, std::vector<Item> items,
           Priority priority, std::shared_ptr<std::atomic<bool>> stop = {}) {
        require_open();
        const std::size_t most = (std::min)(items.size(), crew->most());
        const auto work = std::make_shared<CallsInThreads<gives, F, Item>>(result, std::move(function),
                                                                           std::move(items), std::move(stop));
        work->priority = priority;
        for (std::size_t i = 0; i < most; ++i) {
            if (!crew->add(work) && i == 0) refuse_();
        }
        return result;
    }

    bool give_up_waiting() {
        return crew->give_up_waiting(std::make_exception_ptr(CancelledError(task_was_cancelled)));
    }
    bool join(const Deadline& deadline) {
        if (!crew->join(deadline)) return false;
        callbacks_->close(); // what ends later calls its hooks by itself
        return callbacks_->join(deadline);
    }
    void finish() noexcept override {
        if (!crew->origin().is_here()) return;
        crew->close();
        join(Deadline{});
    }

    const std::shared_ptr<Crew> crew;

private:
    void require_open() const {
        if (const auto error = crew->broken()) std::rethrow_exception(error);
        if (crew->is_closed()) refuse_();
    }

    const std::shared_ptr<Crew> callbacks_ = std::make_shared<Crew>(1);
    void (*const refuse_)();
};

/// Throws `std::logic_error` for an `object` that was moved away, or is another process's.
inline ThreadWorkers& usable(const std::shared_ptr<ThreadWorkers>& workers, const char* object) {
    if (!workers)
        throw std::logic_error(std::string("multiprocessing: ") + object +
                               " was moved away: use the one that it was moved to");
    workers->crew->origin().require_here(object, "make one here");
    return *workers;
}

/// A map whose results are taken one by one, and whose input is read meanwhile.
template <class F, class Item, class Range>
class StreamFromThreads final : public ResultStream<ReturnedInThread<F, Item>> {
    using R = ReturnedInThread<F, Item>;

public:
    /// `ahead`: the most items whose results were not taken; 0: all of them.
    template <class Function>
    StreamFromThreads(std::shared_ptr<ThreadWorkers> workers, const MapOptions& options, std::size_t ahead,
                      bool ordered, Function&& function, Range&& range)
        : workers_(std::move(workers)),
          function_(detail::shared_function<F>(std::forward<Function>(function))),
          input_(std::forward<Range>(range)),
          priority_(options.priority),
          ahead_(ahead) {
        if (options.fail_fast) stop_ = std::make_shared<std::atomic<bool>>(false);
        if (!ordered) ended_ = std::make_shared<AnyEnded>();
        fill();
    }
    ~StreamFromThreads() override {
        if (workers_->crew->origin().is_here()) abandon();
    }

    void abandon() noexcept override {
        is_exhausted_ = true;
        for (const auto& [index, result] : results_) result->cancel();
        results_.clear();
    }
    void leave_running() noexcept override { results_.clear(); }

private:
    bool has_more() override {
        fill();
        return !results_.empty() || input_error_;
    }
    bool wait_for_next(const Deadline& deadline) override {
        if (results_.empty()) { // what the input threw comes behind all results
            this->take([this]() -> typename ResultStream<R>::Value {
                std::rethrow_exception(std::exchange(input_error_, nullptr));
            });
            return true;
        }
        auto next = results_.begin();
        if (ended_) {
            const auto ended = ended_->next(deadline);
            if (!ended) return false;
            next = results_.find(*ended);
        }
        if (!next->second->fetch(deadline)) return false;
        const auto result = results_.extract(next);
        this->take([&] { return result.mapped()->move_out(); });
        return true;
    }
    void fill() {
        workers_->crew->origin().require_here("this iterator", "make one here");
        while (!is_exhausted_ && (ahead_ == 0 || results_.size() < ahead_)) {
            try {
                is_exhausted_ = input_.at_end();
                if (!is_exhausted_) submit(detail::item_of<Item, Range>(input_.element()));
            } catch (...) {
                input_error_ = std::current_exception();
                is_exhausted_ = true;
            }
        }
    }
    void submit(Item item) {
        const auto result = std::make_shared<ThreadResult<R>>(std::weak_ptr<Crew>());
        const auto place = results_.emplace_hint(results_.end(), submitted_, result);
        ScopeExit not_submitted{[&] { results_.erase(place); }};
        if (ended_) result->when_ready([ended = ended_, index = submitted_] { ended->add(index); });
        std::vector<Item> items;
        items.push_back(std::move(item));
        workers_->template submit<Gives::one>(result, function_, std::move(items), priority_, stop_);
        not_submitted.release();
        ++submitted_;
    }

    const std::shared_ptr<ThreadWorkers> workers_;
    const std::shared_ptr<F> function_;
    PiecewiseInput<Range> input_;
    const Priority priority_;
    const std::size_t ahead_;
    std::shared_ptr<std::atomic<bool>> stop_;
    std::shared_ptr<AnyEnded> ended_; // null: in order
    std::map<std::size_t, std::shared_ptr<ThreadResult<R>>> results_;
    std::size_t submitted_ = 0;
    std::exception_ptr input_error_;
    bool is_exhausted_ = false;
};

} // namespace multiprocessing::inline v1::detail
