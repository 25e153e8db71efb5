#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file packed_call.hpp  A call that is packed here for a child, and unpacked and made there.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/shared_object/message_contexts.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What the target of a child works on.
struct TargetFrame {
    std::span<const std::byte> payload;
    std::span<const LeaseEntry> given;
    std::span<platform::Handle> handles;
};

/// The code that a child enters, and what it is called with.
struct PackedCall {
    ThunkAddress target = {};            ///< Entered with a TargetFrame.
    std::string target_file = {};        ///< Where that is, for errors.
    std::vector<std::byte> payload = {}; ///< The callable and its arguments.
    /// Shared objects among the arguments, in the order of their mention.
    std::vector<std::shared_ptr<SharedObject>> given = {};
    /// Handles of the system among them; the words in the payload are their places. Stay open here.
    std::shared_ptr<const std::vector<platform::Handle>> handles = {};

    /// Returns a call of nothing but `Entry::run(TargetFrame&)`.
    template <class Entry>
    static PackedCall of_entry() {
        PackedCall packed;
        packed.target = thunk_address<Entry, TargetFrame>();
        packed.target_file = thunk_file<Entry, TargetFrame>();
        return packed;
    }
};

/// Packs `function(arguments...)` for `Entry`, which unpacks it as an UnpackedCall of the same
/// types. What of it was given as rvalues is consumed.
template <class Entry, class Function, class... Arguments>
PackedCall pack_call(Function&& function, Arguments&&... arguments) {
    using Call = CrossingCall<std::decay_t<Function>, Arguments...>;
    ChildArgumentContext context;
    Writer writer{&context};
    Call::write(writer, function, std::forward<Arguments>(arguments)...);
    PackedCall packed = PackedCall::of_entry<Entry>();
    packed.payload = writer.release();
    packed.given = std::move(context.objects);
    if (!context.handles.empty())
        packed.handles = std::make_shared<const std::vector<platform::Handle>>(std::move(context.handles));
    Call::consume(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    return packed;
}

/// A call of F with arguments of these types, in the child. What it was given lives as long as it.
template <class F, class... Argument>
class UnpackedCall {
    using Call = CrossingCall<F, Argument...>;

public:
    /// `payload`: the part of the frame's that was packed.
    UnpackedCall(const TargetFrame& frame, std::span<const std::byte> payload)
        : frame_(frame), taking_(frame.given, frame.handles), reader_(payload, &taking_) {}

    /// Reads the call, and makes it.
    void run() {
        call_.emplace(ReceivedCall<F, typename Call::Carried>::read(reader_));
        ReceivedArguments::fulfil(frame_.given);
        static_cast<void>(Call::invoke(call_->function, call_->arguments));
    }

private:
    const TargetFrame& frame_;
    ReceivedArguments taking_;
    Reader reader_;
    std::optional<ReceivedCall<F, typename Call::Carried>> call_;
};

} // namespace multiprocessing::inline v1::detail
