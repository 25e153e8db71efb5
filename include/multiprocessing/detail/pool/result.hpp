#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file result.hpp  What came of a task or map: waited for, read once, kept for all callers.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/pool/chunked_work.hpp>
#include <multiprocessing/detail/pool/map_work.hpp>
#include <multiprocessing/detail/pool/table.hpp>
#include <multiprocessing/detail/pool/task_work.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/detail/progress/progress_display.hpp>
#include <multiprocessing/detail/result/result_state.hpp>
#include <multiprocessing/detail/types/plain.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A result that a pool's workers make.
///
/// The outcome is read once, by the first thread that asks for it when it is there; the others wait
/// for that one. Under the mutex nothing is read, copied or moved: all that is the program's code.
template <class R>
class PooledResult : public ResultState<R> {
public:
    using Value = typename ResultState<R>::Value;

    ~PooledResult() override {
        // Its task goes on running; an error of it will be logged.
        if (work_ && origin_.is_here()) core_->release(work_);
    }

    bool ready() override {
        require_owner();
        if (stage_.load(std::memory_order_acquire) != fresh) return true;
        std::lock_guard lock{mutex_};
        return stage_.load(std::memory_order_relaxed) != fresh || work_->ended();
    }

    bool running() override {
        const std::shared_ptr<Work> work = unread_work();
        return work && core_->is_running(work);
    }

    bool wait(const Deadline& deadline) override {
        const std::shared_ptr<Work> work = unread_work(); // a thread that reads it meanwhile does not end it
        return !work || wait_for(*work, deadline);
    }

    bool fetch(const Deadline& deadline) override {
        require_owner();
        std::shared_ptr<Work> work;
        if (!try_to_read(work, !shows_progress_)) {
            if (is_read()) return true;
            if (!wait_for(*work, deadline)) return false;
            if (!try_to_read(work, true))
                return core_->wait_for_reader(work->slot, deadline, [this] { return is_read(); });
        }
        return true;
    }

    bool cancel() override {
        const std::shared_ptr<Work> work = unread_work();
        return work && core_->cancel(work);
    }
    bool kill() override {
        const std::shared_ptr<Work> work = unread_work();
        return work && core_->kill(work);
    }

protected:
    PooledResult(std::shared_ptr<PoolTable> core, std::shared_ptr<Work> work, bool shows_progress = false)
        : core_(std::move(core)), shows_progress_(shows_progress), work_(std::move(work)) {}

    virtual Value read_from(Work&) { return {}; }
    virtual bool wait_for(const Work& work, const Deadline& deadline) {
        return core_->wait_for(work, deadline, [this] { return is_read(); });
    }
    bool is_read() const noexcept { return stage_.load(std::memory_order_acquire) == read; }

    const std::shared_ptr<PoolTable> core_;

private:
    enum Stage : std::uint8_t { fresh, reading, read };

    void require_owner() const { origin_.require_here("this result", "get() it there, and pass the value"); }

    /// The work, as long as nobody has begun to read it.
    std::shared_ptr<Work> unread_work() {
        require_owner();
        std::lock_guard lock{mutex_};
        return stage_.load(std::memory_order_relaxed) == fresh ? work_ : nullptr;
    }

    void watch() override {
        if (const std::shared_ptr<Work> work = unread_work()) {
            core_->watch(work, this->shared_from_this());
        } else {
            core_->call_hooks_of(this->shared_from_this());
        }
    }

    /// Reads the outcome, if it is there and nobody has begun to; false if it is not, or another
    /// thread reads it, or has. `work` is what to wait for then. `at_once`: if it is there already.
    bool try_to_read(std::shared_ptr<Work>& work, bool at_once) {
        if (is_read()) return false;
        {
            std::lock_guard lock{mutex_};
            switch (stage_.load(std::memory_order_relaxed)) {
            case fresh:
                if (at_once && work_->ended()) {
                    stage_.store(reading, std::memory_order_relaxed);
                    reader_ = std::this_thread::get_id();
                    break;
                }
                work = work_;
                return false;
            case reading:
                if (reader_ == std::this_thread::get_id())
                    throw std::logic_error("multiprocessing: a result was asked for by what deserializes it");
                awaited_ = true;
                work = work_;
                return false;
            case read: return false;
            }
        }
        require_no_mutex();
        try {
            this->value_.emplace(read_from(*work_));
        } catch (...) { this->error_ = std::current_exception(); }
        bool awaited = false;
        {
            std::lock_guard lock{mutex_};
            work = std::move(work_);
            awaited = awaited_;
            // Before the slot is given back: a thread that finds another task in it finds this,
            // too.
            stage_.store(read, std::memory_order_release);
        }
        core_->release(work);
        if (awaited) core_->tell_readers(work->slot);
        return true;
    }

