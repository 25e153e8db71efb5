#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file crew.hpp  Threads that carry out work in the order in which it was added: those of a
/// ThreadPool or ThreadPoolExecutor.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a thread does. Either member is called once, and throws nothing.
class CrewWork {
public:
    virtual ~CrewWork() = default;
    virtual void run() noexcept = 0;
    /// Returns whether its result was wanted.
    virtual bool give_up(const std::exception_ptr& error) noexcept = 0;

    Priority priority = Priority::normal;
};

/// At most `most` threads, made when there is work and none that is idle. They inherit the signal
/// mask of the thread that adds the work: what they run is the program's, and may start processes.
///
/// Each thread keeps the crew alive; so do the threads that a fork does not copy, and what they
/// worked on is neither used nor destroyed in the copy.
class Crew final : public std::enable_shared_from_this<Crew> {
    template <class Look>
    auto locked(Look look) const {
        std::lock_guard lock{mutex_};
        return look();
    }

public:
    explicit Crew(std::size_t most, std::string names = {}, std::function<void()> initializer = {})
        : most_(most), names_(std::move(names)), initializer_(std::move(initializer)) {}
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    ~Crew() {
        if (!origin_.is_here()) new std::vector<std::thread>(std::move(threads_)); // not there to be joined
    }

    std::size_t most() const noexcept { return most_; }
    const ForkOrigin& origin() const noexcept { return origin_; }
    bool is_closed() const {
        return locked([&] { return closed_; });
    }
    std::exception_ptr broken() const {
        return locked([&] { return broken_; });
    }
    /// Whether a thread waits for work.
    bool has_idle() const {
        return locked([&] { return idle_ > waiting_.size(); });
    }

    /// Returns false after close(); throws what broke the crew.
    bool add(const std::shared_ptr<CrewWork>& work) {
        {
            std::lock_guard lock{mutex_};
            if (broken_) std::rethrow_exception(broken_);
            if (closed_) return false;
            const auto place = std::find_if(waiting_.rbegin(), waiting_.rend(), [&](const auto& other) {
                return other->priority >= work->priority;
            });
            if (waiting_.size() >= idle_ && threads_.size() < most_) start_thread(threads_.empty());
            waiting_.insert(place.base(), work);
        }
        changed_.notify_one();
        return true;
    }
    /// Makes all threads now; throws `std::system_error` if that cannot be, and has none left.
    void start_all() {
        try {
            std::lock_guard lock{mutex_};
            while (threads_.size() < most_) start_thread(true);
        } catch (...) {
            close();
            join(Deadline{});
            throw;
        }
    }

    /// No more work is taken; what is there is done.
    void close() {
        locked([&] { closed_ = true; });
        changed_.notify_all();
    }
    /// What waits is given up. Returns whether some of it was wanted.
    bool give_up_waiting(const std::exception_ptr& error) {
        std::deque<std::shared_ptr<CrewWork>> waiting;
        locked([&] { waiting.swap(waiting_); });
        bool is_loss = false;
        for (const auto& work : waiting) is_loss = work->give_up(error) || is_loss;
        return is_loss;
    }
    /// Waits until all threads have ended, after close(); false when the deadline passed. One of
    /// these threads waits for the others, but for those that wait here as well.
    bool join(const Deadline& deadline) {
        std::vector<std::thread> threads;
        {
            const bool is_inside = mine() == this;
            std::unique_lock lock{mutex_};
            joining_inside_ += is_inside;
            const ScopeExit joined{[&] { joining_inside_ -= is_inside; }};
            ended_.notify_all();
            while (alive_ > (is_inside ? joining_inside_ : 0)) {
                if (deadline.passed()) return false;
                ended_.wait_for(lock, deadline.left(std::chrono::hours{1}));
            }
            threads.swap(threads_);
        }
        for (std::thread& thread : threads)
            thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
        return true;
    }

private:
    static const Crew*& mine() noexcept {
        static constinit thread_local const Crew* crew = nullptr;
        return crew;
    }
    void start_thread(bool is_needed) {
        try {
            threads_.reserve(threads_.size() + 1);
            threads_.emplace_back([self = shared_from_this(), number = threads_.size()] { self->run(number); });
            ++alive_;
        } catch (...) {
            if (is_needed) throw; // else one of the others will do it
        }
    }

    void run(std::size_t number) {
        mine() = this;
        if (!names_.empty()) platform::name_this_thread(names_ + std::to_string(number));
        try {
            if (const auto initializer = initializer_) initializer(); // a copy for each thread
        } catch (...) {
            locked([&] {
                if (!broken_) broken_ = std::current_exception();
                closed_ = true;
            });
            changed_.notify_all();
            give_up_waiting(broken());
        }
        std::unique_lock lock{mutex_};
        for (;;) {
            ++idle_;
            changed_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
            --idle_;
            if (waiting_.empty()) break;
            std::shared_ptr<CrewWork> work = std::move(waiting_.front());
            waiting_.pop_front();
            lock.unlock();
            work->run();
            work.reset();
            lock.lock();
        }
        --alive_;
        ended_.notify_all();
    }

    const std::size_t most_;
    const std::string names_;
    const std::function<void()> initializer_;
    const ForkOrigin origin_;
    mutable std::mutex mutex_; // a condition_variable wants this very type
    std::condition_variable changed_;
    std::condition_variable ended_;
    std::deque<std::shared_ptr<CrewWork>> waiting_; // the most urgent first
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    std::size_t alive_ = 0;
    std::size_t joining_inside_ = 0;
    std::exception_ptr broken_;
    bool closed_ = false;
};

} // namespace multiprocessing::inline v1::detail
