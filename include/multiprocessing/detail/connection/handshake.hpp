#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file handshake.hpp  Two sides prove to each other that they know a key, without showing it:
/// CPython's handshake.
///
///     listener                          client
///     #CHALLENGE# M              ->
///                                <-     response(key, M)
///     #WELCOME# or #FAILURE#     ->
///                                <-     #CHALLENGE# M'
///     response(key, M')          ->
///                                <-     #WELCOME# or #FAILURE#
///
/// M is "{sha256}" and 40 random bytes, the response "{digest}" and the HMAC of all of M. A Python
/// before 3.12 sends 20 random bytes, and answers any M by the 16 bytes of HMAC-MD5.
///
/// Both sides answer by the same digest; so an impostor without the key, to whom two clients
/// connect, could ask the second what the first has asked, and hand on the answer. Therefore the
/// last 8 of our 40 bytes are not random, but say which side asks, and a side that is asked what
/// its own side asks does not answer. An impostor cannot change that on the way: the answer is to
/// all of M. CPython takes them for random, and its own say nothing: then it is as it was.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/keyed_digest.hpp>
#include <multiprocessing/exceptions.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// One side of a handshake. It is given the messages that arrive, and says what to send; both know
/// nothing of frames.
class Handshake {
public:
    enum class Side { listener, client };

    /// No message may be longer.
    static constexpr std::size_t longest = 256;

    Handshake(Side side, std::string key, bool allow_md5)
        : side_(side), key_(std::move(key)), allow_md5_(allow_md5) {}

    /// Returns what to send at first; nothing, if the other side begins.
    std::vector<std::string> begin() {
        if (side_ == Side::client) return {};
        return {challenge()};
    }

    /// Returns what to send in answer. Throws AuthenticationError if the other side does not know
    /// the key, or what it sent is none of these messages; `farewell()` is to be sent then.
    std::vector<std::string> receive(std::string_view message) {
        switch (next_) {
        case Next::challenge: next_ = Next::welcome; return {respond(message)};
        case Next::response:
            verify_answer(message);
            if (side_ == Side::client) {
                next_ = Next::nothing;
            } else {
                next_ = Next::challenge;
            }
            return {std::string(welcome)};
        case Next::welcome:
            if (message != welcome)
                throw AuthenticationError(
                    "multiprocessing: the other side rejected our answer: it has another key");
            if (side_ == Side::listener) {
                next_ = Next::nothing;
                return {};
            }
            return {challenge()};
        case Next::nothing: break;
        }
        throw AuthenticationError("multiprocessing: a message after the end of the handshake");
    }

    bool done() const noexcept { return next_ == Next::nothing; }

    /// Returns what the other side is to be told of a failure; empty if nothing.
    std::string_view farewell() const noexcept { return rejects_ ? failure : std::string_view{}; }

private:
    enum class Next { challenge, response, welcome, nothing };

    static constexpr std::string_view challenge_mark = "#CHALLENGE#";
    static constexpr std::string_view welcome = "#WELCOME#";
    static constexpr std::string_view failure = "#FAILURE#";
    static constexpr std::size_t of_old_python = 20; // bytes of its challenge
    static constexpr std::size_t size_of_md5 = 16;
    static constexpr std::size_t role_size = 8;

    /// Returns which side asks.
    std::string_view role() const noexcept { return side_ == Side::client ? "*client*" : "listener"; }

    std::string challenge() {
        std::array<std::byte, 40 - role_size> random;
        platform::fill_random(random);
        challenge_ = "{sha256}";
        challenge_.append(reinterpret_cast<const char*>(random.data()), random.size());
        challenge_ += role();
        next_ = Next::response;
        return std::string(challenge_mark) + challenge_;
    }

    /// Returns the digest's name in braces, which is taken off `text`; empty if there is none, or
    /// none that may be used.
    std::string_view take_name(std::string_view& text) const {
        for (const std::string_view name : {"sha256", "sha384", "sha3_256", "sha3_384", "md5"}) {
            if (text.size() < name.size() + 2 || text.front() != '{' || text.substr(1, name.size()) != name ||
                text[name.size() + 1] != '}')
                continue;
            if (name == "md5" && !allow_md5_) return {};
            text.remove_prefix(name.size() + 2);
            return name;
        }
        return {};
    }