    const ForkOrigin origin_;
    const bool shows_progress_ = false;
    std::atomic<Stage> stage_{fresh};

    Mutex mutex_;                // guards what follows, and changes of the stage
    std::shared_ptr<Work> work_; // until it was read
    std::thread::id reader_;     // while the stage is `reading`
    bool awaited_ = false;       // others wait for the reader
};

/// Of a single task.
template <class R>
class TaskResult final : public PooledResult<R> {
public:
    using Value = typename PooledResult<R>::Value;

    TaskResult(std::shared_ptr<PoolTable> core, std::shared_ptr<TaskWork> work)
        : PooledResult<R>(std::move(core), std::move(work)) {}

private:
    Value read_from(Work& work) override {
        return static_cast<TaskWork&>(work).read([](Reader& reader) {
            if constexpr (std::is_void_v<R>) {
                static_cast<void>(reader);
                return Value{};
            } else {
                Value value = decode<R>(reader);
                reader.finish();
                return value;
            }
        });
    }
};

/// Of a map; E is what the function gives for an item.
template <class E>
using MapValue =
    std::conditional_t<std::is_void_v<E>, void, std::vector<std::conditional_t<std::is_void_v<E>, int, E>>>;

MULTIPROCESSING_INLINE ProgressCount progress_of(const MapWork& work);

/// Of a map, with its progress shown while somebody waits for it.
template <class E, class MapWorkType>
class PooledMapResult : public PooledResult<MapValue<E>> {
    using Base = PooledResult<MapValue<E>>;

public:
    using Value = typename Base::Value;

    PooledMapResult(std::shared_ptr<PoolTable> core, std::shared_ptr<MapWorkType> work, Progress progress)
        : Base(std::move(core), std::move(work), progress.wanted()), display_(std::move(progress)) {}

private:
    bool wait_for(const Work& waited, const Deadline& deadline) override {
        const auto has_read = [this] { return this->is_read(); };
        if (!display_.wanted()) return this->core_->wait_for(waited, deadline, has_read);
        const auto& work = static_cast<const MapWorkType&>(waited);
        return display_.wait(
            deadline, [&](const Deadline& until) { return this->core_->wait_for(work, until, has_read); },
            [&] { return progress_of(work); });
    }

    ProgressDisplay display_;
};

/// Of one that is done chunk by chunk.
template <class E>
class MapResult final : public PooledMapResult<E, ChunkedMapWork> {
    using Base = PooledMapResult<E, ChunkedMapWork>;

public:
    using Base::Base;
    using typename Base::Value;

private:
    Value read_from(Work& ended) override {
        auto& work = static_cast<ChunkedMapWork&>(ended);
        if constexpr (std::is_void_v<E>) {
            work.read([](Reader&, std::uint64_t) {});
            return {};
        } else if constexpr (is_plain_in_blocks<E>) {
            work.read([](Reader&, std::uint64_t) {});
            const E* const results = &tree().space.at<const E>(work.job().output.block);
            return Value(results, results + work.items()); // the one copy out
        } else {
            Value results;
            results.reserve(static_cast<std::size_t>(work.items()));
            work.read([&](Reader& reader, std::uint64_t count) {
                for (; count > 0; --count) results.push_back(decode<E>(reader));
                reader.finish();
            });
            return results;
        }
    }
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ProgressCount progress_of(const MapWork& work) {
    return {static_cast<std::size_t>(work.items_done()), static_cast<std::size_t>(work.items()),
            static_cast<std::size_t>(work.items_failed()), work.under_way()};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
