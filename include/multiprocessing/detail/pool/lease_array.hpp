#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lease_array.hpp  Leases for the shared objects of a task or map, in an array that its
/// workers read.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/pool/parcel.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Leases for the shared objects of a piece of work, in an array that the receiver reads.
class LeaseArray {
public:
    LeaseArray() = default;
    /// `copies`: how many receivers there are, each with leases of its own.
    /// What is kept beyond the end of the work is held by `afterwards`.
    LeaseArray(std::vector<std::shared_ptr<SharedObject>> objects, std::size_t copies,
               std::uint64_t afterwards);
    LeaseArray(LeaseArray&&) noexcept = default;
    LeaseArray& operator=(LeaseArray&&) noexcept = default;
    ~LeaseArray();

    std::uint64_t bytes_each() const noexcept;
    Parcel parcel(std::size_t copy = 0) const noexcept;

    /// The receiver of a copy has died: its leases are over when its descendants are gone, and the
    /// next one gets others.
    void renew(std::size_t copy, Incarnation dead);

    /// The receiver of a copy has ended the work: nobody takes anything by these leases any more.
    /// What it kept is `receiver`'s.
    void pass_on(std::size_t copy, std::uint64_t receiver);

private:
    void grant(std::size_t copy);
    LeaseEntry* entries(std::size_t copy) const;

    std::vector<std::shared_ptr<SharedObject>> objects_; // pinned as long as the work lasts
    std::vector<std::uint64_t> holders_;                 // by copy
    std::uint64_t afterwards_ = 0;
    ForkOrigin origin_; // in a copy that a fork made, all this is the other process's
    Block array_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE LeaseArray::LeaseArray(std::vector<std::shared_ptr<SharedObject>> objects,
                                              std::size_t copies, std::uint64_t afterwards)
    : objects_(std::move(objects)), afterwards_(afterwards) {
    if (objects_.empty()) return; // as of most tasks, which pay for nothing here
    holders_.resize(copies);
    array_ = Block{tree().heap.allocate(bytes_each() * copies)};
    for (std::size_t copy = 0; copy < copies; ++copy) grant(copy);
}

MULTIPROCESSING_INLINE LeaseArray::~LeaseArray() {
    for (std::size_t copy = 0; copy < holders_.size(); ++copy) pass_on(copy, afterwards_);
}

MULTIPROCESSING_INLINE std::uint64_t LeaseArray::bytes_each() const noexcept {
    return objects_.size() * sizeof(LeaseEntry);
}

MULTIPROCESSING_INLINE Parcel LeaseArray::parcel(std::size_t copy) const noexcept {
    if (objects_.empty()) return {};
    return {array_.position() + copy * bytes_each(), bytes_each()};
}

MULTIPROCESSING_INLINE void LeaseArray::renew(std::size_t copy, Incarnation dead) {
    if (objects_.empty()) return;
    leases().transfer(holders_[copy], dead);
    grant(copy);
}

MULTIPROCESSING_INLINE void LeaseArray::pass_on(std::size_t copy, std::uint64_t receiver) {
    if (objects_.empty() || !holders_[copy] || !origin_.is_here()) return;
    leases().transfer(std::exchange(holders_[copy], 0), receiver);
    for (std::size_t i = 0; i < objects_.size(); ++i) let_go(tree(), entries(copy)[i].grips);
}

MULTIPROCESSING_INLINE void LeaseArray::grant(std::size_t copy) {
    const std::uint64_t holder = leases().new_holder();
    holders_[copy] = holder;
    LeaseEntry* entry = entries(copy);
    for (const auto& object : objects_) *entry++ = leases().grant(object, holder);
}

MULTIPROCESSING_INLINE LeaseEntry* LeaseArray::entries(std::size_t copy) const {
    return &tree().space.at<LeaseEntry>(array_.position() + copy * bytes_each());
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
