#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pipe_body.hpp  What the two ends of a Pipe share beside their stream: a ring each way.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/ring/ring.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <array>
#include <cstdint>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space. Each way goes over to the stream for good when its ring is shut down: then
/// what follows is found there.
struct PipeBody {
    /// What one end sends and the other receives.
    struct alignas(64) Way {
        Ring ring;
        platform::Word bell{0};    ///< The receiver watches the stream: write a byte to it.
        platform::Word blocked{0}; ///< The sender is waiting for room.
    };

    std::array<Way, 2> ways; ///< What end 0 sends, and what end 1 does.
    platform::Word closings{
        0}; ///< Counts the ends that were closed: time to ask the stream whether one side is gone.
};

/// A handle of it. The ends of a Pipe are children of one tree.
class PipeRings : public HandleBase<PipeRings, PipeBody> {
public:
    static constexpr char kind[] = "Pipe";

    PipeRings() : HandleBase(Opening{}) {}

    PipeBody& operator*() const { return body(); }
    Space& space() const { return member().space; }
    const platform::Parking& parking() const { return HandleBase::parking(); }
    /// Returns whether it has ever been used, by this process or before it came here.
    bool is_made() const noexcept;

private:
    friend HandleBase;
    explicit PipeRings(Received received) : HandleBase(std::move(received)) {}

    struct Opening {
        // A few of the ring's segments, or large messages; beyond it a faster sender only cools the
        // caches.
        static constexpr std::uint64_t most_unread = std::uint64_t{4} << 20;

        void operator()(PipeBody& pipe) const;
        void end(PipeBody& pipe, TreeMember& member) const;
    };
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool PipeRings::is_made() const noexcept { return object()->is_made(); }

MULTIPROCESSING_INLINE void PipeRings::Opening::operator()(PipeBody& pipe) const {
    for (PipeBody::Way& way : pipe.ways) {
        way.ring.open(tree().self, 0, tree().spare_names.pop());
        way.ring.limit_bytes(most_unread);
    }
}

MULTIPROCESSING_INLINE void PipeRings::Opening::end(PipeBody& pipe, TreeMember& member) const {
    for (PipeBody::Way& way : pipe.ways) member.spare_names.put(way.ring.end(member.space));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
