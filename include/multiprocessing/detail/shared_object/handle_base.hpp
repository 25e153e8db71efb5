#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file handle_base.hpp  What every handle of a shared object has in common: it is cheap to copy,
/// and travels as an argument.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// An object that was given to this process, on its way into a handle. (A bare pointer would make
/// `H{0}` ambiguous.)
struct Received {
    std::shared_ptr<SharedObject> object;
};

/// A handle of an object `Body` in the Space, as the base of the public types. Copies refer to the
/// same object. Making a handle touches no shared memory; the object is made when it is first used
/// or passed on.
///
/// `Body` **must** be valid when all zero, or be made so by the `init` that is given to a
/// constructor; it **must** hold no pointers, and needs no destructor. A public type
/// `H : HandleBase<H, Body>` names itself by `static constexpr char kind[]`.
template <class Derived, class Body>
class HandleBase {
    static_assert(std::is_trivially_destructible_v<Body>);

public:
    using multiprocessing_handle = void; // Spawnable, but not Serializable

    void export_to(HandleSink& sink) const {
        require_present();
        sink.add(object_);
    }
    static Derived import_from(HandleSource& source) {
        return Derived(Received{take_object(source, Derived::kind)});
    }

protected:
    HandleBase()
        : object_(SharedObject::make_unused(std::make_unique<SharedObject>(Derived::kind, sizeof(Body)))) {}
    explicit HandleBase(Received received) : object_(std::move(received.object)) {}
    /// `init(body)` is called when the object is made, on zeroed memory, `further_bytes` of which
    /// lie behind the body; `init.end(body, member)`, if there is such a function, when nobody can
    /// use it any more, by the process that made it if it lives to see that.
    template <std::invocable<Body&> Init>
    explicit HandleBase(Init init, std::uint64_t further_bytes = 0)
        : object_(SharedObject::make_unused(
              std::make_unique<InitialObject<Init>>(sizeof(Body) + further_bytes, std::move(init)))) {}

    /// Throws `std::logic_error` in a process that the object was not passed to, and after a move.
    Body& body() const {
        require_present();
        return *std::launder(static_cast<Body*>(object_->address()));
    }
    /// Returns what `tell()` returns, for a text form; or a word for "unknown", where this process
    /// cannot know it.
    template <class Tell>
    std::string known(Tell tell) const {
        try {
            return tell();
        } catch (const std::logic_error&) {   // moved away, or another's
        } catch (const std::runtime_error&) { // no memory to make it in
        }
        return "unknown";
    }
    /// Returns a text that is the same for all copies.
    std::string identity() const { return shown_address(object_.get()); }
    /// Returns the member of the tree; called after body().
    TreeMember& member() const { return object_->member(); }
    const platform::Parking& parking() const { return object_->member().space.parking(); }
    const std::shared_ptr<SharedObject>& object() const noexcept { return object_; }
    static std::shared_ptr<SharedObject> take_object(HandleSource& source, const char* kind) {
        if (auto known = source.next_known()) return known;
        return SharedObject::make_given(kind, source.next());
    }
    void refer_to(std::shared_ptr<SharedObject> object) noexcept { object_ = std::move(object); }

private:
    void require_present() const {
        if (!object_) [[unlikely]]
            throw_moved();
    }
    [[noreturn]] static void throw_moved() {
        throw std::logic_error(std::string("multiprocessing: this ") + Derived::kind +
                               " was moved away: use the one that it was moved to, or pass a copy");
    }

    template <class Init>
    class InitialObject final : public SharedObject {
    public:
        InitialObject(std::uint64_t bytes, Init init)
            : SharedObject(Derived::kind, bytes), init_(std::move(init)) {}
        ~InitialObject() override {
            if constexpr (requires(Body& body, TreeMember& member) { init_.end(body, member); }) {
                if (void* const address = address_if_made())
                    init_.end(*std::launder(static_cast<Body*>(address)), member());
            }
        }

    protected:
        void construct(void* address) override { init_(*std::launder(static_cast<Body*>(address))); }

    private:
        Init init_;
    };

    std::shared_ptr<SharedObject> object_;
};

} // namespace multiprocessing::inline v1::detail
