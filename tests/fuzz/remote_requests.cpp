// SPDX-License-Identifier: BSL-1.0
/// @file remote_requests.cpp  Any requests at all, from a client of a manager that knows the key: each is answered, or
/// ends the connection; nothing of it is left when the client is gone.
///
/// A byte says how long the next request is.

#include <fuzz/replay.hpp>
#include <remote_managers/requests.hpp>

#include <multiprocessing/remote_managers.hpp>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

namespace {

using Bytes = std::vector<std::byte>;
using namespace mp::detail;

class Counter {
public:
    explicit Counter(int start) : value_(start) {}
    int add(int amount) {
        return static_cast<int>(static_cast<unsigned>(value_) + static_cast<unsigned>(amount));
    }
    std::string repeat(const std::string& text, std::uint8_t times) const {
        std::string result;
        for (int i = 0; i < times; ++i) result += text;
        return result;
    }

private:
    int value_;
};

/// Nobody waits for an answer that comes later.
class Impatient final : public RemoteCaller {
public:
    bool is_gone() override { return true; }
};

/// A server with one of each kind.
struct Served {
    Served() {
        registry.add("counter",
                     interface_of<Counter, &Counter::add, &Counter::repeat, mp::managers::constructor<int>>());
        registry.add("open", interface_of<Counter>());
        add<DictBody<std::string, int>>("dict", interface_of_dict<std::string, int>());
        add<ListBody<std::string>>("list", interface_of_list<std::string>());
        add<QueueBody<std::string>>("queue", interface_of_queue<std::string>(), std::size_t{3});
        add<MonitorBody>("lock", interface_of_monitor(), false);
        std::thread([this] { server.run(); }).detach();
        while (server.number_of_objects() != 4 || link.body().stage.load() != ManagerStage::open)
            std::this_thread::yield();
    }
    template <class Body, class... Argument>
    void add(const char* name, RemoteInterface interface, Argument... argument) {
        registry.add(name, std::move(interface),
                     server.add(std::make_shared<Body>(argument...), managed_type<Body>));
    }

    ManagerLink link;
    ManagerServer server{link, {.max_calls = 4, .in_program = true}};
    RemoteRegistry registry;
    RemoteLimits limits;
    RemoteLedger ledger{1 << 20};
};

Served& served() {
    static Served* const one = new Served; // its threads go on to the end
    return *one;
}

template <class... Part>
void append(Bytes& all, RemoteRequest kind, const Part&... part) {
    const auto bytes = process::request(kind, part...);
    all.push_back(static_cast<std::byte>(bytes.size()));
    all.insert(all.end(), bytes.begin(), bytes.end());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Incarnation last = 0x8000'0000;
    Served& all = served();
    RemoteSession session(all.server, all.registry, all.ledger, all.limits, ++last);
    Impatient caller;
    std::span left{reinterpret_cast<const std::byte*>(data), size};
    while (!left.empty()) {
        const std::size_t length = (std::min)(static_cast<std::size_t>(left[0]), left.size() - 1);
        const RemoteAnswer answer = session.answer(left.subspan(1, length), caller);
        if (answer.head().size() != 5 + 8 * answer.references.size()) std::abort();
        session.count(answer);
        left = left.subspan(1 + length);
        if (answer.is_last) break;
    }
    session.end();
    if (all.server.number_of_objects() != 4) std::abort();
    return 0;
}

std::vector<Bytes> fuzz::seeds() {
    const std::uint64_t thread = 1;
    const std::uint32_t none = 0;
    std::vector<Bytes> seeds(6);
    const auto bind = [](Bytes& bytes, const char* type, const RemoteMethod& method) {
        append(bytes, RemoteRequest::bind, type, method.name, method.signature, method.text);
    };
    const auto counter =
        interface_of<Counter, &Counter::add, &Counter::repeat, mp::managers::constructor<int>>();
    for (const RemoteMethod& method : counter.methods) bind(seeds[0], "counter", method);
    for (const RemoteMethod& method : counter.constructors) bind(seeds[0], "counter", method);
    append(seeds[0], RemoteRequest::count);
    append(seeds[1], RemoteRequest::create, std::uint32_t{0}, thread, none, 7);
    for (std::uint64_t id = 5; id < 9; ++id)
        append(seeds[1], RemoteRequest::invoke, id, std::uint32_t{1}, thread, none, 3);
    for (const char* name : {"dict", "list", "queue", "lock", "counter"})
        append(seeds[2], RemoteRequest::object, name);
    append(seeds[2], RemoteRequest::release, std::uint64_t{1}, std::uint64_t{1});
    for (std::uint32_t number = 3; number < 60; ++number)
        append(seeds[3], RemoteRequest::invoke, std::uint64_t{1}, number, thread, none, "key", 5);
    for (std::uint32_t number = 20; number < 70; ++number)
        append(seeds[4], RemoteRequest::invoke, std::uint64_t{3}, number, thread, none, "item",
               std::int64_t{0});
    const ThunkAddress thunk = thunk_address<MethodEntry<Counter, &Counter::add, int>, ServedCall>();
    append(seeds[5], RemoteRequest::create_here, "open", thunk.place.image.bytes, thunk.place.offset,
           thunk.fingerprint, thread, none);
    append(seeds[5], RemoteRequest::invoke_here, std::uint64_t{1}, thunk.place.image.bytes, thunk.place.offset,
           thunk.fingerprint, thread, none, 4);
    return seeds;
}
