// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/detail/managers/bodies/compound.hpp>

#include <limits>
#include <stdexcept>
#include <string>

using namespace multiprocessing::detail;

namespace {

template <Compound Operation, class T, class Operand>
T result(T value, const Operand& operand) {
    apply_compound<Operation>(value, operand);
    return value;
}

} // namespace

TEST_CASE("compound assignments of integers in a manager's server wrap, whatever a client gives",
          "[managers]") {
    constexpr int most = std::numeric_limits<int>::max();
    constexpr int least = std::numeric_limits<int>::min();
    CHECK(result<Compound::add>(most, 1) == least);
    CHECK(result<Compound::subtract>(least, 1) == most);
    CHECK(result<Compound::multiply>(most, most) == 1);
    CHECK(result<Compound::add>(static_cast<unsigned char>(250), 10) == 4);
    CHECK(result<Compound::multiply>(short{-3}, 5) == -15);
    CHECK(result<Compound::add>(-5L, 3) == -2);
}

TEST_CASE("compound assignments that have no result throw", "[managers]") {
    CHECK_THROWS_AS(result<Compound::divide>(1, 0), std::domain_error);
    CHECK_THROWS_AS(result<Compound::remainder>(std::numeric_limits<int>::min(), -1), std::overflow_error);
    CHECK_THROWS_AS(result<Compound::multiply>(3, 1e300), std::overflow_error);
    CHECK_THROWS_AS(result<Compound::divide>(3, 0.0), std::overflow_error);
    CHECK_THROWS_WITH(result<Compound::shift_left>(1, 32),
                      ContainsSubstring("a shift by 32 of a type of 32 bits"));
    CHECK_THROWS_AS(result<Compound::shift_right>(1, -1), std::domain_error);
}

TEST_CASE("compound assignments are those of the language else", "[managers]") {
    CHECK(result<Compound::add>(3, 1.6) == 4);
    CHECK(result<Compound::divide>(7, 2.0) == 3);
    CHECK(result<Compound::shift_left>(4, 2) == 16);
    CHECK(result<Compound::bit_xor>(6, 3) == 5);
    CHECK(result<Compound::add>(1.0, 2) == 3.0);
    CHECK(result<Compound::add>(std::string("a"), std::string("b")) == "ab");
}
