#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file object_table.hpp  Which objects a manager's server has, and when one is to be looked at.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The objects of a manager's server, by number: none is kept by it. All members are called with
/// the server's mutex, which guards the state.
class ObjectTable {
public:
    using Clock = ServedCall::Clock;

    ManagedId next_id() noexcept { return ++last_id_; }
    void add(const std::shared_ptr<ServedObject>& object);
    void remove(const ServedObject& object) noexcept;
    /// Null if it is gone.
    std::shared_ptr<ServedObject> find(ManagedId id) const;
    std::size_t size() const noexcept { return objects_.size(); }
    /// Those that hear of dead clients.
    std::vector<std::shared_ptr<ServedObject>> watchers() const;

    /// The object is to be looked at then, if not earlier. Returns whether that is news.
    bool schedule(ServedObject& object, Clock::time_point at);
    /// When the first object is to be looked at.
    std::optional<Clock::time_point> next_time() const;
    /// An object whose time has come; null if there is none.
    std::shared_ptr<ServedObject> take_due(Clock::time_point now);

private:
    ManagedId last_id_ = 0;
    std::unordered_map<ManagedId, std::weak_ptr<ServedObject>> objects_;
    std::unordered_map<ManagedId, std::weak_ptr<ServedObject>> watchers_;
    std::set<std::pair<Clock::time_point, ManagedId>> timers_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void ObjectTable::add(const std::shared_ptr<ServedObject>& object) {
    objects_[object->id] = object;
    if (object->type.gone) watchers_[object->id] = object;
}

MULTIPROCESSING_INLINE void ObjectTable::remove(const ServedObject& object) noexcept {
    objects_.erase(object.id);
    watchers_.erase(object.id);
    if (object.tick_at) timers_.erase({*object.tick_at, object.id});
}

MULTIPROCESSING_INLINE std::shared_ptr<ServedObject> ObjectTable::find(ManagedId id) const {
    const auto found = objects_.find(id);
    return found == objects_.end() ? nullptr : found->second.lock();
}

MULTIPROCESSING_INLINE std::vector<std::shared_ptr<ServedObject>> ObjectTable::watchers() const {
    std::vector<std::shared_ptr<ServedObject>> result;
    for (const auto& [id, known] : watchers_) {
        if (auto object = known.lock()) result.push_back(std::move(object));
    }
    return result;
}

MULTIPROCESSING_INLINE bool ObjectTable::schedule(ServedObject& object, Clock::time_point at) {
    if (object.tick_at) {
        if (*object.tick_at <= at) return false;
        timers_.erase({*object.tick_at, object.id});
    }
    object.tick_at = at;
    timers_.insert({at, object.id});
    return true;
}

MULTIPROCESSING_INLINE std::optional<ObjectTable::Clock::time_point> ObjectTable::next_time() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first;
}

MULTIPROCESSING_INLINE std::shared_ptr<ServedObject> ObjectTable::take_due(Clock::time_point now) {
    while (!timers_.empty() && timers_.begin()->first <= now) {
        const ManagedId id = timers_.begin()->second;
        timers_.erase(timers_.begin());
        auto object = find(id);
        if (!object) continue;
        object->tick_at.reset();
        return object;
    }
    return nullptr;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
