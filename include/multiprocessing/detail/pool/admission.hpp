#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file admission.hpp  Whether a pool takes work, and why not.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/result/result_base.hpp>

#include <cstddef>
#include <exception>

namespace multiprocessing::inline v1::detail {

/// Whether a pool takes work. Open, then closed, of which a broken and a terminated one are kinds;
/// never open again. Guarded by the mutex of its owner.
class Admission {
public:
    /// What is thrown at a thread that submits to a closed pool.
    void set_refusal(std::exception_ptr (*refusal)()) noexcept { refusal_ = refusal; }

    /// Throws if no work is taken. One `of_stream` is taken from a closed pool as well; see
    /// enter_stream().
    void admit(bool of_stream) const;

    /// A reader of results that submits bit by bit, as imap does, may go on after close(), until it
    /// leaves or the pool is joined. Throws if no work is taken.
    void enter_stream();
    void leave_stream() noexcept { --streams_; }
    /// A thread that waits for the pool may be the one that should read on: from then on no stream
    /// is taken. (One that only asks whether the pool has ended changes nothing.)
    void end_streams() noexcept { streams_ended_ = true; }

    void close() noexcept { closed_ = true; }
    /// What was not done gets `error`; what is submitted later gets it too.
    void end_broken(const std::exception_ptr& error) noexcept;
    /// What was not done gets `error`; what is submitted later is refused.
    void end_terminated(const std::exception_ptr& error) noexcept;

    bool is_closed() const noexcept { return closed_; }
    /// No work will be taken any more, of streams neither.
    bool is_over() const noexcept { return closed_ && (streams_ == 0 || !takes_streams()); }
    const std::exception_ptr& broken() const noexcept { return broken_; }
    const std::exception_ptr& termination() const noexcept { return termination_; }

private:
    bool takes_streams() const noexcept { return !streams_ended_ && !termination_; }

    bool closed_ = false;
    std::size_t streams_ = 0;
    bool streams_ended_ = false;
    std::exception_ptr broken_;
    std::exception_ptr termination_;
    std::exception_ptr (*refusal_)() = pool_refusal;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <stdexcept>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void Admission::admit(bool of_stream) const {
    if (broken_) std::rethrow_exception(broken_);
    if (!closed_ || (of_stream && takes_streams())) return;
    if (of_stream && !termination_ && refusal_ == pool_refusal) {
        throw std::invalid_argument("multiprocessing: the pool was joined before this imap had been read to "
                                    "its end: read it first, or use map");
    }
    std::rethrow_exception(refusal_());
}

MULTIPROCESSING_INLINE void Admission::enter_stream() {
    admit(false);
    ++streams_;
}

MULTIPROCESSING_INLINE void Admission::end_broken(const std::exception_ptr& error) noexcept {
    if (!broken_) broken_ = error;
    closed_ = true;
}

MULTIPROCESSING_INLINE void Admission::end_terminated(const std::exception_ptr& error) noexcept {
    termination_ = error;
    closed_ = true;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
