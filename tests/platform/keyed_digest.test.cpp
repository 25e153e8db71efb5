// SPDX-License-Identifier: BSL-1.0
#if defined(_WIN32) || __has_include(<openssl/hmac.h>)
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/keyed_digest.hpp>

#include <string>

namespace platform = multiprocessing::detail::platform;

namespace {

std::string hex_of(const std::string& bytes) {
    std::string text;
    for (const char byte : bytes) {
        text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
        text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
    }
    return text;
}

} // namespace

TEST_CASE("digests are those of RFC 2202 and RFC 4231", "[keyed_digest]") {
    const std::string question = "what do ya want for nothing?";
    CHECK(hex_of(platform::keyed_digest("md5", "Jefe", question)) == "750c783e6ab0b503eaa86e310a5db738");
    CHECK(hex_of(platform::keyed_digest("sha256", "Jefe", question)) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hex_of(platform::keyed_digest("sha384", "Jefe", question)) ==
          "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
}

TEST_CASE("a key that is empty or longer than a block is a key", "[keyed_digest]") {
    const std::string long_key(131, '\xaa');
    CHECK(hex_of(platform::keyed_digest("sha256", long_key,
                                        "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    CHECK(hex_of(platform::keyed_digest("sha256", "", "")) ==
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("a digest that the system does not have is empty", "[keyed_digest]") {
    CHECK(platform::keyed_digest("rot13", "secret", "text").empty());
    const std::string sha3 = platform::keyed_digest("sha3_256", "secret", "text"); // not everywhere
    CHECK((sha3.empty() || sha3.size() == 32));
}

TEST_CASE("digests are equal that agree in each byte", "[keyed_digest]") {
    CHECK(platform::equal_digests("", ""));
    CHECK(platform::equal_digests("abcd", "abcd"));
    CHECK_FALSE(platform::equal_digests("abcd", "abce"));
    CHECK_FALSE(platform::equal_digests("abcd", "bbcd"));
    CHECK_FALSE(platform::equal_digests("abcd", "abc"));
}

#endif
