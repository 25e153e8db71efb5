#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file session.hpp  A remote client as a manager's server sees it: its requests, and its
/// references. Knows bytes, no socket.

#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/managers/local_target.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/outcome.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/detail/remote_managers/ledger.hpp>
#include <multiprocessing/detail/remote_managers/protocol.hpp>
#include <multiprocessing/detail/remote_managers/registry.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a server answers: head and payload are one message.
struct RemoteAnswer {
    RemoteAnswerKind kind = RemoteAnswerKind::result;
    ProxyTargets references = {}; ///< Not yet counted.
    std::vector<std::byte> payload = {};
    bool is_last = false; ///< Who sends such a thing is talked to no longer.

    std::vector<std::byte> head() const;
};

/// The exception that is being handled, as an answer.
inline RemoteAnswer failed_answer();
template <class E>
RemoteAnswer failed_answer_of(const E& exception) {
    try {
        throw exception;
    } catch (...) { return failed_answer(); }
}

/// A remote client, over all its connections. Each request is carried out by the thread of its
/// connection. Whatever its bytes are, they reach registered methods only, of objects that the
/// client has references of, with arguments that are checked as they are read.
class RemoteSession {
public:
    RemoteSession(ManagerServer& server, const RemoteRegistry& registry, RemoteLedger& ledger,
                  const RemoteLimits& limits, Incarnation process)
        : server_(server), registry_(registry), ledger_(ledger), limits_(limits), process_(process) {}
    RemoteSession(const RemoteSession&) = delete;
    RemoteSession& operator=(const RemoteSession&) = delete;

    Incarnation process() const noexcept { return process_; }

    /// Carries out a request.
    RemoteAnswer answer(std::span<const std::byte> request, RemoteCaller& caller);
    /// The client is about to learn of the references in the answer.
    void count(const RemoteAnswer& answer);
    /// Lets go of all references, and of what the client waits for and holds.
    void end();

private:
    struct Reference {
        std::shared_ptr<ServedObject> object;
        std::uint64_t count = 0;
    };

    RemoteAnswer carry_out(Reader& reader, RemoteCaller& caller);
    RemoteAnswer call(ServerJob job, Reader& reader, RemoteCaller& caller);
    static void (*entry_of_served(Reader& reader, const RemoteRegistry::Type* type,
                                  const std::string& what))(void*);
    ServerJob invocation(Reader& reader, RemoteCaller& caller);
    void count_addition(ManagedId object, std::size_t bytes, RemoteCaller& caller);
    ServerJob invocation_here(Reader& reader);
    ServerJob creation(Reader& reader);
    ServerJob creation_here(Reader& reader);
    void release(ManagedId id, std::uint64_t count);
    std::shared_ptr<ServedObject> find(ManagedId id);
    void require_room();

    ManagerServer& server_;
    const RemoteRegistry& registry_;
    RemoteLedger& ledger_;
    const RemoteLimits& limits_;
    const Incarnation process_;
    Mutex mutex_; // guards what follows
    std::unordered_map<ManagedId, Reference> references_;
};

inline std::vector<std::byte> RemoteAnswer::head() const {
    Writer writer;
    writer.raw(kind);
    writer.raw(static_cast<std::uint32_t>(references.size()));
    for (const auto& target : references) writer.raw(target->id());
    return writer.release();
}

inline RemoteAnswer failed_answer() {
    require_no_mutex(); // it looks for where it was thrown
    RemoteAnswer answer;
    answer.kind = RemoteAnswerKind::error;
    try {
        answer.payload = bytes_of_failure(capture_current_exception());
    } catch (const std::bad_alloc&) {} // the client cannot read it, and throws all the same
    return answer;
}

inline RemoteAnswer RemoteSession::answer(std::span<const std::byte> request, RemoteCaller& caller) {
    caller.process = process_;
    Reader reader{request};
    reader.set_subject("request to a manager");
    try {
        return carry_out(reader, caller);
    } catch (const SerializationError&) { // no honest client sends it
        RemoteAnswer answer = failed_answer();
        answer.kind = RemoteAnswerKind::farewell;
        answer.is_last = true;
        return answer;
    } catch (...) { return failed_answer(); }
}

