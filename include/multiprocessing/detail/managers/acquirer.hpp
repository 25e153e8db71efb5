#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file acquirer.hpp  What the proxies of locks and of semaphores have in common.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/waiters.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/synchronize/lockable.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

namespace multiprocessing::inline v1::detail {

/// A proxy of a body that is acquired and released. `Derived` has `release()`.
template <class Derived, class Body>
class Acquirer : public ProxyBase<Derived, Body>, public Lockable<Derived> {
public:
    /// As release(), for guards, whose destructors may not throw: where the server is lost or shut
    /// down, the lock is gone with it, and nothing is to be done.
    void unlock() const {
        try {
            static_cast<const Derived&>(*this).release();
        } catch (const ProcessError&) {}
    }

    bool acquire_until(const Deadline& deadline) const {
        return this->template invoke<&Body::acquire>(WaitSpan::until(deadline));
    }

protected:
    using ProxyBase<Derived, Body>::ProxyBase;
};

} // namespace multiprocessing::inline v1::detail
