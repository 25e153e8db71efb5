#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file crew.hpp  Threads that carry out work in the order in which it was added: those of a
/// ThreadPool or ThreadPoolExecutor.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/pool/admission.hpp>
#include <multiprocessing/detail/result/result_base.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace multiprocessing::inline v1::detail {

class Crew;

/// What a thread does. Nothing of it throws.
class CrewWork {
public:
    virtual ~CrewWork() = default;
    virtual void run(const Crew& crew) noexcept = 0;
    virtual void give_up(const std::exception_ptr& error) noexcept = 0;
    virtual bool is_unfinished() = 0;

    Priority priority = Priority::normal;
};

/// What a crew is to be.
struct CrewRequest {
    std::size_t most = 1; ///< Threads.
    std::string names = {};
    std::exception_ptr (*refusal)() = nullptr; ///< What is thrown at work that comes after close().
    bool at_once = false;                      ///< All threads are made before there is work.
    std::function<void()> initializer = {};
};

/// The threads of a pool or executor, which are made when there is work and none that is idle. They
/// inherit the signal mask of the thread that adds the work: what they run is the program's, and
/// may start processes.
///
/// Each thread keeps the crew alive; so do the threads that a fork does not copy, and what they
/// worked on is neither used nor destroyed in the copy.
class Crew final : public FinishedAtEnd, public std::enable_shared_from_this<Crew> {
    template <class Look>
    auto locked(Look look) const {
        std::lock_guard lock{mutex_};
        return look();
    }

public:
    explicit Crew(CrewRequest request);
    MULTIPROCESSING_INLINE ~Crew() override;

    /// Makes a crew, and another one for callbacks. Its destructor cancels the work that waits, and
    /// waits for the work that runs. Throws `std::system_error` if a thread that is needed cannot
    /// be made.
    static std::shared_ptr<Crew> make(CrewRequest request);

    const ForkOrigin& origin() const noexcept { return origin_; }
    std::size_t size() const noexcept { return request_.most; }
    bool is_closed() const;
    bool is_broken() const;
    bool is_terminated() const;
    bool has_unfinished() const;
    const std::shared_ptr<Crew>& callbacks() const noexcept { return callbacks_; }

    /// Throws what broke the crew, or the refusal after close().
    void require_open() const;
    /// Has `threads` of the crew run the work, or as many as there are.
    void add(const std::shared_ptr<CrewWork>& work, std::size_t threads = 1, bool of_stream = false);
    /// See Admission.
    void enter_stream();
    void leave_stream() noexcept;

    /// Ends the taking of work; what was added before is done.
    void close();
    /// Does what close() does, and cancels the work that waits.
    void terminate();
    /// Cancels the work that waits.
    void cancel_waiting(const std::exception_ptr& error = cancellation());
    /// Waits until all threads have ended, after close(); false when the deadline passed. One of
    /// these threads waits for the others, but for those that wait here as well.
    bool join(const Deadline& deadline);
    MULTIPROCESSING_INLINE void finish() noexcept override;

private:
    static const Crew*& mine() noexcept;
    void start_thread(bool is_needed);

    void run(std::size_t number);