inline RemoteAnswer RemoteSession::carry_out(Reader& reader, RemoteCaller& caller) {
    RemoteAnswer answer;
    const auto put = [&](const auto& number) {
        const auto bytes = std::as_bytes(std::span{&number, 1});
        answer.payload.assign(bytes.begin(), bytes.end());
    };
    switch (static_cast<RemoteRequest>(reader.raw<std::uint8_t>())) {
    case RemoteRequest::bind: {
        const std::string type = reader.text();
        const std::string member = reader.text();
        const auto signature = reader.raw<std::uint64_t>();
        const std::string text = reader.text();
        reader.finish();
        put(registry_.bind(type, member, signature, text));
        return answer;
    }
    case RemoteRequest::invoke: return call(invocation(reader, caller), reader, caller);
    case RemoteRequest::invoke_here: return call(invocation_here(reader), reader, caller);
    case RemoteRequest::create: return call(creation(reader), reader, caller);
    case RemoteRequest::create_here: return call(creation_here(reader), reader, caller);
    case RemoteRequest::object: {
        const std::string name = reader.text();
        reader.finish();
        answer.references.push_back(std::make_shared<LocalTarget>(registry_.object(name)));
        return answer;
    }
    case RemoteRequest::release: {
        const auto id = reader.raw<ManagedId>();
        const auto count = reader.raw<std::uint64_t>();
        reader.finish();
        release(id, count);
        return answer;
    }
    case RemoteRequest::count: {
        reader.finish();
        put(static_cast<std::uint64_t>(server_.number_of_objects()));
        return answer;
    }
    default: reader.fail("there is no such request");
    }
}

/// What all calls have in common: who asks, the proxies among the arguments, and those.
inline RemoteAnswer RemoteSession::call(ServerJob job, Reader& reader, RemoteCaller& caller) {
    caller.thread = reader.raw<platform::ThreadName>();
    const auto count = reader.raw<std::uint32_t>();
    if (count > reader.left() / sizeof(ManagedId))
        reader.fail("more proxies are claimed than there are bytes for");
    for (std::uint32_t i = 0; i < count; ++i)
        job.references.push_back(std::make_shared<LocalTarget>(find(reader.raw<ManagedId>())));
    job.payload = reader.bytes(reader.left());
    job.caller = &caller;
    CallOutcome outcome = server_.call_for_remote(std::move(job), caller);
    return {outcome.failed ? RemoteAnswerKind::error : RemoteAnswerKind::result, std::move(outcome.references),
            std::move(outcome.payload)};
}

inline ServerJob RemoteSession::invocation(Reader& reader, RemoteCaller& caller) {
    ServerJob job;
    job.object = find(reader.raw<ManagedId>());
    const RemoteRegistry::Callable& callable = registry_.at(reader.raw<std::uint32_t>());
    if (callable.is_constructor || &job.object->type != callable.type->interface.type)
        throw std::logic_error("multiprocessing: " + callable.type->name + "." + callable.method->name +
                               " is no method of the object that it is called of");
    job.entry = callable.method->entry;
    if (callable.method->adds) count_addition(job.object->id, reader.left(), caller);
    return job;
}

/// Throws `std::system_error` if the client has no room left for it.
inline void RemoteSession::count_addition(ManagedId object, std::size_t bytes, RemoteCaller& caller) {
    if (ledger_.add(object, process_, bytes, false)) return;
    const auto objects = ledger_.to_weigh(process_);
    for (const ManagedId id : objects) {
        ServerJob job;
        job.object = registry_.object(id);
        if (!job.object) continue;
        job.entry = registry_.weigh_entry(job.object->type);
        if (!job.entry) continue;
        job.caller = &caller;
        const CallOutcome outcome = server_.call_for_remote(std::move(job), caller);
        std::uint64_t size = 0;
        if (outcome.failed || outcome.payload.size() != sizeof size) continue;
        std::memcpy(&size, outcome.payload.data(), sizeof size);
        ledger_.settle(id, static_cast<std::size_t>(size));
    }
    if (!objects.empty() && ledger_.add(object, process_, bytes, true)) return;
    throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                            "multiprocessing: a client of a manager keeps as much in its server as "
                            ".max_memory_per_client allows, " +
                                std::to_string(limits_.max_memory_per_client) + " bytes: take something out");
}

