#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file barrier_action.hpp  The function of a barrier, which the process runs that comes
/// last.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/synchronize/barrier_body.hpp>
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The shared objects that an action holds handles of.
using ActionObjects = std::vector<std::shared_ptr<SharedObject>>;

/// An action on its way into a body.
class BarrierAction {
    struct Frame {
        std::span<const std::byte> state;
        const ActionObjects& objects;
    };
    /// Collects the objects while the state is written. They are made when they are used or passed
    /// on, not before.
    struct Collecting final : WriteContext, HandleSink {
        HandleSink* handle_sink() override { return this; }
        void add(std::shared_ptr<SharedObject> object) override { objects.push_back(std::move(object)); }
        ActionObjects objects;
    };
    /// Yields them again, as often as the action is run.
    struct Yielding final : ReadContext, HandleSource {
        explicit Yielding(std::span<const std::shared_ptr<SharedObject>> all) : left(all) {}
        HandleSource* handle_source() override { return this; }
        LeaseEntry next() override {
            throw SerializationError(
                "multiprocessing: the action of a Barrier names a shared object that it does not hold");
        }
        std::shared_ptr<SharedObject> next_known() override {
            if (left.empty()) return nullptr;
            auto object = left.front();
            left = left.subspan(1);
            return object;
        }
        std::span<const std::shared_ptr<SharedObject>> left;
    };
    template <class Action>
    struct Code {
        static void run(Frame& frame) {
            Yielding context{frame.objects};
            Action action = decode_message<Action>(frame.state, &context);
            static_cast<void>(action());
        }
    };

public:
    /// What may be the action: it is copied to every process that the Barrier reaches.
    template <class Action>
    static constexpr bool can_be = can_cross<Action, Crossing::copying>();

    template <class Action>
    static BarrierAction of(const Action& action) {
        BarrierAction result;
        if constexpr (!can_be<Action>) {
            require_crossing<Action, Crossing::copying>();
        } else if constexpr (!std::is_invocable_v<Action&>) {
            static_assert(std::is_invocable_v<Action&>, "the action of a Barrier takes no arguments");
        } else {
            Collecting context;
            Writer writer{&context};
            encode_message(writer, action);
            result.state_ = writer.release();
            result.objects_ = std::move(context.objects);
            result.address_ = thunk_address<Code<Action>, Frame>();
            result.file_ = thunk_file<Code<Action>, Frame>();
        }
        return result;
    }

    std::uint64_t bytes() const noexcept { return state_.size(); }
    const ActionObjects& objects() const noexcept { return objects_; }

    void write(BarrierBody& body) const noexcept {
        body.action_bytes = state_.size();
        body.action_objects = static_cast<std::uint32_t>(objects_.size());
        body.action = address_;
        std::memcpy(body.file, file_.data(), (std::min)(file_.size(), sizeof body.file - 1));
        std::memcpy(static_cast<void*>(&body + 1), state_.data(), state_.size());
    }

    /// Runs the action that the body holds.
    static void run(const BarrierBody& body, const ActionObjects& objects) {
        Frame frame{
            {reinterpret_cast<const std::byte*>(&body + 1), static_cast<std::size_t>(body.action_bytes)},
            objects};
        resolve(body.action, body.file).entry(&frame);
    }

private:
    std::vector<std::byte> state_;
    ActionObjects objects_;
    ThunkAddress address_;
    std::string file_;
};

} // namespace multiprocessing::inline v1::detail
