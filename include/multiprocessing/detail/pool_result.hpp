#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pool_result.hpp  What came of a task or map: waited for, read once, kept for all who ask.

#include <multiprocessing/detail/archive/plain.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/detail/pool_work.hpp>
#include <multiprocessing/detail/progress.hpp>
#include <multiprocessing/detail/self.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The state that all copies of an AsyncResult share.
template <class R>
class ResultState {
public:
    using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

    /// A result that is there already: of a map over nothing.
    explicit ResultState(Value value) : value_(std::move(value)), read_(true) {}
    ResultState(const ResultState&) = delete;
    ResultState& operator=(const ResultState&) = delete;

    virtual ~ResultState() {
        // Its task goes on running; an error of it will be logged.
        if (core_ && !read_ && copies_ == self().copies()) core_->release(work_);
    }

    bool ready() {
        check();
        std::lock_guard lock{mutex_};
        return read_ || work_->ended();
    }

    bool wait(const Deadline& deadline) {
        check();
        {
            std::lock_guard lock{mutex_};
            if (read_) return true;
        }
        return wait_for(deadline);
    }

    /// The value, or throws. Waited for before.
    Value& value() {
        std::lock_guard lock{mutex_};
        if (!read_) {
            read_ = true;
            try {
                value_ = read();
            } catch (...) { error_ = std::current_exception(); }
            core_->release(work_);
            work_.reset();
        }
        if (error_) std::rethrow_exception(error_);
        if (!value_) throw std::logic_error("multiprocessing: this result was moved out by an earlier get()");
        return *value_;
    }

    /// The value, given away for good.
    Value take() {
        Value result = std::move(value());
        std::lock_guard lock{mutex_};
        value_.reset();
        return result;
    }

    bool successful() {
        try {
            value();
            return true;
        } catch (...) { return false; }
    }

protected:
    ResultState(std::shared_ptr<PoolCore> core, std::shared_ptr<Work> work)
        : core_(std::move(core)), work_(std::move(work)) {}

    virtual Value read() { return {}; }
    virtual bool wait_for(const Deadline& deadline) { return core_->wait_for(*work_, deadline); }

    const std::shared_ptr<PoolCore> core_;
    std::shared_ptr<Work> work_; // until it was read

private:
    void check() const {
        if (copies_ != self().copies())
            throw std::logic_error("multiprocessing: a result belongs to the process that asked for it");
    }

    const std::uint32_t copies_ = self().copies();
    std::mutex mutex_;
    std::optional<Value> value_;
    std::exception_ptr error_;
    bool read_ = false;
};

/// Of a single task.
template <class R>
class TaskResult final : public ResultState<R> {
public:
    using Value = typename ResultState<R>::Value;

    TaskResult(std::shared_ptr<PoolCore> core, std::shared_ptr<TaskWork> work)
        : ResultState<R>(std::move(core), std::move(work)) {}

private:
    Value read() override {
        return static_cast<TaskWork&>(*this->work_).read([](Reader& reader) {
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

template <class E>
class MapResult final : public ResultState<MapValue<E>> {
    using Base = ResultState<MapValue<E>>;

public:
    using Value = typename Base::Value;

    MapResult(std::shared_ptr<PoolCore> core, std::shared_ptr<MapWork> work, Progress progress)
        : Base(std::move(core), std::move(work)), display_(std::move(progress)) {}

private:
    MapWork& work() const { return static_cast<MapWork&>(*this->work_); }

    bool wait_for(const Deadline& deadline) override {
        if (!display_.wanted()) return this->core_->wait_for(work(), deadline);
        const auto total = static_cast<std::size_t>(work().items());
        for (;;) {
            const bool over = this->core_->wait_for(work(), deadline.sooner(Deadline::after(slice)));
            if (over || deadline.passed()) {
                if (over) display_.show(total, total, true);
                return over;
            }
            display_.show(static_cast<std::size_t>(work().items_done()), total, false);
        }
    }

    Value read() override {
        if constexpr (std::is_void_v<E>) {
            work().read([](Reader&, std::uint64_t) {});
            return {};
        } else if constexpr (is_plain<E>) {
            work().read([](Reader&, std::uint64_t) {});
            const E* const results = &tree().space.at<const E>(work().job().output.block);
            return Value(results, results + work().items()); // the one copy out
        } else {
            Value results;
            results.reserve(static_cast<std::size_t>(work().items()));
            work().read([&](Reader& reader, std::uint64_t count) {
                for (; count > 0; --count) results.push_back(decode<E>(reader));
                reader.finish();
            });
            return results;
        }
    }

    ProgressDisplay display_;
};

} // namespace multiprocessing::inline v1::detail
