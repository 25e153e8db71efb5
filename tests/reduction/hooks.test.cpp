// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

// In no namespace and before the library: none of its business.
template <class Anything, class Other>
void serialize(Anything&, Other&) {}
template <class Anything, class Other>
void save(Anything&, const Other&) {}
int load = 0;

#include <multiprocessing/reduction.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

namespace hooks {

template <class T>
T there_and_back(const T& value) {
    return mp::loads<T>(mp::dumps(value));
}

class Member {
public:
    Member() = default;
    Member(int a, std::string b) : a_(a), b_(std::move(b)) {}
    template <class Archive>
    void serialize(Archive& ar) {
        ar(a_, b_);
    }
    bool operator==(const Member&) const = default;

private:
    int a_ = 0;
    std::string b_;
};

/// As Boost.Serialization's users have it.
class BoostMember {
public:
    BoostMember() = default;
    BoostMember(int a, std::string b) : a_(a), b_(std::move(b)) {}
    template <class Archive>
    void serialize(Archive& ar, const unsigned int version) {
        if (version != 0) throw std::logic_error("there is only one version here");
        ar& a_& b_;
    }
    bool operator==(const BoostMember&) const = default;

private:
    int a_ = 0;
    std::string b_;
};

/// Everything private, and befriended.
class Private {
public:
    Private(int a, std::string b) : a_(a), b_(std::move(b)) {}
    bool operator==(const Private&) const = default;

private:
    friend struct multiprocessing::access;

    Private() = default;
    template <class Archive>
    void serialize(Archive& ar) {
        ar(a_, b_);
    }

    int a_ = 0;
    std::string b_;
};

class PrivatePair {
public:
    PrivatePair(int a, std::string b) : a_(a), b_(std::move(b)) {}
    bool operator==(const PrivatePair&) const = default;

private:
    friend struct multiprocessing::access;

    PrivatePair() = default;
    template <class Archive>
    void save(Archive& ar) const {
        ar << a_ << b_;
    }
    template <class Archive>
    void load(Archive& ar) {
        ar >> a_ >> b_;
    }

    int a_ = 0;
    std::string b_;
};

/// Has all three, as under BOOST_SERIALIZATION_SPLIT_MEMBER.
struct Split {
    Split() {}
    Split(int a, std::string b) : a_(a), b_(std::move(b)) {}
    template <class Archive>
    void save(Archive& ar, const unsigned int) const {
        ar << a_ << b_;
    }
    template <class Archive>
    void load(Archive& ar, const unsigned int) {
        ar >> a_ >> b_;
    }
    template <class Archive>
    void serialize(Archive&, const unsigned int) {
        throw std::logic_error("the pair goes first");
    }
    bool operator==(const Split&) const = default;

    int a_ = 0;
    std::string b_;
};

/// Looks at which way it goes, and returns something.
class Directed {
public:
    Directed() = default;
    Directed(int a, std::string b) : a_(a), b_(std::move(b)) {}
    template <class Archive>
    auto serialize(Archive& ar) {
        if constexpr (Archive::is_loading::value) {
            static_assert(!Archive::is_saving::value);
            loaded = true;
        }
        return &(ar & a_ & b_);
    }
    bool operator==(const Directed& other) const { return a_ == other.a_ && b_ == other.b_; }

    bool loaded = false;

private:
    int a_ = 0;
    std::string b_;
};

class StaticLoad {
public:
    StaticLoad(int a, std::string b) : a_(a), b_(std::move(b)) {}
    bool operator==(const StaticLoad&) const = default;

private:
    friend struct multiprocessing::access;

    template <class Archive>
    void save(Archive& ar) const {
        ar(a_, b_);
    }
    template <class Archive>
    static StaticLoad load(Archive& ar) {
        int a = 0;
        std::string b;
        ar(a, b);
        return {a, std::move(b)};
    }

