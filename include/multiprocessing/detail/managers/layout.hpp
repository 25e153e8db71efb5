#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file layout.hpp  What a manager's server and its clients share: the state of the server, and
/// the channels through which calls go.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// How far a manager's server has come. Only ever grows.
enum class ManagerStage : std::uint32_t {
    starting, ///< All zero.
    open,
    failed,  ///< The initializer threw; what, is in the page of channel 0.
    closing, ///< shutdown() was called: no call begins any more.
    closed,  ///< The server has ended in order.
    lost     ///< It has ended otherwise.
};

/// What the page of a channel holds when a client asks.
enum class Piece : std::uint32_t {
    part,  ///< Of a request that is longer than the page; more follows.
    last,  ///< The rest of a request: now it is carried out.
    fetch, ///< Nothing: the client wants the next piece of an answer that is longer than the page.
    notice ///< A whole request that is not answered: the server frees the channel.
};

/// One call at a time between a thread of a client and the server. A channel belongs to a thread
/// for a call, from the word `owner` on; of what the client writes nothing counts before the
/// channel is on the list of those that ask.
///
/// A message that is longer than the page goes in pieces, each a call of its own, so nobody
/// allocates shared memory for it, and nobody's death leaves some.
struct CallChannel {
    static constexpr std::size_t page_size = 4096 - 64;

    /// Odd: asked; even: answered, or never used. Counts on from owner to owner, so that what is
    /// late can be told from what is meant.
    alignas(64) platform::Word call;
    platform::Word next;      ///< On the list of those that ask: index + 1.
    ParkingPlace place;       ///< Where the client waits for the answer.
    std::uint32_t piece;      ///< A Piece, of the client.
    std::uint32_t used;       ///< Bytes in the page.
    std::uint64_t size;       ///< Of the whole answer, of the server; what is not in the page is to be fetched.
    std::uint32_t references; ///< How many objects the answer names, at its end.
    std::uint32_t failed;     ///< The answer is an exception.
    /// The thread that claimed the channel; 0: free. Set by the claimer's compare and swap, cleared
    /// by the owner when its call is through, or by the server when the owner has died or waits for
    /// no answer. In the line that client and server exchange for the call anyway.
    std::atomic<platform::ThreadName> owner;
    std::atomic<Incarnation> process; ///< Its process, by its place in the tree and by its pid.
    std::atomic<int> pid;
    alignas(64) std::byte page[page_size];
};
static_assert(sizeof(CallChannel) == 4096);

/// In a block of the heap of the process that made the manager, which keeps it as any shared
/// object: neither the server's death nor a client's frees what others use.
struct ManagerBody {
    static constexpr std::uint32_t channel_count = 1024;
    /// The last of them, which only calls may use that the server answers at once, whatever other
    /// clients do: a client that gives something back is never held up by those that wait for it.
    static constexpr std::uint32_t spare_channels = 64;

    std::atomic<ManagerStage> stage;
    ParkingPlace stage_place;                 ///< Where the maker waits for the server.
    std::atomic<platform::ThreadName> server; ///< Its main thread; 0: not there yet.
    std::atomic<int> pid;
    /// Of the list of channels that ask: index + 1 of the last to come, 0: none.
    alignas(64) platform::Word head;
    ParkingPlace bell; ///< Where the leader waits for calls.
    /// The leader is in code that may take long: whoever has waited for some time calls a spare
    /// thread, which takes the lead.
    alignas(64) platform::Word occupied;
    platform::Word help; ///< Counts those calls.
    ParkingPlace help_place;
    platform::Word used; ///< How many channels, from the first, were ever claimed.
    alignas(64) CallChannel channels[channel_count];
};

/// The handle by which a process reaches a manager's server.
class ManagerLink : public HandleBase<ManagerLink, ManagerBody> {
public:
    static constexpr char kind[] = "Manager";

    ManagerLink() = default;
    explicit ManagerLink(Received received) : HandleBase(std::move(received)) {}

    ManagerBody& body() const { return HandleBase::body(); }
    const platform::Parking& parking() const { return HandleBase::parking(); }
    TreeMember& member() const { return HandleBase::member(); }
    const std::shared_ptr<SharedObject>& object() const noexcept { return HandleBase::object(); }
};

} // namespace multiprocessing::inline v1::detail
