// SPDX-License-Identifier: BSL-1.0
/// @file first_day.hpp  What the programs of cases.cmake have in common.
#pragma once
#include <multiprocessing/multiprocessing.hpp>

#include <any>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

inline int twice(int x) { return 2 * x; }
inline int mul(int a, int b) { return a * b; }
inline int add3(int a, int b, int c) { return a + b + c; }
inline double half(double x) { return x / 2; }
inline int nothing_taken() { return 1; }
inline void consume(int) {}
inline std::string upper(std::string text) { return text; }
inline int length(const std::string& text) { return static_cast<int>(text.size()); }
inline const char* c_text(int) { return ""; }
inline std::string_view view_text(int) { return ""; }
inline int* pointer_result(int) { return nullptr; }
inline std::mutex& mutex_result(int) {
    static std::mutex mutex;
    return mutex;
}
inline void increment(int& x) { ++x; }
inline int by_pointer(int* x) { return *x; }
inline void lock_it(std::mutex&) {}
inline void read_all(std::ifstream&) {}
inline void write_all(std::ofstream&) {}
inline void run_thread(std::thread&) {}
inline int call(std::function<int(int)> f) { return f(1); }
inline void use_any(std::any) {}
inline void use_future(std::future<int>&) {}
inline void use_pool(mp::Pool&, int) {}
inline void use_process(mp::Process&) {}
inline int overloaded(int x) { return x; }
inline int overloaded(double x) { return static_cast<int>(x); }
template <class T>
T generic(T x) {
    return x;
}

class Account {
public:
    explicit Account(int balance) : balance_(balance) {}
    int balance() const { return balance_; }

private:
    int balance_;
};
struct Rec {
    int id;
    std::string_view name;
};
struct Locked {
    int count = 0;
    std::mutex guard;
};
struct Nested {
    std::vector<std::map<std::string, Rec>> all;
};
struct ConstMember {
    const std::string name;
};
struct Base {
    int a;
};
struct Derived : Base {
    int b;
};
struct Shape {
    virtual ~Shape() = default;
};
struct Many {
    int m[8];
    int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5,
        c6, c7, c8, c9, d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, f0, f1,
        f2, f3, f4, f5, f6, f7, f8, f9, g0, g1, g2, g3, g4, g5, g6, g7, g8, g9;
};
struct ConstHook {
    int x = 0;
    explicit ConstHook(int value = 0) : x(value) {}
    template <class Archive>
    void serialize(Archive& ar) const {
        ar(x);
    }
};
inline int of_account(Account) { return 0; }
inline int of_rec(Rec) { return 0; }
inline int of_locked(Locked&) { return 0; }
inline int of_nested(Nested) { return 0; }
inline int of_const(ConstMember) { return 0; }
inline int of_derived(Derived) { return 0; }
inline int of_shape(std::shared_ptr<Shape>) { return 0; }
inline int of_many(Many) { return 0; }
inline int of_const_hook(ConstHook) { return 0; }
struct Scaler {
    int factor = 2;
    int scale(int x) const { return factor * x; }
};
struct Target {
    void (*target)(int);
};
inline mp::Pool& pool() {
    static mp::Pool pool(1);
    return pool;
}
inline std::vector<int>& items() {
    static std::vector<int> items{1, 2, 3};
    return items;
}
inline std::vector<std::pair<int, int>>& pairs() {
    static std::vector<std::pair<int, int>> pairs{{1, 2}, {3, 4}};
    return pairs;
}
