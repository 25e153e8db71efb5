#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file values.hpp  Types of a user's, and random values of any type that crosses, for the tests of the archive.

#include <multiprocessing/reduction.hpp>

#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <concepts>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace reduction {

namespace mp = multiprocessing;

using Engine = std::mt19937;

enum class Colour { red, green = 7 };
enum class Switch : bool { off, on };
enum Plain : std::uint8_t { plain_a, plain_b };

struct Point { // no padding
    std::int32_t x = 0;
    std::int32_t y = 0;
    bool operator==(const Point&) const = default;
};

struct Padded {
    char c = 0;
    double d = 0;
    bool b = false;
    bool operator==(const Padded&) const = default;
};

struct Empty {
    bool operator==(const Empty&) const = default;
};

struct Job {
    int id = 0;
    std::string name = "unnamed";
    std::vector<Point> path;
    double matrix[2][3] = {};
    char text[9] = {};
    Padded padded;
    Empty empty;
    Colour colour = Colour::red;
    std::optional<std::vector<std::string>> tags;
    std::map<std::string, std::pair<int, Switch>> table = {{"default", {1, Switch::on}}};
    bool operator==(const Job&) const = default;
};

/// A tree through every kind of indirection.
struct Node {
    int value = 0;
    std::vector<Node> kids;
    std::unique_ptr<Node> next;
    std::map<int, Node> named;
    std::optional<std::vector<Node>> maybe;
};

inline bool operator==(const Node& a, const Node& b) {
    return a.value == b.value && a.kids == b.kids && (a.next ? b.next && *a.next == *b.next : !b.next) &&
           a.named == b.named && a.maybe == b.maybe;
}

/// A container of a user's, with nothing but push_back.
template <class T>
class Bag {
public:
    using value_type = T;

    auto begin() const { return items_.begin(); }
    auto end() const { return items_.end(); }
    void push_back(T item) { items_.push_back(std::move(item)); }
    void clear() { items_.clear(); }
    bool operator==(const Bag&) const = default;

private:
    std::list<T> items_;
};

/// An allocator with no state, as a user may write one.
template <class T>
struct PlainAllocator {
    using value_type = T;
    PlainAllocator() = default;
    template <class U>
    PlainAllocator(const PlainAllocator<U>&) {}
    T* allocate(std::size_t count) { return std::allocator<T>{}.allocate(count); }
    void deallocate(T* at, std::size_t count) { std::allocator<T>{}.deallocate(at, count); }
    bool operator==(const PlainAllocator&) const = default;
};

// ---- Random values ----

template <class T>
struct Random;

template <class T>
T random_value(Engine& engine) {
    return Random<T>::make(engine);
}

inline std::size_t below(Engine& engine, std::size_t limit) { return engine() % limit; }

template <class T>
    requires std::is_arithmetic_v<T>
struct Random<T> {
    static T make(Engine& engine) {
        if constexpr (std::same_as<T, bool>) {
            return below(engine, 2) == 1;
        } else if constexpr (std::floating_point<T>) {
            return static_cast<T>(engine()) / static_cast<T>(1 + below(engine, 1000)) - 1000;
        } else {
            const std::uint64_t bits = std::uint64_t{engine()} << 32 | engine();
            return static_cast<T>(bits >> below(engine, 64));
        }
    }
};
template <>
struct Random<Colour> {
    static Colour make(Engine& engine) { return below(engine, 2) ? Colour::red : Colour::green; }
};
template <>
struct Random<Switch> {
    static Switch make(Engine& engine) { return below(engine, 2) ? Switch::off : Switch::on; }
};
template <>
struct Random<Plain> {
    static Plain make(Engine& engine) { return below(engine, 2) ? plain_a : plain_b; }
};
template <>
struct Random<std::byte> {
    static std::byte make(Engine& engine) { return static_cast<std::byte>(engine()); }
};
template <class T>
    requires std::is_empty_v<T>
struct Random<T> {
    static T make(Engine&) { return {}; }
};
template <>
struct Random<std::nullptr_t> {
    static std::nullptr_t make(Engine&) { return nullptr; }
};
template <class T, std::size_t Count>
    requires(Count > 0)
struct Random<std::array<T, Count>> {
    static auto make(Engine& engine) {
        std::array<T, Count> result;
        for (auto& element : result) element = random_value<T>(engine);
        return result;
    }
};
template <class A, class B>
struct Random<std::pair<A, B>> {
    static std::pair<A, B> make(Engine& engine) {
        return {random_value<std::remove_const_t<A>>(engine), random_value<B>(engine)};
    }
};
template <class... T>
    requires(sizeof...(T) > 0)