    const CrewRequest request_;
    const ForkOrigin origin_;
    mutable std::mutex mutex_; // a condition_variable wants this very type
    std::condition_variable changed_;
    std::condition_variable ended_;
    std::deque<std::shared_ptr<CrewWork>> waiting_; // the most urgent first
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    std::size_t alive_ = 0;
    std::size_t joining_inside_ = 0;
    Admission admission_;
    std::shared_ptr<Crew> callbacks_; // null: this is the one for callbacks
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/thread.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE Crew::Crew(CrewRequest request) : request_(std::move(request)) {
    admission_.set_refusal(request_.refusal);
}

MULTIPROCESSING_INLINE Crew::~Crew() {
    if (!origin_.is_here()) new std::vector<std::thread>(std::move(threads_)); // not there to be joined
}

MULTIPROCESSING_INLINE std::shared_ptr<Crew> Crew::make(CrewRequest request) {
    if (request.most > 4096)
        throw std::invalid_argument("multiprocessing: " + std::to_string(request.most) +
                                    " threads are too many: at most 4096 are possible");
    auto crew = std::make_shared<Crew>(std::move(request));
    crew->callbacks_ = std::make_shared<Crew>(CrewRequest{.refusal = pool_refusal});
    std::shared_ptr<Crew> handle(crew.get(), [crew](Crew*) mutable {
        const auto ending = std::move(crew);
        if (!ending->origin_.is_here()) return;
        ending->terminate();
        ending->join(Deadline{});
    });
    std::lock_guard lock{crew->mutex_};
    while (crew->request_.at_once && crew->threads_.size() < crew->size()) crew->start_thread(true);
    return handle;
}

MULTIPROCESSING_INLINE bool Crew::is_closed() const {
    return locked([&] { return admission_.is_closed(); });
}

MULTIPROCESSING_INLINE bool Crew::is_broken() const {
    return locked([&] { return admission_.broken() != nullptr; });
}

MULTIPROCESSING_INLINE bool Crew::is_terminated() const {
    return locked([&] { return admission_.termination() != nullptr; });
}

MULTIPROCESSING_INLINE bool Crew::has_unfinished() const {
    return locked([&] {
        return std::any_of(waiting_.begin(), waiting_.end(), [](auto& work) { return work->is_unfinished(); });
    });
}

MULTIPROCESSING_INLINE void Crew::require_open() const {
    locked([&] { admission_.admit(false); });
}

MULTIPROCESSING_INLINE void Crew::add(const std::shared_ptr<CrewWork>& work, std::size_t threads,
                                      bool of_stream) {
    threads = (std::min)(threads, size());
    {
        std::lock_guard lock{mutex_};
        admission_.admit(of_stream);
        for (std::size_t i = 0; i < threads; ++i) {
            if (waiting_.size() + i >= idle_ && threads_.size() < size()) start_thread(threads_.empty());
        }
        const auto place = std::find_if(waiting_.rbegin(), waiting_.rend(),
                                        [&](const auto& other) { return other->priority >= work->priority; });
        waiting_.insert(place.base(), threads, work);
    }
    threads == 1 ? changed_.notify_one() : changed_.notify_all();
}

MULTIPROCESSING_INLINE void Crew::close() {
    locked([&] { admission_.close(); });
    changed_.notify_all();
}

MULTIPROCESSING_INLINE void Crew::enter_stream() {
    locked([&] { admission_.enter_stream(); });
}

MULTIPROCESSING_INLINE void Crew::leave_stream() noexcept {
    locked([&] { admission_.leave_stream(); });
    changed_.notify_all();
}

MULTIPROCESSING_INLINE void Crew::terminate() {
    const std::exception_ptr error = cancellation();
    locked([&] { admission_.end_terminated(error); });
    changed_.notify_all();
    cancel_waiting(error);
}

MULTIPROCESSING_INLINE void Crew::cancel_waiting(const std::exception_ptr& error) {
    std::deque<std::shared_ptr<CrewWork>> waiting;
    locked([&] { waiting.swap(waiting_); });
    for (const auto& work : waiting) work->give_up(error);
}

MULTIPROCESSING_INLINE bool Crew::join(const Deadline& deadline) {
    std::vector<std::thread> threads;
    {
        const bool is_inside = mine() == this;
        std::unique_lock lock{mutex_};
        if (!deadline.passed()) admission_.end_streams();
        changed_.notify_all();
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
    if (!callbacks_) return true;
    callbacks_->close(); // what ends later calls its hooks by itself
    return callbacks_->join(deadline);
}

MULTIPROCESSING_INLINE void Crew::finish() noexcept {
    if (!origin_.is_here()) return;
    close();
    join(Deadline{});
}

MULTIPROCESSING_INLINE const Crew*& Crew::mine() noexcept {
    static constinit thread_local const Crew* crew = nullptr;
    return crew;
}

MULTIPROCESSING_INLINE void Crew::start_thread(bool is_needed) {
    try {
        threads_.reserve(threads_.size() + 1);
        threads_.emplace_back([self = shared_from_this(), number = threads_.size()] { self->run(number); });
        ++alive_;
    } catch (...) {
        if (is_needed) throw; // else one of the others will do it
    }
}

MULTIPROCESSING_INLINE void Crew::run(std::size_t number) {
    mine() = this;
    if (!request_.names.empty()) platform::name_this_thread(request_.names + std::to_string(number));
    try {
        if (const auto initializer = request_.initializer) initializer(); // a copy for each thread
    } catch (...) {
        cancel_waiting(locked([&] {
            admission_.end_broken(std::current_exception());
            return admission_.broken();
        }));
        changed_.notify_all();
    }
    std::unique_lock lock{mutex_};
    for (;;) {
        ++idle_;
        changed_.wait(lock, [&] { return admission_.is_over() || !waiting_.empty(); });
        --idle_;
        if (waiting_.empty()) break;
        std::shared_ptr<CrewWork> work = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        work->run(*this);
        work.reset();
        lock.lock();
    }
    --alive_;
    ended_.notify_all();
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
