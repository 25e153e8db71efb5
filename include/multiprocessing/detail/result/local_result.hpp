#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file local_result.hpp  A result that a thread of this process makes: of a thread pool, of a
/// promise, or one that is there from the beginning.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/result/result_base.hpp>
#include <multiprocessing/detail/result/result_state.hpp>

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Begins as pending; is begun or cancelled once, then ends once.
template <class R>
class LocalResult : public ResultState<R> {
public:
    using Value = typename ResultState<R>::Value;

    LocalResult() = default;
    /// Makes a result that is there already.
    explicit LocalResult(Value value) : ResultState<R>(std::move(value)), stage_(Stage::ended) {}

    bool ready() override { return stage() == Stage::ended; }
    bool running() override {
        std::lock_guard lock{mutex_};
        return has_begun_ && stage_ != Stage::ended;
    }
    bool wait(const Deadline& deadline) override {
        if (stage() != Stage::ended) origin_.require_here("this result", "wait for it there");
        std::unique_lock lock{mutex_};
        while (stage_ != Stage::ended) {
            if (deadline.passed()) return false;
            changed_.wait_for(lock, deadline.left(longest_wait));
        }
        return true;
    }
    bool fetch(const Deadline& deadline) override { return wait(deadline); }
    bool cancel() override {
        return end(Stage::pending, [&] { this->error_ = cancellation(); });
    }
    bool kill() override { return cancel(); }

    /// Returns false if it was cancelled, or has begun: then the caller does not run it.
    bool begin() {
        std::lock_guard lock{mutex_};
        if (stage_ != Stage::pending) return false;
        stage_ = Stage::running;
        has_begun_ = true;
        return true;
    }
    /// Returns false if it has ended.
    bool set_value(Value value) {
        return end(Stage::running, [&] { this->value_.emplace(std::move(value)); });
    }
    bool set_error(std::exception_ptr error) {
        return end(Stage::running, [&] { this->error_ = std::move(error); });
    }

protected:
    /// Calls the hooks, in this thread. It has ended.
    virtual void announce() noexcept { this->call_hooks(); }

    /// The thread that ends it calls the hooks: it may have ended since they were added.
    void watch() override {
        if (ready()) announce();
    }

    const ForkOrigin origin_;

private:
    enum class Stage { pending, running, ending, ended };
    static constexpr std::chrono::hours longest_wait{1};

    Stage stage() {
        std::lock_guard lock{mutex_};
        return stage_;
    }

    /// Ends it if it has come no further than `latest`. Its hooks run in this thread.
    template <class Write>
    bool end(Stage latest, Write write) {
        {
            std::lock_guard lock{mutex_};
            if (stage_ > latest) return false;
            stage_ = Stage::ending; // for this thread alone: `write` moves a value of the program's
        }
        try {
            write();
        } catch (...) { this->error_ = std::current_exception(); }
        {
            std::lock_guard lock{mutex_};
            stage_ = Stage::ended;
        }
        changed_.notify_all();
        announce();
        return true;
    }

    std::mutex mutex_; // a condition_variable wants this very type
    std::condition_variable changed_;
    Stage stage_ = Stage::pending;
    bool has_begun_ = false;
};

} // namespace multiprocessing::inline v1::detail
