#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file work.hpp  Calls and maps as work of a crew of threads, and what becomes of their results.

#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/pool/piecewise_input.hpp>
#include <multiprocessing/detail/pool/progress_display.hpp>
#include <multiprocessing/detail/result/local_result.hpp>
#include <multiprocessing/detail/result/result_stream.hpp>
#include <multiprocessing/detail/thread_pool/crew.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/futures/wait.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/pool/outcome.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

inline constexpr char task_was_cancelled[] = "multiprocessing: the task was cancelled";

/// A call of F with the elements of an Item: moved, if F takes all of them so; else as lvalues.
template <class F, class Item, class = std::make_index_sequence<std::tuple_size<Item>::value>>
struct CallInThread;
template <class F, class Item, std::size_t... At>
struct CallInThread<F, Item, std::index_sequence<At...>> {
    static constexpr bool moves = std::is_invocable_v<F&, std::tuple_element_t<At, Item>...>;
    static constexpr bool ok = moves || std::is_invocable_v<F&, std::tuple_element_t<At, Item>&...>;

    static decltype(auto) invoke(F& function, Item& item) {
        if constexpr (moves) {
            return std::invoke(function, std::forward<std::tuple_element_t<At, Item>>(std::get<At>(item))...);
        } else {
            return std::invoke(function, std::get<At>(item)...);
        }
    }
    template <class Call = CallInThread>
    using R = std::decay_t<decltype(Call::invoke(std::declval<F&>(), std::declval<Item&>()))>;
};
template <class F, class Item>
using ReturnedInThread = typename CallInThread<F, Item>::template R<>;

/// The arguments of a task; the item of a map, which is its function's only argument; of a starmap.
template <class... Argument>
using TaskItem = std::tuple<std::decay_t<Argument>...>;
template <class Range>
using MapItemOf = TaskItem<std::ranges::range_value_t<Range>>;
template <class Range>
using StarmapItemOf = typename WithOwnElements<std::ranges::range_value_t<Range>>::Type;

template <class Function, class Item>
concept CallableInThread = CallInThread<std::decay_t<Function>, Item>::ok;

/// An element as an item; one of a container that was given as an rvalue is moved.
template <class Item, class Range, class Element>
Item item_of(Element&& element) {
    if constexpr (!std::is_reference_v<Range> && !std::ranges::view<Range>) {
        return Item(std::move(element));
    } else {
        return Item(std::forward<Element>(element));
    }
}

template <class R, class Call>
TakenResult<R> taken_of(Call call) {
    TakenResult<R> taken;
    try {
        if constexpr (std::is_void_v<R>) {
            call();
            taken.value.emplace();
        } else {
            taken.value.emplace(call());
        }
    } catch (...) { taken.error = std::current_exception(); }
    return taken;
}

/// A result whose callbacks run in the thread of another crew, if it has one: they may submit work
/// and wait for it.
template <class R>
class ThreadResult final : public LocalResult<R> {
public:
    explicit ThreadResult(std::weak_ptr<Crew> callbacks, const Progress& progress = {}, std::size_t total = 1)
        : callbacks_(std::move(callbacks)), total_(total) {
        if (progress.wanted()) display_.emplace(progress);
    }
    ~ThreadResult() override {
        if (!was_read_ && this->origin_.is_here()) log_unread_error([&] { return this->error_; });
    }

    bool wait(const Deadline& deadline) override {
        if (!display_) return LocalResult<R>::wait(deadline);
        while (!LocalResult<R>::wait(deadline.sooner(Deadline::after(std::chrono::milliseconds{100})))) {
            if (deadline.passed()) return false;
            display_->show(done, total_);
        }
        display_->show_end(total_);
        return true;
    }
    bool fetch(const Deadline& deadline) override {
        const bool is_there = wait(deadline);
        if (is_there) was_read_ = true;
        return is_there;
    }

    std::atomic<std::size_t> done{0}; ///< Items of a map.

private:
    struct Hooks final : CrewWork {
        explicit Hooks(std::shared_ptr<ResultBase> of) : result(std::move(of)) {}
        void run() noexcept override { result->call_hooks(); }
        void give_up(const std::exception_ptr&) noexcept override {}
        std::shared_ptr<ResultBase> result;
    };

    // Whichever comes later, the end or the first hook, sees the other.
    void watch() override {
        has_hooks_ = true;
        LocalResult<R>::watch();
    }
    void announce() noexcept override {
        if (!has_hooks_) return;
        try {
            const auto crew = callbacks_.lock();
            if (crew && crew->add(std::make_shared<Hooks>(this->shared_from_this()))) return;
        } catch (...) {} // no memory, no thread
        this->call_hooks();
    }

    const std::weak_ptr<Crew> callbacks_;
    const std::size_t total_;
    std::optional<ProgressDisplay> display_;
    std::atomic<bool> was_read_{false};
    std::atomic<bool> has_hooks_{false};
};

/// What calls give: the result of the only one, those of all, what came of each.
enum class Gives { one, all, each };
template <Gives gives, class R>
using Given =
    std::conditional_t<gives == Gives::each, std::vector<Outcome<R>>,
                       std::conditional_t<gives == Gives::one || std::is_void_v<R>, R, std::vector<R>>>;