    int a_;
    std::string b_;
};

struct Base {
    Base() {}
    Base(int a, std::string b) : a_(a), b_(std::move(b)) {}
    virtual ~Base() = default;
    Base(const Base&) = default;
    Base& operator=(const Base&) = default;
    bool operator==(const Base& other) const { return a_ == other.a_ && b_ == other.b_; }
    int a_ = 0;
    std::string b_;
};

template <class Archive>
void serialize(Archive& ar, Base& value) {
    ar(value.a_, value.b_);
}

struct Free {
    Free() {}
    Free(int a, std::string b) : a_(a), b_(std::move(b)) {}
    bool operator==(const Free&) const = default;
    int a_ = 0;
    std::string b_;
};
template <class Archive>
void serialize(Archive& ar, Free& value, const unsigned int) {
    ar& value.a_;
    ar& value.b_;
}

struct FreePair {
    FreePair() {}
    FreePair(int a, std::string b) : a_(a), b_(std::move(b)) {}
    bool operator==(const FreePair&) const = default;
    int a_ = 0;
    std::string b_;
};
template <class Archive>
void save(Archive& ar, const FreePair& value) {
    ar << value.a_ << value.b_;
}
template <class Archive>
void load(Archive& ar, FreePair& value) {
    ar >> value.a_ >> value.b_;
}

struct FreePairWithVersion {
    FreePairWithVersion() {}
    FreePairWithVersion(int a, std::string b) : a_(a), b_(std::move(b)) {}
    bool operator==(const FreePairWithVersion&) const = default;
    int a_ = 0;
    std::string b_;
};
template <class Archive>
void save(Archive& ar, const FreePairWithVersion& value, unsigned) {
    ar << value.a_ << value.b_;
}
template <class Archive>
void load(Archive& ar, FreePairWithVersion& value, unsigned) {
    ar >> value.a_ >> value.b_;
}

/// Found by no rule of the language, as it is in no namespace of theirs.
struct Untouched {
    int a_ = 0;
    std::string b_;
};

struct PairOfBase {
    PairOfBase() {}
    template <class Archive>
    void save(Archive& ar) const {
        ar(a_);
    }
    template <class Archive>
    void load(Archive& ar) {
        ar(a_);
    }
    int a_ = 0;
};
struct ForgetsItsOwn : PairOfBase {
    int more = 0;
};

union Either {
    int number = 0;
    float real;
    template <class Archive>
    void serialize(Archive& ar) {
        ar(number); // this one is never anything else
    }
};

/// Would be reflected, but knows better.
struct Cached {
    int input = 0;
    int cache = 0;
    template <class Archive>
    void serialize(Archive& ar) {
        ar(input);
    }
};

/// A namespace's own functions of the names that the archive uses inside.
template <class Anything, class Other>
void encode(Anything&, const Other&) {}
template <class Anything, class Other>
void decode_into(Anything&, Other&) {}
template <class Anything, class Other>
void with_fields(Anything&, Other&&) {}

struct Forgets {
    template <class Archive>
    void save(Archive& ar) const {
        ar(1, std::string("text"));
    }
    template <class Archive>
    void load(Archive& ar) {
        ar(number);
    }
    int number = 0;
};

struct Refuses {
    template <class Archive>
    void serialize(Archive&) {
        throw std::domain_error("not today");
    }
    int number = 0;
};

/// A hook inside a hook, in containers.
class Outer {
public:
    template <class Archive>
    void serialize(Archive& ar) {
        ar(inner, more);
    }
    Member inner;
    std::vector<Private> more;
};

} // namespace hooks

using namespace hooks;

TEMPLATE_TEST_CASE("every form of the hook is found and used both ways", "[reduction]", Member, BoostMember,
                   Private, PrivatePair, Split, Directed, StaticLoad, Base, Free, FreePair,
                   FreePairWithVersion) {
    STATIC_REQUIRE(mp::Serializable<TestType>);
    const TestType value{42, "text"};
    CHECK(there_and_back(value) == value);
    CHECK(mp::dumps(value).size() == 8 + sizeof(int) + 1 + 4); // nothing but the two members

    const std::vector<TestType> many{value, TestType{1, "a"}, TestType{2, ""}};
    CHECK(there_and_back(many) == many);
    const std::pair<TestType, std::optional<TestType>> both{value, value};
    CHECK(there_and_back(both) == both);
}

TEST_CASE("functions in no namespace are no hooks", "[reduction]") {
    CHECK(there_and_back(Untouched{3, "fields"}).b_ == "fields");
}

TEST_CASE("a hook that is inherited does not know what was added", "[reduction]") {
    STATIC_REQUIRE(mp::Serializable<PairOfBase>);
    STATIC_REQUIRE(!mp::Serializable<ForgetsItsOwn>);
}

TEST_CASE("a hook knows which way it goes", "[reduction]") {
    const Directed value{1, "x"};
    static_cast<void>(mp::dumps(value));
    CHECK(!value.loaded);
    CHECK(there_and_back(value).loaded);
}

TEST_CASE("a union with a hook crosses", "[reduction]") {
    Either either;
    either.number = 77;
    CHECK(there_and_back(either).number == 77);
}

TEST_CASE("a hook goes before the fields of an aggregate", "[reduction]") {
    const auto back = there_and_back(Cached{1, 2});
    CHECK(back.input == 1);
    CHECK(back.cache == 0);
}

TEST_CASE("hooks within hooks and containers", "[reduction]") {
    Outer outer;
    outer.inner = {1, "a"};
    outer.more = {{2, "b"}, {3, "c"}};
    const auto back = there_and_back(outer);
    CHECK(back.inner == outer.inner);
    CHECK(back.more == outer.more);
}

TEST_CASE("a hook that reads other than it wrote is found out", "[reduction]") {
    // It takes an int and no string: bytes are left over.
    CHECK_THROWS_AS(mp::loads<Forgets>(mp::dumps(Forgets{})), mp::SerializationError);
}

TEST_CASE("what a hook throws arrives at the caller", "[reduction]") {
    CHECK_THROWS_AS(mp::dumps(Refuses{}), std::domain_error);
    CHECK_THROWS_AS(mp::dumps(std::vector<Refuses>(3)), std::domain_error);
}