/// Whether the thunk that lies there is a method of the type of that name. Of another one, which is
/// shorter, this reads what lies behind it, in the same image: a sanitizer would object.
[[gnu::no_sanitize_address]] inline bool is_served(const void* place, std::uint64_t object) noexcept {
    const auto& served = *static_cast<const ServedThunk*>(place);
    return served.mark == ServedThunk::mark_of_served && served.object == object;
}

/// By the address of a thunk in this image. Whatever the address is, only what bears the mark of a
/// call of this very type is entered.
inline void (*RemoteSession::entry_of_served(Reader& reader, const RemoteRegistry::Type* type,
                                             const std::string& what))(void*) {
    ThunkAddress address;
    address.place.image.bytes = reader.raw<decltype(address.place.image.bytes)>();
    address.place.offset = reader.raw<std::uint64_t>();
    address.fingerprint = reader.raw<std::uint64_t>();
    if (!type) {
        throw std::logic_error("multiprocessing: this method of " + what +
                               " is not among those that are registered in the manager's server: call it by a "
                               "proxy of a listed type, or list it in register_type()");
    }
    const void* const place = resolve(address.place, sizeof(ServedThunk));
    const Thunk& thunk = resolve(address);
    if (!is_served(place, type->interface.object))
        throw std::logic_error("multiprocessing: a request to a manager names what is no method of the object");
    return thunk.entry;
}

/// A method by its thunk. What it names lies in this image, and is marked as what enters an object
/// of this very type; an honest client's is.
inline ServerJob RemoteSession::invocation_here(Reader& reader) {
    ServerJob job;
    job.object = find(reader.raw<ManagedId>());
    const RemoteRegistry::Type* const type = registry_.unlisted_type(job.object->type);
    job.entry = entry_of_served(reader, type, "this object");
    return job;
}

inline ServerJob RemoteSession::creation(Reader& reader) {
    require_room();
    const RemoteRegistry::Callable& callable = registry_.at(reader.raw<std::uint32_t>());
    if (!callable.is_constructor || callable.type->is_of_object)
        throw std::logic_error(
            "multiprocessing: a request to a manager makes an object by what is no constructor");
    ServerJob job;
    job.entry = callable.method->entry;
    return job;
}

inline ServerJob RemoteSession::creation_here(Reader& reader) {
    require_room();
    const std::string name = reader.text();
    const RemoteRegistry::Type& type = registry_.type(name);
    ServerJob job;
    const bool is_free = !type.interface.is_listed && !type.is_of_object;
    job.entry = entry_of_served(reader, is_free ? &type : nullptr, name);
    return job;
}

inline void RemoteSession::require_room() {
    std::lock_guard lock{mutex_};
    if (references_.size() < limits_.max_objects_per_client) return;
    throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                            "multiprocessing: a client of a manager has " + std::to_string(references_.size()) +
                                " objects, and may have no more");
}

inline std::shared_ptr<ServedObject> RemoteSession::find(ManagedId id) {
    {
        std::lock_guard lock{mutex_};
        if (const auto found = references_.find(id); found != references_.end()) return found->second.object;
    }
    if (auto object = registry_.object(id)) return object;
    throw std::logic_error("multiprocessing: the object of a proxy is gone");
}

inline void RemoteSession::count(const RemoteAnswer& answer) {
    std::lock_guard lock{mutex_};
    for (const auto& target : answer.references) {
        Reference& reference = references_[target->id()];
        reference.object = static_cast<const LocalTarget&>(*target).object;
        ++reference.count;
    }
}

inline void RemoteSession::release(ManagedId id, std::uint64_t count) {
    std::shared_ptr<ServedObject> last; // destroyed, as code of the program's, without the mutex
    std::lock_guard lock{mutex_};
    const auto found = references_.find(id);
    if (found == references_.end()) return;
    found->second.count -= (std::min)(found->second.count, count);
    if (found->second.count != 0) return;
    last = std::move(found->second.object);
    references_.erase(found);
}

inline void RemoteSession::end() {
    std::unordered_map<ManagedId, Reference> references;
    {
        std::lock_guard lock{mutex_};
        references.swap(references_);
    }
    server_.forget_remote(process_);
    ledger_.forget(process_);
}

} // namespace multiprocessing::inline v1::detail
