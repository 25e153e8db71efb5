#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file note_names.hpp  Notes what this process makes and unlinks, and starts the janitor that
/// reads the notes.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/space/janitor_notes.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/util.hpp>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>

namespace multiprocessing::inline v1::detail {

/// Keeps, at a normal end of this process, the names that it made and did not unlink, except those
/// of sockets.
inline void keep_names() noexcept {
    // In the copy that a fork of the program's made, the notes are the other process's.
    if (this_process().made_names.load() != platform::current_pid()) return;
    TreeMember* const member = process_wide<Tree>().member_if_any();
    if (!member) return;
    member->space.named_notes().forget_if([&](std::uint64_t identity, Incarnation owner) {
        return owner == member->self && !platform::is_of_process(identity);
    });
}

/// Notes that this process is about to name the memory of that identity: if it is killed, the name
/// is unlinked when the last process of the tree has gone. Does nothing in a program that did not
/// call freeze_support(): it cannot start a janitor.
inline void note_name(std::uint64_t identity) {
    ThisProcess& me = this_process();
    void (*const start_janitor)() = me.start_janitor;
    if (identity == 0 || !start_janitor) return;
    TreeMember& member = tree();
    const int pid = platform::current_pid();
    if (me.made_names.exchange(pid) != pid) {
        std::lock_guard lock{me.mutex};
        if (!me.parent) std::atexit(keep_names); // a child does it in its last step
    }
    NamedNotes& notes = member.space.named_notes();
    const auto has_ended = [&](platform::ThreadName thread) {
        {
            std::lock_guard lock{me.mutex};
            if (const int ours = me.janitor.load()) {
                // It may have been killed before it could say its name. Of several threads one is
                // told.
                if (!platform::child_has_ended(ours)) return false;
                me.janitor = 0;
                return true;
            }
        }
        return !platform::lives(thread);
    };
    if (!notes.add(identity, member.self) || !notes.wants_janitor(has_ended)) return;
    try {
        start_janitor();
    } catch (const std::exception& error) {
        notes.lacks_janitor();
        get_logger().log(LogLevel::warning,
                         std::string("names of shared memory will stay if this program is killed: ") +
                             error.what());
    }
}

/// Notes that the name of that memory is gone, whichever process made it.
inline void forget_name(std::uint64_t identity) noexcept {
    TreeMember* const member = process_wide<Tree>().member_if_any();
    if (!member || identity == 0) return;
    member->space.named_notes().forget_if([&](std::uint64_t noted, Incarnation) { return noted == identity; });
}

/// A note of a name that goes when its owner does; not in a copy that a fork made.
class NameNote {
public:
    NameNote() noexcept = default;
    NameNote(const NameNote&) = delete;
    NameNote& operator=(const NameNote&) = delete;
    ~NameNote() {
        if (pid_ == platform::current_pid()) forget_name(identity_);
    }
    void operator()(std::uint64_t identity) {
        note_name(identity);
        identity_ = identity;
    }

private:
    std::uint64_t identity_ = 0;
    const int pid_ = platform::current_pid();
};

} // namespace multiprocessing::inline v1::detail
