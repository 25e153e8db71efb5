// SPDX-License-Identifier: BSL-1.0
#include <remote_managers/support.hpp>

#if !defined(_WIN32) // where there is no TLS yet, as clients.test.cpp says
#include <support/certificates.hpp>

#include <multiprocessing/detail/platform/listener.hpp>
#include <multiprocessing/detail/platform/tls.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace process;
namespace platform = mp::detail::platform;
using mp::managers::ManagerOptions;

namespace {

ManagerOptions served_with(const Papers::Paper& paper, Address address = Address{"127.0.0.1", 0}) {
    return {.address = std::move(address), .authkey = key, .certificate = paper.certificate, .key = paper.key};
}

BaseManager connected_with(const Address& address, ManagerOptions options) {
    options.address = address;
    if (!options.authkey) options.authkey = key;
    BaseManager manager(std::move(options));
    register_all(manager);
    manager.connect();
    return manager;
}

/// What a client is told that is not let in.
std::string refusal(const Address& address, ManagerOptions options) {
    try {
        connected_with(address, std::move(options));
    } catch (const mp::AuthenticationError& error) { return error.what(); }
    return "no refusal";
}

/// Notes what goes through it, in both directions.
class Recorder {
public:
    explicit Recorder(const Address& server)
        : listening_(platform::Endpoint{"", "127.0.0.1", 0}, 8, [](const auto&) {}),
          server_(mp::detail::endpoint_of(server)),
          accepting_([this] { accept(); }) {}
    ~Recorder() { end(); }

