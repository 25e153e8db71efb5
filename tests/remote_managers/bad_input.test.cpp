// SPDX-License-Identifier: BSL-1.0
#include <remote_managers/requests.hpp>
#include <remote_managers/support.hpp>

#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/listener.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

using namespace process;
namespace detail = mp::detail;

namespace {

bool is_error(const std::optional<std::vector<std::byte>>& answer) {
    return answer && !answer->empty() &&
           answer->front() == static_cast<std::byte>(detail::RemoteAnswerKind::error);
}

} // namespace

TEST_CASE("a wrong key is an error on both sides and the server serves on", "[remote_managers]") {
    const ExpectedLog log("does not know the key");
    ImpatientServer server;
    BaseManager stranger({.address = server.address(), .authkey = "wrong"});
    stranger.register_object<Counter, &Counter::value>("total");
    CHECK_THROWS_AS(stranger.connect(), mp::AuthenticationError);
    CHECK(server.serves());
    CHECK(log.seen());
}

TEST_CASE("silent and rude strangers hold up nobody", "[remote_managers]") {
    const ExpectedLog log("did not answer in time");
    ImpatientServer server;
    auto silent = knock(server.address());
    auto rude = knock(server.address());
    say(rude, "GET / HTTP/1.1\r\n\r\n");
    RawClient no_greeting(server.address(), false); // knows the key, and says nothing more
    RawClient other_protocol(server.address(), false);
    other_protocol.say(std::as_bytes(std::span("something else")));
    detail::RemoteHello other_numbers;
    other_numbers.order = 0x04030201;
    RawClient other_machine(server.address(), false);
    other_machine.say(std::as_bytes(std::span{&other_numbers, 1}));
    CHECK(server.serves());
    CHECK(other_protocol.is_dismissed());
    CHECK(other_machine.is_dismissed());
    CHECK(no_greeting.is_dismissed());
    CHECK(soon([&] { return log.seen(); }));
    CHECK(server.serves());
}