    [[noreturn]] static void refuse_md5() {
        throw AuthenticationError(
            "multiprocessing: the other side asks for MD5, as a Python before 3.12 does; if it has to "
            "be, set .allow_md5");
    }

    std::string respond(std::string_view message) {
        if (!message.starts_with(challenge_mark))
            throw AuthenticationError(
                "multiprocessing: the other side does not ask for a key: what it sends is no challenge");
        message.remove_prefix(challenge_mark.size());
        if (message.size() < of_old_python)
            throw AuthenticationError("multiprocessing: the challenge of the other side is too short");
        if (message.size() == of_old_python) {
            if (!allow_md5_) refuse_md5();
            return digest("md5", message);
        }
        if (message.ends_with(role())) {
            throw AuthenticationError("multiprocessing: the other side asks what our own side asks: it hands "
                                      "on the challenge of another "
                                      "program, and need not know the key");
        }
        std::string_view rest = message;
        const std::string_view name = take_name(rest);
        if (name.empty()) {
            if (rest.starts_with("{md5}")) refuse_md5();
            throw AuthenticationError(
                "multiprocessing: the other side asks for a digest that is not among those in use");
        }
        return '{' + std::string(name) + '}' + digest(name, message);
    }

    void verify_answer(std::string_view answer) {
        rejects_ = true;
        std::string_view name = "md5";
        if (answer.size() == size_of_md5 || answer.size() == of_old_python) {
            if (!allow_md5_)
                throw AuthenticationError(
                    "multiprocessing: the other side answers by MD5, as a Python before 3.12 does; if it "
                    "has to be, set .allow_md5");
        } else {
            name = take_name(answer);
            if (name.empty())
                throw AuthenticationError(
                    "multiprocessing: the answer of the other side is by no digest that is in use");
        }
        if (!platform::equal_digests(digest(name, challenge_), answer))
            throw AuthenticationError("multiprocessing: the other side does not know the key");
        rejects_ = false;
    }

    std::string digest(std::string_view name, std::string_view message) const {
        std::string digest = platform::keyed_digest(name, key_, message);
        if (digest.empty())
            throw AuthenticationError("multiprocessing: this system cannot compute the digest " +
                                      std::string(name));
        return digest;
    }

    const Side side_;
    std::string key_;
    bool allow_md5_;
    std::string challenge_;
    Next next_ = Next::challenge;
    bool rejects_ = false;
};

/// Puts the frames of a handshake together, out of whatever pieces they arrive in, in bounded
/// memory.
class HandshakeFrames {
public:
    /// Returns how many bytes are wanted next, at least 1; not one of what comes after the frame.
    std::size_t wanted() const noexcept {
        return (head_done() ? size_of_head + size_ : size_of_head) - bytes_.size();
    }

    /// Takes some of the bytes that are wanted. True if that completes a message. Throws
    /// AuthenticationError for one that is too long.
    bool add(std::span<const std::byte> bytes) {
        const bool had_head = head_done();
        bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (!had_head && head_done()) {
            size_ = 0;
            for (std::size_t i = 0; i < size_of_head; ++i)
                size_ = size_ << 8 | static_cast<unsigned char>(bytes_[i]);
            if (size_ > Handshake::longest)
                throw AuthenticationError(
                    "multiprocessing: what the other side sends is no part of a handshake");
        }
        return head_done() && bytes_.size() == size_of_head + size_;
    }

    /// Returns the message that is complete, and begins the next one.
    std::string pop() {
        std::string message = bytes_.substr(size_of_head);
        bytes_.clear();
        return message;
    }

private:
    static constexpr std::size_t size_of_head = 4;
    bool head_done() const noexcept { return bytes_.size() >= size_of_head; }

    std::string bytes_;
    std::size_t size_ = 0;
};

} // namespace multiprocessing::inline v1::detail
