#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file given_objects.hpp  Shared objects and big blocks that travel with a message down the tree.

#include <multiprocessing/detail/archive/context.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object.hpp>
#include <multiprocessing/detail/tree.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Collects the shared objects of a message that is being written. Leases are given later, when the receiver is known.
class Giving final : public WriteContext, public Giver {
public:
    Giver* giver() override { return this; }
    void give(std::shared_ptr<SharedObject> object) override {
        object->address(); // throws here, where the argument is written, if it may not be passed on
        objects.push_back(std::move(object));
    }

    std::vector<std::shared_ptr<SharedObject>> objects;
};

/// Yields them, in the same order, in the process that received them.
class Taking final : public ReadContext, public Taker {
public:
    explicit Taking(std::span<const LeaseEntry> leases) : leases_(leases) {}

    Taker* taker() override { return this; }
    LeaseEntry take() override {
        if (next_ == leases_.size())
            throw SerializationError("multiprocessing: a message names a shared object that was not given");
        return leases_[next_++];
    }

private:
    std::span<const LeaseEntry> leases_;
    std::size_t next_ = 0;
};

} // namespace multiprocessing::inline v1::detail
