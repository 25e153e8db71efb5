#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file work.hpp  Calls of a function as work of a crew of threads, and the result of them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/progress/progress_display.hpp>
#include <multiprocessing/detail/result/local_result.hpp>
#include <multiprocessing/detail/result/result_base.hpp>
#include <multiprocessing/detail/result/result_stream.hpp>
#include <multiprocessing/detail/thread_pool/crew.hpp>
#include <multiprocessing/pool/outcome.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A call of F with the elements of an Item: moved, if F takes all of them so; else as lvalues. No
/// call if the Item is no tuple.
template <class F, class Item>
struct CallInThread {
    static constexpr bool ok = false;
    using R = void;
};
template <class F, class... T>
struct CallInThread<F, std::tuple<T...>> {
    static constexpr bool moves = std::is_invocable_v<F&, T...>;
    using Result = std::conditional_t<moves, std::invoke_result<F&, T...>, std::invoke_result<F&, T&...>>;
    static constexpr bool ok = requires { typename Result::type; };
    using R = std::decay_t<typename std::conditional_t<ok, Result, std::type_identity<void>>::type>;

    static R invoke(F& function, std::tuple<T...>& item) {
        if constexpr (moves) {
            return static_cast<R>(std::apply(function, std::move(item)));
        } else {
            return static_cast<R>(std::apply(function, item));
        }
    }
};

/// The arguments of a task; the item of a map, which is its function's only argument.
template <class... Argument>
using TaskItem = std::tuple<std::decay_t<Argument>...>;

/// What calls give: the result of the only one, those of all, what came of each.
enum class Gives { one, all, each };
template <Gives gives, class R>
using Given =
    std::conditional_t<gives == Gives::each, std::vector<Outcome<R>>,
                       std::conditional_t<gives == Gives::one || std::is_void_v<R>, R, std::vector<R>>>;

/// Calls of one function with several items, and the result of all. The threads that run it take
/// one item after the other. Its callbacks run in the thread of another crew, if it has one: they
/// may submit work and wait for it.
template <Gives gives, class F, class Item>
class CallsInThreads final : public LocalResult<Given<gives, typename CallInThread<F, Item>::R>>,
                             public CrewWork {
    using R = typename CallInThread<F, Item>::R;
    using Result = Given<gives, R>;
    using Base = LocalResult<Result>;

public:
    /// Of those that have the same `stop` none begins after one has failed.
    CallsInThreads(std::shared_ptr<F> function, std::vector<Item> items, Priority urgency,
                   std::shared_ptr<std::atomic<bool>> stop, std::weak_ptr<Crew> callbacks = {},
                   const Progress& progress = {})
        : function_(std::move(function)),
          items_(std::move(items)),
          taken_(items_.size()),
          left_(items_.size()),
          stop_(std::move(stop)),
          callbacks_(std::move(callbacks)) {
        priority = urgency;
        if (progress.wanted()) display_.emplace(progress);
        if (taken_.empty()) finish();
    }
    ~CallsInThreads() override {
        if (!was_read_ && this->origin_.is_here()) log_unread_error([&] { return this->error_; });
    }

    void run(const Crew& crew) noexcept override {
        if (&crew == callbacks_.lock().get()) return this->call_hooks();
        take_items([this](TakenResult<R>& taken, Item& item) {
            taken.take([&]() -> typename TakenResult<R>::Value {
                const bool is_wanted = this->begin() || this->running();
                if (!is_wanted || (stop_ && *stop_)) std::rethrow_exception(cancellation());
                if constexpr (std::is_void_v<R>) {
                    CallInThread<F, Item>::invoke(*function_, item);
                    return {};
                } else {
                    return CallInThread<F, Item>::invoke(*function_, item);
                }
            });
        });
    }
    void give_up(const std::exception_ptr& error) noexcept override {
        take_items([&](TakenResult<R>& taken, Item&) { taken.error = error; });
    }
    bool is_unfinished() override { return !this->ready(); }

    bool wait(const Deadline& deadline) override {
        if (!display_) return Base::wait(deadline);
        return display_->wait(
            deadline, [this](const Deadline& until) { return Base::wait(until); },
            [this] {
                return ProgressCount{taken_.size() - left_, taken_.size(), failed_, 0};
            });
    }
    bool fetch(const Deadline& deadline) override {
        const bool is_there = wait(deadline);
        if (is_there) was_read_ = true;
        return is_there;
    }

private:
    void announce() noexcept override {
        if (!this->has_hooks()) return;
        try {
            if (const auto crew = callbacks_.lock())
                return crew->add(std::shared_ptr<CrewWork>(this->shared_from_this(), this));
        } catch (...) {} // it is closed; or no memory, no thread
        this->call_hooks();
    }

    template <class Take>
    void take_items(Take take) {
        for (std::size_t i = 0; (i = next_++) < taken_.size();) {
            take(taken_[i], items_[i]);
            if (taken_[i].error) {
                ++failed_;
                if (stop_) *stop_ = true;
            }
            if (--left_ == 0) finish();
        }
    }
    void finish() {
        function_.reset(); // they are gone when the result is seen
        items_.clear();
        try {
            this->set_value(gathered());
        } catch (...) { this->set_error(std::current_exception()); }
    }
    typename Base::Value gathered() {
        if constexpr (gives == Gives::each) {
            Result outcomes;
            for (auto& taken : taken_)
                outcomes.push_back(taken.error ? Outcome<R>(taken.error) : Outcome<R>(std::move(*taken.value)));
            return outcomes;
        } else {
            for (auto& taken : taken_) {
                if (taken.error) std::rethrow_exception(taken.error);
            }
            if constexpr (gives == Gives::one) {
                return std::move(*taken_.front().value);
            } else if constexpr (std::is_void_v<R>) {
                return {};
            } else {
                Result values;
                for (auto& taken : taken_) values.push_back(std::move(*taken.value));
                return values;
            }
        }
    }

    std::shared_ptr<F> function_; // one for all threads
    std::vector<Item> items_;
    std::vector<TakenResult<R>> taken_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> left_;
    std::atomic<std::size_t> failed_{0};
    const std::shared_ptr<std::atomic<bool>> stop_;
    const std::weak_ptr<Crew> callbacks_;
    std::optional<ProgressDisplay> display_;
    std::atomic<bool> was_read_{false};
};

} // namespace multiprocessing::inline v1::detail
