// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mp = multiprocessing;
using namespace multiprocessing::detail;

namespace {

/// Keeps the numbers of the handles that go with a message.
struct Numbers final : HandleSink, HandleSource {
    std::vector<int> numbers;
    std::size_t at = 0;

    void add(std::shared_ptr<SharedObject>) override { FAIL("not of this test"); }
    LeaseEntry next() override {
        FAIL("not of this test");
        return {};
    }
};

/// A handle as the library's own, of something that is known by a number.
class Handle {
public:
    using multiprocessing_handle = void;

    Handle() = default;
    explicit Handle(int number) : number_(number) {}
    void export_to(HandleSink& sink) const { static_cast<Numbers&>(sink).numbers.push_back(number_); }
    static Handle import_from(HandleSource& source) {
        auto& from = static_cast<Numbers&>(source);
        return Handle{from.numbers.at(from.at++)};
    }
    bool operator==(const Handle&) const = default;

private:
    int number_ = 0;
};

/// Places blocks in a store, and yields handles.
struct Surroundings final : WriteContext, ReadContext {
    Numbers handles;
    std::map<std::uint64_t, std::vector<std::byte>> store;
    bool full = false;

    HandleSink* handle_sink() override { return &handles; }
    HandleSource* handle_source() override { return &handles; }
    std::uint64_t place(std::span<const std::byte> bytes) override {
        if (full) return keep_inline;
        const std::uint64_t position = 64 * (store.size() + 1);
        store[position].assign(bytes.begin(), bytes.end());
        return position;
    }
    std::span<const std::byte> bytes_at(std::uint64_t position, std::uint64_t size) override {
        const auto found = store.find(position);
        if (found == store.end() || found->second.size() != size) {
            throw mp::SerializationError("multiprocessing: no such block");
        }
        return found->second;
    }
};

template <class T>
std::vector<std::byte> written(const T& value, WriteContext* context) {
    Writer writer{context};
    encode(writer, value);
    return writer.release();
}

template <class T>
T read(std::span<const std::byte> bytes, ReadContext* context) {
    Reader reader{bytes, context};
    T value = decode<T>(reader);
    reader.finish();
    return value;
}

struct Task {
    std::string name;
    Handle lock;
    std::vector<std::pair<int, Handle>> queues;
    bool operator==(const Task&) const = default;
};

class Hidden {
public:
    template <class Archive>
    void serialize(Archive& ar) {
        ar(handle);
    }
    Handle handle{7};
};

} // namespace

TEST_CASE("handles come back in their order, wherever they are in a value", "[reduction]") {
    STATIC_REQUIRE(mp::Spawnable<Task> && !mp::Serializable<Task>);
    Surroundings around;
    const Task task{"job", Handle{1}, {{10, Handle{2}}, {20, Handle{3}}}};
    const auto bytes = written(task, &around);
    CHECK(around.handles.numbers == std::vector{1, 2, 3});
    CHECK(read<Task>(bytes, &around) == task);
}

TEST_CASE("a handle that a hook hides is refused where no process is being made", "[reduction]") {
    STATIC_REQUIRE(mp::Serializable<Hidden>); // as far as the compiler knows
    CHECK_THROWS_AS(mp::dumps(Hidden{}), mp::SerializationError);
    CHECK_THROWS_WITH(mp::dumps(Hidden{}),
                      ContainsSubstring("Handle is only shared with a process by passing it as an "
                                        "argument when the process or task is made"));
    Surroundings around;
    const auto bytes = written(Hidden{}, &around);
    CHECK(read<Hidden>(bytes, &around).handle == Handle{7});
    CHECK_THROWS_AS(read<Hidden>(bytes, nullptr), mp::SerializationError);
}

