#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file result.hpp  The result of a call or a map that threads of this process work on.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/progress_display.hpp>
#include <multiprocessing/detail/result/local_result.hpp>
#include <multiprocessing/detail/thread_pool/crew.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace multiprocessing::inline v1::detail {

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
        bool give_up(const std::exception_ptr&) noexcept override { return false; }
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

} // namespace multiprocessing::inline v1::detail
