#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file handle_base.hpp  What every handle of a shared object has in common: it is cheap to copy, and travels as an argument.

#include <multiprocessing/detail/archive/context.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object.hpp>
#include <multiprocessing/detail/tree.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A handle of an object `Body` in the Space, as the base of the public types. Copies refer to the same object. Making a
/// handle touches no shared memory; the object is made when it is first used or passed on.
///
/// `Body` **must** be valid when all zero, or be made so by the `init` that is given to the constructor; it **must** hold
/// no pointers, and needs no destructor. A public type `H : HandleBase<H, Body>` names itself by
/// `static constexpr char kind[]`.
template <class Derived, class Body>
class HandleBase {
    static_assert(std::is_trivially_destructible_v<Body>);

public:
    using multiprocessing_handle = void; // Spawnable, but not Serializable

    void give(Giver& giver) const { giver.give(object_); }
    static Derived take(Taker& taker) {
        return Derived(std::make_shared<SharedObject>(Derived::kind, tree(), taker.take()));
    }

protected:
    HandleBase() : object_(std::make_shared<SharedObject>(Derived::kind, sizeof(Body))) {}
    explicit HandleBase(std::shared_ptr<SharedObject> object) : object_(std::move(object)) {}

    /// Throws `std::logic_error` in a process that the object was not passed to.
    Body& body() const { return *std::launder(static_cast<Body*>(object_->address())); }
    TreeMember& member() const { return object_->member(); }

private:
    std::shared_ptr<SharedObject> object_;
};

} // namespace multiprocessing::inline v1::detail