    Address address() const { return mp::detail::address_of(listening_.endpoint()); }
    /// When both sides have gone.
    const std::string& all() {
        end();
        return all_;
    }

private:
    void end() {
        ends_ = true;
        if (accepting_.joinable()) accepting_.join();
        for (auto& thread : pumps_) thread.join();
        pumps_.clear();
    }
    void accept() {
        while (!ends_) {
            if (!platform::wait_one(listening_.handle(), mp::detail::Deadline::after(20ms))) continue;
            platform::Endpoint peer;
            auto handle = listening_.accept(peer);
            if (!handle) continue;
            auto near = std::make_shared<platform::Stream>(std::move(*handle));
            auto beyond = std::make_shared<platform::Stream>(
                platform::connect(server_, mp::detail::Deadline::after(20s)));
            pumps_.emplace_back([this, near, beyond] { pump(*near, *beyond); });
            pumps_.emplace_back([this, near, beyond] { pump(*beyond, *near); });
        }
    }
    void pump(platform::Stream& from, platform::Stream& to) {
        std::vector<std::byte> bytes(65'536);
        platform::Arrived unwanted;
        try {
            for (;;) {
                const auto got = from.read_some(bytes, mp::detail::Deadline::after(60s), unwanted);
                if (!got || *got == 0) break;
                {
                    std::lock_guard lock{mutex_};
                    all_.append(reinterpret_cast<const char*>(bytes.data()), *got);
                }
                to.write_all(std::span{bytes}.first(*got), {}, {}, nullptr);
            }
        } catch (const std::system_error&) {} // the other side has gone
        try {
            platform::Stream::shut(to.handle(), false, true);
        } catch (const std::system_error&) {} // the same
    }

    platform::Listening listening_;
    const platform::Endpoint server_;
    std::atomic<bool> ends_{false};
    std::mutex mutex_; // guards what follows
    std::string all_;
    std::vector<std::thread> pumps_;
    std::thread accepting_;
};

} // namespace

TEST_CASE("calls go through TLS over TCP and over sockets", "[remote_managers]") {
    Papers papers;
    for (const Address& address : addresses()) {
        auto server = started_server(served_with(papers.server(), address));
        {
            auto client = connected_with(server.address(), {.authority = papers.authority});
            auto counter = client.create<Counter>("counter", 5);
            CHECK(counter.call<&Counter::add>(2) == 7);
            CHECK_THROWS_AS(counter.call<&Counter::fail>("no such thing"), std::out_of_range);
            client.object<mp::Queue<std::string>>("jobs").put("from far");
        }
        CHECK(server.object<mp::Queue<std::string>>("jobs").get() == "from far");
        auto late = connected_with(server.address(), {.authority = papers.authority});
        auto counter = late.create<Counter>("counter");
        server.shutdown();
        CHECK_THROWS_AS(counter.call<&Counter::value>(), mp::ProcessError);
    }
}

TEST_CASE("with TLS nothing of a call is on the wire", "[remote_managers]") {
    Papers papers;
    const std::string secret = "what nobody else may read";
    const auto recorded = [&](ManagerOptions server_options, ManagerOptions client_options) {
        auto server = started_server(std::move(server_options));
        Recorder recorder(server.address());
        {
            auto client = connected_with(recorder.address(), std::move(client_options));
            auto counter = client.create<Counter>("counter");
            CHECK(counter.call<&Counter::join>(std::vector<std::string>{secret}, 2) == secret + secret);
        }
        return recorder.all();
    };
    const std::string plain = recorded({.address = Address{"127.0.0.1", 0}}, {});
    CHECK(plain.find(secret) != std::string::npos);
    CHECK(plain.find("#CHALLENGE#") != std::string::npos);
    const std::string hidden = recorded(served_with(papers.server()), {.authority = papers.authority});
    CHECK(hidden.size() > plain.size());
    CHECK(hidden.find(secret) == std::string::npos);
    CHECK(hidden.find("#CHALLENGE#") == std::string::npos);
    CHECK(hidden.find("counter") == std::string::npos);
}

TEST_CASE("a client refuses a server that has another certificate than it should", "[remote_managers]") {
    Papers papers;
    Papers others;
    const ManagerOptions honest{.authority = papers.authority};
    {
        const ExpectedLog log("does not accept what this side shows");
        ImpatientServer server(served_with(papers.server()), honest);
        CHECK_THAT(refusal(server.address(), {.authority = others.authority}),
                   ContainsSubstring("is not signed by the .authority") &&
                       ContainsSubstring(others.authority.string()));
        Papers named_otherwise("another authority");
        CHECK_THAT(refusal(server.address(), {.authority = named_otherwise.authority}),
                   ContainsSubstring("is not signed by the .authority"));
        CHECK(soon([&] { return log.seen(); }));
        CHECK(server.serves());
        CHECK_THAT(refusal(server.address(), {.authkey = "wrong", .authority = papers.authority}),
                   ContainsSubstring("key"));
        CHECK(server.serves());
    }
    auto old = started_server(served_with(
        papers.sign({.name = "old", .names = "DNS:localhost, IP:127.0.0.1", .begins = -7200, .ends = -3600})));
    CHECK_THAT(refusal(old.address(), honest), ContainsSubstring("has expired"));
    auto early = started_server(
        served_with(papers.sign({.name = "early", .names = "IP:127.0.0.1", .begins = 3600, .ends = 7200})));
    CHECK_THAT(refusal(early.address(), honest), ContainsSubstring("is valid from"));
    const auto paper = papers.sign({.name = "localhost", .names = "DNS:other.example"});
    for (const Address& address : addresses()) {
        auto other = started_server(served_with(paper, address));
        CHECK_THAT(refusal(other.address(), honest), ContainsSubstring("is for DNS:other.example, not for"));
    }
    auto named = started_server(served_with(papers.sign({.name = "named", .names = "DNS:localhost"})));
    CHECK_THAT(refusal(named.address(), honest), ContainsSubstring("not for '127.0.0.1'"));
    const Address by_name{"localhost", named.address().port()};
    CHECK(connected_with(by_name, honest).create<Counter>("counter", 4).call<&Counter::value>() == 4);
}

TEST_CASE("a server with an authority serves those whom it has signed", "[remote_managers]") {
    Papers papers;
    Papers others("another authority");
    auto options = served_with(papers.server());
    options.authority = papers.authority;
    const auto paper = papers.client();
    const ManagerOptions known{
        .certificate = paper.certificate, .key = paper.key, .authority = papers.authority};
    const ExpectedLog log("the client shows no certificate");
    ImpatientServer server(options, known);
    CHECK(server.serves());
    CHECK_THAT(refusal(server.address(), {.authority = papers.authority}), ContainsSubstring(".certificate"));
    CHECK(soon([&] { return log.seen(); }));
    const auto alien = others.client();
    CHECK_THAT(refusal(server.address(),
                       {.certificate = alien.certificate, .key = alien.key, .authority = papers.authority}),
               ContainsSubstring("does not accept what this side shows"));
    const auto old = papers.sign({.name = "old", .names = "DNS:client", .begins = -7200, .ends = -3600});
    CHECK_THAT(refusal(server.address(),
                       {.certificate = old.certificate, .key = old.key, .authority = papers.authority}),
               ContainsSubstring("does not accept what this side shows"));
    CHECK(server.serves());
}

TEST_CASE("one side with TLS and one without it say so", "[remote_managers]") {
    Papers papers;
    {
        const ExpectedLog log("did not answer in time");
        ImpatientServer server(served_with(papers.server()), {.authority = papers.authority});
        CHECK_THAT(refusal(server.address(), {}), ContainsSubstring("give this client an .authority"));
        CHECK(server.serves());
        auto rude = knock(server.address());
        say(rude, "GET / HTTP/1.1\r\n\r\n");
        CHECK(server.serves());
    }
    const ExpectedLog log("no part of a handshake");
    ImpatientServer plain;
    CHECK_THAT(refusal(plain.address(), {.authority = papers.authority}),
               ContainsSubstring("does not speak TLS"));
    CHECK(plain.serves());
    CHECK(soon([&] { return log.seen(); }));
}

TEST_CASE("half a handshake of TLS holds up nobody", "[remote_managers]") {
    Papers papers;
    const ExpectedLog log("did not answer in time");
    ImpatientServer server(served_with(papers.server()), {.authority = papers.authority});
    auto silent = knock(server.address());
    std::vector<platform::Stream> halves;
    for (int i = 0; i < 20; ++i) {
        halves.push_back(knock(server.address()));
        say(halves.back(), std::string("\x16\x03\x01\x01\x00", 5));
    }
    const auto begin = std::chrono::steady_clock::now();
    CHECK(server.serves());
    // They are waited for, and would be for three seconds each.
    CHECK(std::chrono::steady_clock::now() - begin < 15s);
    CHECK(soon([&] { return log.seen(); }));
    std::vector<std::byte> bytes(100);
    platform::Arrived unwanted;
    const auto end = halves.back().read_some(bytes, mp::detail::Deadline::after(30s), unwanted);
    CHECK((end && *end == 0));
    CHECK(server.serves());
}

TEST_CASE("large messages go both ways at once through TLS", "[remote_managers]") {
    Papers papers;
    for (const Address& address : addresses()) {
        auto server = started_server(served_with(papers.server(), address));
        auto client = connected_with(server.address(), {.authority = papers.authority});
        constexpr int count = (8 << 20) / sizeof(int);
        std::atomic<int> right{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                auto counter = client.create<Counter>("counter");
                for (const int size : {0, 1, 4000, 300'000, count}) {
                    const auto numbers = counter.call<&Counter::numbers>(size);
                    if (numbers == std::vector<int>(static_cast<std::size_t>(size), 7) &&
                        counter.call<&Counter::length_of>(numbers) == numbers.size())
                        ++right;
                }
            });
        }
        for (auto& thread : threads) thread.join();
        CHECK(right == 20);
    }
}