/// Calls of one function with several items. The threads that run it take one item after the other.
template <Gives gives, class F, class Item>
class CallsInThreads final : public CrewWork {
public:
    using R = ReturnedInThread<F, Item>;
    using Result = Given<gives, R>;

    CallsInThreads(std::shared_ptr<ThreadResult<Result>> result, std::shared_ptr<F> function,
                   std::vector<Item> items, std::shared_ptr<std::atomic<bool>> stop)
        : result_(std::move(result)),
          function_(std::move(function)),
          items_(std::move(items)),
          taken_(items_.size()),
          left_(items_.size()),
          stop_(std::move(stop)) {
        if (taken_.empty()) finish();
    }

    void run() noexcept override {
        take_items([this](Item& item) {
            if (!begin())
                return TakenResult<R>{{}, std::make_exception_ptr(CancelledError(task_was_cancelled))};
            return taken_of<R>(
                [&]() -> decltype(auto) { return CallInThread<F, Item>::invoke(*function_, item); });
        });
    }
    void give_up(const std::exception_ptr& error) noexcept override {
        take_items([&](Item&) { return TakenResult<R>{{}, error}; });
    }

private:
    bool begin() {
        std::lock_guard lock{mutex_};
        if (!std::exchange(was_asked_, true)) is_wanted_ = result_->begin();
        return is_wanted_ && !(stop_ && *stop_);
    }
    template <class Take>
    void take_items(Take take) {
        for (std::size_t i = 0; (i = next_++) < taken_.size();) {
            taken_[i] = take(items_[i]);
            if (taken_[i].error && stop_) {
                std::lock_guard lock{mutex_};
                if (!stop_->exchange(true)) first_error_ = taken_[i].error;
            }
            ++result_->done;
            if (--left_ == 0) finish();
        }
    }
    void finish() {
        function_.reset(); // they are gone when the result is seen
        items_.clear();
        try {
            auto result = taken_of<Result>([this] { return gathered(); });
            result.error ? result_->set_error(result.error) : result_->set_value(std::move(*result.value));
        } catch (...) { result_->set_error(std::current_exception()); }
    }
    Result gathered() {
        if constexpr (gives == Gives::each) {
            Result outcomes;
            for (auto& taken : taken_)
                outcomes.push_back(taken.error ? Outcome<R>(taken.error) : Outcome<R>(std::move(*taken.value)));
            return outcomes;
        } else {
            if (first_error_) std::rethrow_exception(first_error_);
            for (auto& taken : taken_) {
                if (taken.error) std::rethrow_exception(taken.error);
            }
            if constexpr (std::is_void_v<R>) {
                return;
            } else if constexpr (gives == Gives::one) {
                return std::move(*taken_.front().value);
            } else {
                Result values;
                for (auto& taken : taken_) values.push_back(std::move(*taken.value));
                return values;
            }
        }
    }

    const std::shared_ptr<ThreadResult<Result>> result_;
    std::shared_ptr<F> function_; // one for all threads
    std::vector<Item> items_;
    std::vector<TakenResult<R>> taken_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> left_;
    const std::shared_ptr<std::atomic<bool>> stop_; // of fail_fast: an item has failed
    std::mutex mutex_;
    bool was_asked_ = false;
    bool is_wanted_ = false;
    std::exception_ptr first_error_; // in time
};

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
                                  std::make_shared<F>(std::forward<Function>(function)), std::move(items),
                                  options.priority);
    }
    template <Gives gives, class Item, class Function, class Range>
    auto submit_map(Function&& function, Range&& range, const MapOptions& options) {
        using F = std::decay_t<Function>;
        std::vector<Item> items;
        for (auto&& element : range)
            items.push_back(detail::item_of<Item, Range>(std::forward<decltype(element)>(element)));
        auto result = std::make_shared<ThreadResult<Given<gives, ReturnedInThread<F, Item>>>>(
            callbacks_, options.progress, items.size());
        return submit<gives>(std::move(result), std::make_shared<F>(std::forward<Function>(function)),
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
          function_(std::make_shared<F>(std::forward<Function>(function))),
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

    bool has_next() override {
        fill();
        return this->taken_ || !results_.empty() || input_error_;
    }
    bool wait(const Deadline& deadline) override {
        if (this->taken_) return true;
        if (results_.empty()) { // what the input threw comes behind all results
            this->taken_.emplace().error = std::exchange(input_error_, nullptr);
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
        this->taken_ = taken_of<typename ResultStream<R>::Value>([&] { return result.mapped()->take(); });
        return true;
    }
    void abandon() noexcept override {
        is_exhausted_ = true;
        for (const auto& [index, result] : results_) result->cancel();
        results_.clear();
    }
    void leave_running() noexcept override { results_.clear(); }

private:
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
        if (ended_) result->when_ready([ended = ended_, index = submitted_] { ended->add(index); });
        std::vector<Item> items;
        items.push_back(std::move(item));
        workers_->template submit<Gives::one>(result, function_, std::move(items), priority_, stop_);
        results_.emplace(submitted_++, result);
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