struct Random<std::tuple<T...>> {
    static std::tuple<T...> make(Engine& engine) { return {random_value<T>(engine)...}; }
};
template <class T>
struct Random<std::optional<T>> {
    static std::optional<T> make(Engine& engine) {
        if (below(engine, 3) == 0) return std::nullopt;
        return random_value<T>(engine);
    }
};
template <class... T>
struct Random<std::variant<T...>> {
    static std::variant<T...> make(Engine& engine) {
        std::variant<T...> all[] = {std::variant<T...>(random_value<T>(engine))...};
        return all[below(engine, sizeof...(T))];
    }
};
template <class T>
struct Random<std::complex<T>> {
    static std::complex<T> make(Engine& engine) { return {random_value<T>(engine), random_value<T>(engine)}; }
};
template <class Rep, class Period>
struct Random<std::chrono::duration<Rep, Period>> {
    static auto make(Engine& engine) {
        return std::chrono::duration<Rep, Period>(random_value<Rep>(engine) / 4);
    }
};
template <class Clock, class Duration>
struct Random<std::chrono::time_point<Clock, Duration>> {
    static auto make(Engine& engine) {
        return std::chrono::time_point<Clock, Duration>(random_value<Duration>(engine));
    }
};
template <>
struct Random<std::filesystem::path> {
    static std::filesystem::path make(Engine& engine) {
        return "/some/" + std::to_string(engine()) + "/file.txt";
    }
};
template <std::size_t Count>
struct Random<std::bitset<Count>> {
    static auto make(Engine& engine) { return std::bitset<Count>(engine()); }
};
template <class T>
struct Random<std::unique_ptr<T>> {
    static std::unique_ptr<T> make(Engine& engine) {
        return below(engine, 3) == 0 ? nullptr : std::make_unique<T>(random_value<T>(engine));
    }
};
template <class T>
struct Random<std::shared_ptr<T>> {
    static std::shared_ptr<T> make(Engine& engine) {
        return below(engine, 3) == 0 ? nullptr : std::make_shared<T>(random_value<T>(engine));
    }
};
template <>
struct Random<Point> {
    static Point make(Engine& engine) { return {random_value<int>(engine), random_value<int>(engine)}; }
};
template <>
struct Random<Padded> {
    static Padded make(Engine& engine) {
        return {random_value<char>(engine), random_value<double>(engine), random_value<bool>(engine)};
    }
};

/// Containers: mostly a few elements, sometimes so many that their length takes nine bytes.
template <class T>
    requires requires { typename T::value_type; }
struct Random<T> {
    static T make(Engine& engine) {
        const std::size_t count =
            below(engine, 10) == 0 && std::is_arithmetic_v<typename T::value_type> ? 300 : below(engine, 6);
        T result;
        for (std::size_t i = 0; i < count; ++i) {
            auto element = random_value<typename T::value_type>(engine);
            if constexpr (requires { result.push_back(std::move(element)); }) {
                result.push_back(std::move(element));
            } else if constexpr (requires { result.push_front(std::move(element)); }) {
                result.push_front(std::move(element));
            } else {
                result.insert(std::move(element));
            }
        }
        return result;
    }
};
template <>
struct Random<Job> {
    static Job make(Engine& engine) {
        Job job;
        job.id = random_value<int>(engine);
        job.name = random_value<std::string>(engine);
        job.path = random_value<std::vector<Point>>(engine);
        job.matrix[1][2] = random_value<double>(engine);
        job.text[3] = random_value<char>(engine);
        job.padded = random_value<Padded>(engine);
        job.colour = random_value<Colour>(engine);
        job.tags = random_value<std::optional<std::vector<std::string>>>(engine);
        job.table = random_value<decltype(Job::table)>(engine);
        return job;
    }
};
template <>
struct Random<Node> {
    static Node make(Engine& engine) {
        Node node;
        node.value = random_value<int>(engine);
        for (std::size_t i = below(engine, 3); i > 0; --i) node.kids.push_back(make_leaf(engine));
        if (below(engine, 2)) node.next = std::make_unique<Node>(make_leaf(engine));
        if (below(engine, 2)) node.named.emplace(3, make_leaf(engine));
        if (below(engine, 2)) node.maybe.emplace().push_back(make_leaf(engine));
        return node;
    }
    static Node make_leaf(Engine& engine) {
        return below(engine, 3) == 0 ? make(engine) : Node{random_value<int>(engine), {}, {}, {}, {}};
    }
};

// ---- Deep equality: what pointers point to ----

template <class T>
bool same(const T& a, const T& b) {
    if constexpr (requires {
                      typename T::element_type;
                      a.get();
                      *a;
                  }) {
        return a && b ? same(*a, *b) : !a && !b;
    } else if constexpr (requires {
                             typename T::value_type::element_type;
                             a.size();
                         }) {
        if (a.size() != b.size()) return false;
        for (std::size_t i = 0; i < a.size(); ++i) {
            if (!same(a[i], b[i])) return false;
        }
        return true;
    } else {
        return a == b;
    }
}

} // namespace reduction