TEST_CASE("garbage within TLS ends that connection only", "[remote_managers]") {
    Papers papers;
    const ExpectedLog log("TLS with the client has failed");
    ImpatientServer server(served_with(papers.server()), {.authority = papers.authority});
    const auto file = [](const std::filesystem::path& path) {
        std::ifstream stream(path);
        return std::string(std::istreambuf_iterator<char>(stream), {});
    };
    const platform::TlsContext context(
        platform::TlsSide::client,
        {.authority = file(papers.authority), .authority_file = papers.authority.string()});
    auto honest = connected_with(server.address(), {.authority = papers.authority});
    auto counter = honest.create<Counter>("counter");
    for (const std::string& garbage : {std::string("this is no record at all"), // not even a kind of record
                                       std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x')}) {
        RawClient client(server.address(), true, context.open("127.0.0.1"));
        platform::Stream stream(client.frames().handle().duplicate());
        say(stream, garbage);
        CHECK(client.is_dismissed());
    }
    CHECK(log.seen());
    CHECK(counter.call<&Counter::add>(2) == 2);
    RawClient rude(server.address(), true, context.open("127.0.0.1")); // garbage, but well encrypted
    rude.say(std::as_bytes(std::span("no request")));
    CHECK(rude.is_dismissed());
    CHECK(server.serves());
}

TEST_CASE("a client that is killed while it waits through TLS disturbs nobody", "[remote_managers]") {
    Papers papers;
    auto server = started_server(served_with(papers.server()));
    const std::size_t before = server.number_of_objects();
    auto near = server.object<std::map<std::string, int>>("map");
    mp::Process child(
        [](Address there, std::string authority) {
            auto client = connected_with(there, {.authority = authority});
            auto counter = client.create<Counter>("counter");
            std::thread waiting([&] { client.object<mp::Queue<std::string>>("jobs").get(); });
            std::this_thread::sleep_for(50ms);
            client.object<std::map<std::string, int>>("map")["ready"] = 1;
            waiting.join();
        },
        server.address(), papers.authority.string());
    child.start();
    REQUIRE(soon([&] { return near.contains("ready"); }));
    child.kill();
    child.join();
    CHECK(soon([&] { return server.number_of_objects() == before; }));
    auto client = connected_with(server.address(), {.authority = papers.authority});
    auto jobs = client.object<mp::Queue<std::string>>("jobs");
    jobs.put("for the living");
    CHECK(jobs.get() == "for the living");
}

TEST_CASE("files for TLS that are wrong are errors at once that name them", "[remote_managers]") {
    Papers papers;
    const auto good = papers.server();
    const auto other = papers.client();
    const auto fault = [](ManagerOptions options) -> std::string {
        BaseManager manager(std::move(options));
        try {
            manager.register_type<Counter>("counter");
        } catch (const std::exception& error) { return error.what(); }
        return "no error";
    };
    const auto nowhere = papers.authority.parent_path() / "nowhere.pem";
    CHECK_THAT(fault({.certificate = nowhere, .key = good.key}),
               ContainsSubstring(nowhere.string()) && ContainsSubstring("No such file"));
    const auto directory = papers.authority.parent_path();
    CHECK_THAT(fault({.authority = directory}),
               ContainsSubstring(directory.string()) && ContainsSubstring(".authority"));
    const auto text = papers.write("no certificate\n");
    CHECK_THAT(fault({.certificate = text, .key = good.key}),
               ContainsSubstring(text.string()) && ContainsSubstring("no certificate in PEM format"));
    CHECK_THAT(fault({.certificate = good.certificate, .key = text}),
               ContainsSubstring(text.string()) && ContainsSubstring("no private key in PEM format"));
    CHECK_THAT(fault({.authority = text}), ContainsSubstring(text.string()));
    CHECK_THAT(fault({.authority = papers.write("")}), ContainsSubstring("is empty"));
    const auto damaged = papers.write("-----BEGIN CERTIFICATE-----\nMIIBdamaged\n-----END CERTIFICATE-----\n");
    CHECK_THAT(fault({.authority = damaged}), ContainsSubstring(damaged.string()));
    CHECK_THAT(fault({.certificate = good.certificate, .key = other.key}),
               ContainsSubstring(other.key.string()) &&
                   ContainsSubstring("does not belong to the certificate"));
    const auto encrypted = papers.write_key(*make_key(), "passphrase");
    CHECK_THAT(fault({.certificate = good.certificate, .key = encrypted}),
               ContainsSubstring(encrypted.string()) && ContainsSubstring("is encrypted"));
    CHECK_THAT(fault({.certificate = good.certificate}),
               ContainsSubstring(good.certificate.string()) && ContainsSubstring("no .key"));
    CHECK_THAT(fault({.key = good.key}), ContainsSubstring("no .certificate"));
    CHECK_THROWS_AS(BaseManager({.certificate = good.certificate, .key = good.key}).start(), std::logic_error);

    BaseManager no_certificate({.authority = papers.authority});
    no_certificate.register_type<Counter>("counter");
    CHECK_THROWS_WITH(no_certificate.start(), ContainsSubstring("no .certificate of its own"));
    BaseManager no_authority(
        {.address = Address{"127.0.0.1", 1}, .certificate = good.certificate, .key = good.key});
    CHECK_THROWS_WITH(no_authority.connect(), ContainsSubstring("no .authority"));
}

#endif
