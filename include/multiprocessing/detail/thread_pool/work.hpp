#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file work.hpp  Calls of a function as work of a crew of threads.

#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/result/result_stream.hpp>
#include <multiprocessing/detail/thread_pool/crew.hpp>
#include <multiprocessing/detail/thread_pool/result.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/pool/outcome.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <ranges>
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
    bool give_up(const std::exception_ptr& error) noexcept override {
        const bool is_loss = !result_->ready();
        take_items([&](Item&) { return TakenResult<R>{{}, error}; });
        return is_loss;
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

} // namespace multiprocessing::inline v1::detail