TEST_CASE("a client that stops in mid-message is dismissed", "[remote_managers]") {
    const ExpectedLog log("did not arrive in time");
    ImpatientServer server;
    std::vector<std::unique_ptr<RawClient>> clients; // all are waited for at once
    for (const std::size_t length : {std::size_t{2}, std::size_t{4}, std::size_t{50}, std::size_t{100'000}}) {
        RawClient& client = *clients.emplace_back(std::make_unique<RawClient>(server.address()));
        std::vector<std::byte> part(length);
        const detail::FrameHead head(200'000);
        std::copy_n(head.bytes().begin(), (std::min)(length, head.bytes().size()), part.begin());
        detail::platform::Stream stream(client.frames().handle().duplicate());
        stream.write_all(part, {}, {}, nullptr);
    }
    for (const auto& client : clients) CHECK(client->is_dismissed());
    CHECK(log.seen());
    CHECK(server.serves());
}

TEST_CASE("an oversized message is refused before it arrives", "[remote_managers]") {
    const ExpectedLog log("exceeds .max_message");
    ImpatientServer server({.address = Address{"127.0.0.1", 0}, .max_message = 10'000});
    {
        RawClient client(server.address());
        detail::platform::Stream stream(client.frames().handle().duplicate());
        stream.write_all(detail::FrameHead(0x7000'0000).bytes(), {}, {}, nullptr);
        CHECK(client.is_dismissed());
        RawClient other(server.address());
        detail::platform::Stream negative(other.frames().handle().duplicate());
        negative.write_all(detail::FrameHead(0x1'7000'0000).bytes(), {}, {}, nullptr);
        CHECK(other.is_dismissed());
    }
    CHECK(log.seen());
    CHECK(server.serves());
}

TEST_CASE("a call or an answer that is too long is that call's error", "[remote_managers]") {
    auto server = started_server({.max_message = 10'000});
    BaseManager client({.address = server.address(), .authkey = key, .max_message = 10'000});
    register_all(client);
    client.connect();
    auto counter = client.create<Counter>("counter");
    CHECK_THROWS_AS(counter.call<&Counter::length_of>(std::vector<int>(10'000)), std::length_error);
    CHECK_THROWS_AS(counter.call<&Counter::numbers>(10'000), std::length_error);
    CHECK(counter.call<&Counter::add>(1) == 1);
    CHECK(counter.call<&Counter::length_of>(std::vector<int>(100)) == 100);
}

TEST_CASE("forged requests are errors and the server serves on", "[remote_managers]") {
    using detail::RemoteRequest;
    const ExpectedLog log("no request");
    ImpatientServer server;
    const std::uint64_t nobody = 77;
    const std::array<std::uint8_t, 32> image{};
    // What an honest client could send at a bad time.
    for (const auto& bytes : {
             request(RemoteRequest::bind, "nothing", "add", nobody, "()"),
             request(RemoteRequest::bind, "total", "", nobody, "()"),
             request(RemoteRequest::bind, "counter", "secret", nobody, "()"),
             request(RemoteRequest::invoke, nobody, std::uint32_t{0}, nobody, std::uint32_t{0}),
             request(RemoteRequest::create, std::uint32_t{1}, nobody, std::uint32_t{0}),
             request(RemoteRequest::create, ~std::uint32_t{0}, nobody, std::uint32_t{0}),
             request(RemoteRequest::object, "counter"),
             request(RemoteRequest::create_here, "counter", image, nobody, nobody, nobody, std::uint32_t{0}),
             request(RemoteRequest::create_here, "total", image, nobody, nobody, nobody, std::uint32_t{0}),
         }) {
        RawClient client(server.address());
        client.say(bytes);
        CHECK(is_error(client.answer()));
        client.say(request(RemoteRequest::count)); // the connection goes on
        CHECK_FALSE(is_error(client.answer()));
    }
    // What none would.
    for (const auto& bytes : {
             std::vector<std::byte>{},
             std::vector<std::byte>{std::byte{99}},
             request(RemoteRequest::bind),
             request(RemoteRequest::bind, std::uint8_t{0xff}, ~std::uint64_t{0}),
             request(RemoteRequest::release, nobody),
             request(RemoteRequest::count, nobody),
             request(RemoteRequest::object, "total", nobody),
         }) {
        RawClient client(server.address());
        client.say(bytes);
        CHECK(client.is_dismissed());
    }
    CHECK(log.seen());
    CHECK(server.serves());
}

TEST_CASE("a client reaches objects by ids of its own only", "[remote_managers]") {
    using detail::RemoteRequest;
    ImpatientServer server;
    BaseManager owner({.address = server.address(), .authkey = key});
    owner.register_type<Counter, &Counter::add, &Counter::value>("counter");
    owner.connect();
    auto counter = owner.create<Counter>("counter");
    const std::uint32_t value = 2; // behind the constructor and add()
    RawClient thief(server.address());
    thief.say(request(RemoteRequest::invoke, std::uint64_t{1}, value, std::uint64_t{1}, std::uint32_t{0}));
    CHECK_FALSE(is_error(thief.answer()));
    for (std::uint64_t id = 0; id < 20; ++id) {
        if (id == 1) continue; // "total" is everybody's
        thief.say(request(RemoteRequest::release, id, std::uint64_t{100}));
        CHECK_FALSE(is_error(thief.answer()));
        thief.say(request(RemoteRequest::invoke, id, value, std::uint64_t{1}, std::uint32_t{0}));
        CHECK(is_error(thief.answer()));
    }
    CHECK(counter.call<&Counter::add>(2) == 2);
}

TEST_CASE("random requests leave the server as it was", "[remote_managers]") {
    using detail::RemoteRequest;
    const ExpectedLog log("what is no request");
    ImpatientServer server;
    std::mt19937 engine{7};
    for (int round = 0; round < 40; ++round) {
        RawClient client(server.address());
        try {
            for (int k = 0; k < 50; ++k) {
                std::vector<std::byte> bytes =
                    request(static_cast<RemoteRequest>(engine() % 9), std::uint64_t{engine() % 4},
                            static_cast<std::uint32_t>(engine() % 8), std::uint64_t{1},
                            static_cast<std::uint32_t>(engine() % 3));
                for (auto extra = engine() % 20; extra > 0; --extra)
                    bytes.push_back(static_cast<std::byte>(engine() % 5));
                client.say(bytes);
                if (!client.answer()) break;
            }
        } catch (const std::system_error&) {} // dismissed
    }
    CHECK(server.serves());
}

TEST_CASE("a thunk that enters something else is refused", "[remote_managers]") {
    auto server = started_server();
    auto client = connected_to(server.address());
    auto open = client.create<Open>("open", std::string("text"));
    // Function pointers in arguments would be called as they come.
    using Function = int (*)(std::string&);
    const Function function = [](std::string& text) { return static_cast<int>(text.size()); };
    CHECK_THROWS_WITH(open.call<&Open::apply<Function>>(function), ContainsSubstring("function pointer"));
    // A method of a listed type that the list lacks, by its thunk.
    auto counter = client.create<Counter>("counter");
    CHECK_THROWS_WITH(counter.call<&Counter::secret>(),
                      ContainsSubstring("not among those that are registered"));
    // Thunks that are no methods of the object: of another type's, of the library's own, of a process.
    auto raw = std::make_shared<detail::RemoteClient>(detail::endpoint_of(server.address()), key,
                                                      detail::RemoteLimits{});
    raw->declare("open", detail::interface_of<Open>());
    raw->connect();
    detail::Writer writer;
    detail::encode(writer, std::string("text"));
    const auto target = raw->create(
        "open", 0, "", detail::thunk_address<detail::CreateEntry<Open, std::string>, detail::ServedCall>(),
        writer.view(), {});
    using Leave = detail::MethodEntry<Counter, &Counter::leave, int>;
    using Text = detail::MethodEntry<Open, &Open::text>;
    struct Target {
        static void run(int&) { std::_Exit(9); }
    };
    CHECK_FALSE(raw->invoke(target->id(), detail::thunk_address<Text, detail::ServedCall>(), {}, {}).failed);
    for (auto address : {detail::thunk_address<Leave, detail::ServedCall>(),
                         detail::thunk_address<detail::AddressEntry, detail::ServedCall>(),
                         detail::thunk_address<Target, int>()})
        CHECK(raw->invoke(target->id(), address, {}, {}).failed);
    CHECK(counter.call<&Counter::value>() == 0);
}

TEST_CASE("connections beyond the limit are refused", "[remote_managers]") {
    auto server = started_server({.max_clients = 2});
    auto first = connected_to(server.address());
    {
        auto second = connected_to(server.address());
        CHECK_THROWS_AS(connected_to(server.address()), std::system_error);
        CHECK(second.object<Counter>("total").call<&Counter::value>() == 100);
    }
    CHECK(soon([&] {
        try {
            connected_to(server.address());
            return true;
        } catch (const std::system_error&) { return false; }
    }));
    CHECK(first.object<Counter>("total").call<&Counter::value>() == 100);
}

TEST_CASE("a client keeps no more in the server than the limit", "[remote_managers]") {
    auto server = started_server({.max_memory_per_client = 1'000'000});
    const std::string big(100'000, 'x');
    std::size_t most = 0;
    {
        auto client = connected_to(server.address());
        auto jobs = client.object<mp::Queue<std::string>>("jobs");
        const auto fill = [&] {
            try {
                for (int i = 0; i < 100; ++i) jobs.put(big);
                return false;
            } catch (const std::system_error& error) { return error.code() == std::errc::not_enough_memory; }
        };
        CHECK(fill());
        most = jobs.qsize();
        CHECK(most >= 8);
        CHECK(most <= 10);
        auto other = connected_to(server.address()); // has a limit of its own
        CHECK_NOTHROW(other.object<mp::Queue<std::string>>("jobs").put("small"));
        for (std::size_t i = 0; i < 6; ++i) jobs.get();
        CHECK(soon([&] {
            try {
                jobs.put(big);
                return true;
            } catch (const std::system_error&) { return false; }
        }));
        for (int i = 0; i < 100; ++i) { // taken out as fast as it comes
            jobs.get();
            CHECK(soon([&] {
                try {
                    jobs.put(big);
                    return true;
                } catch (const std::system_error&) { return false; }
            }));
        }
        CHECK(fill());
    }
    // What it has left counts for the next one, once its end is noticed, so that nobody comes again
    // and again.
    CHECK(soon([&] {
        auto again = connected_to(server.address());
        auto jobs = again.object<mp::Queue<std::string>>("jobs");
        try {
            jobs.put(big);
            jobs.get();
            return false;
        } catch (const std::system_error&) { return true; }
    }));
    auto own = server.object<mp::Queue<std::string>>("jobs");
    CHECK(own.qsize() <= most + 3);
    own.put(big); // the server's own are free
}