TEST_CASE("big blocks go to where the context places them, small ones do not", "[reduction]") {
    Surroundings around;
    const std::vector<double> big(bulk_threshold / sizeof(double), 2.5);
    const std::vector<double> small(big.size() - 1, 1.5);
    const std::string text(100'000, 'x');
    struct Image {
        int number = 0;
        unsigned char pixels[300][300] = {};
        std::string behind;
        bool operator==(const Image&) const = default;
    };
    const auto image = std::make_unique<Image>();
    image->pixels[299][299] = 9;
    image->behind = "behind";

    auto bytes = written(std::tuple{big, small, text}, &around);
    CHECK(around.store.size() == 2);
    CHECK(bytes.size() < small.size() * sizeof(double) + 100);
    CHECK(read<std::tuple<std::vector<double>, std::vector<double>, std::string>>(bytes, &around) ==
          std::tuple{big, small, text});

    bytes = written(*image, &around);
    CHECK(around.store.size() == 3);
    CHECK(bytes.size() < 100);
    const auto back = std::make_unique<Image>(read<Image>(bytes, &around));
    CHECK(*back == *image);

    around.full = true; // then all stays in the message
    bytes = written(big, &around);
    CHECK(around.store.size() == 3);
    CHECK(read<std::vector<double>>(bytes, nullptr) == big);
}

TEST_CASE("a block that is not where the message says, or not of that size, is refused", "[reduction]") {
    Surroundings around;
    const std::vector<int> big(20'000, 3);
    const auto bytes = written(big, &around);
    REQUIRE(around.store.size() == 1);
    CHECK_THROWS_AS(read<std::vector<int>>(bytes, nullptr), mp::SerializationError);

    ReadContext nothing;
    CHECK_THROWS_AS(read<std::vector<int>>(bytes, &nothing), mp::SerializationError);

    struct TooMuch final : ReadContext {
        std::vector<std::byte> bytes = std::vector<std::byte>(80'001);
        std::span<const std::byte> bytes_at(std::uint64_t, std::uint64_t) override { return bytes; }
    } too_much;
    CHECK_THROWS_AS(read<std::vector<int>>(bytes, &too_much), mp::SerializationError);

    around.store.begin()->second.pop_back();
    CHECK_THROWS_AS(read<std::vector<int>>(bytes, &around), mp::SerializationError);
    around.store.clear();
    CHECK_THROWS_AS(read<std::vector<int>>(bytes, &around), mp::SerializationError);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK_THROWS_AS(read<std::vector<int>>(std::span(bytes).first(size), &around), mp::SerializationError);
    }
}

TEST_CASE("a writer's view and its bytes are the same, in whatever portions they came", "[reduction]") {
    for (const std::size_t portion : {1U, 3U, 100U, 1000U, 1023U, 1024U, 1025U, 5000U}) {
        Writer writer;
        std::string all;
        for (std::size_t i = 0; i < 50; ++i) {
            const std::string part((i * portion) % 1500 + i % 3 * portion, static_cast<char>('a' + i % 26));
            writer.bytes(part.data(), part.size());
            all += part;
            if (i % 7 == 0) {
                const auto view = writer.view();
                REQUIRE(view.size() == all.size());
                CHECK((all.empty() || std::memcmp(view.data(), all.data(), all.size()) == 0));
            }
        }
        const auto bytes = writer.release();
        REQUIRE(bytes.size() == all.size());
        CHECK(std::memcmp(bytes.data(), all.data(), all.size()) == 0);
    }
}

TEST_CASE("several values follow each other in one message", "[reduction]") {
    Writer writer;
    encode(writer, 1);
    encode(writer, std::string("two"));
    const auto shared = std::make_shared<int>(3);
    encode(writer, shared);
    encode(writer, shared);
    const auto bytes = writer.release();
    Reader reader{bytes};
    CHECK(decode<int>(reader) == 1);
    CHECK(decode<std::string>(reader) == "two");
    const auto first = decode<std::shared_ptr<int>>(reader);
    CHECK(decode<std::shared_ptr<int>>(reader) == first); // one message, one object
    CHECK_NOTHROW(reader.finish());
}

TEST_CASE("a writer that is told to expect far too much takes no more than it will fill", "[reduction]") {
    Writer writer;
    writer.expect(~std::size_t{0});
    const std::string text(5000, 'x');
    encode(writer, text);
    writer.expect(10); // less than there is already
    const auto message = writer.release();
    Reader reader{message};
    CHECK(decode<std::string>(reader) == text);
}
