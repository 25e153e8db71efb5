#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thunk.hpp  The identity of a callable: constant data that every process with the same
/// build has at the same place.

#include <multiprocessing/detail/base/lazy.hpp>
#include <multiprocessing/detail/code/code_address.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/fingerprint.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace multiprocessing::inline v1::detail {

/// What crosses in place of code. One constant per `Entry`, a type with `static void run(Frame&)`,
/// so there is no table to fill, no registration, and nothing that runs before main. Linkers that
/// fold equal code do no harm: what is folded does the same.
struct Thunk {
    static constexpr std::uint64_t magic_words[2] = {0x6D70'7468'756E'6B31, 0xC0DE'5AFE'0BAD'F00D};

    std::uint64_t magic[2];
    void (*entry)(void* frame);
    std::uint64_t fingerprint;
};

template <class Entry, class Frame>
struct ThunkOf {
    static void enter(void* frame) { Entry::run(*static_cast<Frame*>(frame)); }
    static constexpr Thunk value{{Thunk::magic_words[0], Thunk::magic_words[1]}, &enter, fingerprint<Entry>()};
};

/// Returns the file that holds `Entry`'s thunk, for errors where it is not loaded.
template <class Entry, class Frame>
const std::string& thunk_file() {
    static constinit Lazy<std::string> file;
    return file.get([] { return image_file(&ThunkOf<Entry, Frame>::value); });
}

/// A thunk on the wire.
struct ThunkAddress {
    CodeAddress place;
    std::uint64_t fingerprint = 0;
};

/// Returns the address of `Entry`'s thunk; looked up once, as the image that this very code stands
/// in stays loaded.
template <class Entry, class Frame>
const ThunkAddress& thunk_address() {
    static constinit Lazy<ThunkAddress> address;
    return address.get([] {
        return ThunkAddress{code_address_of(&ThunkOf<Entry, Frame>::value), fingerprint<Entry>()};
    });
}

/// Returns the thunk that another process meant. Only with the same build loaded, inside its image,
/// aligned, and with the right content, so that nothing else can be called by a wrong or forged
/// address. Throws SerializationError.
inline const Thunk& resolve(const ThunkAddress& address, std::string_view file = {}) {
    const void* const place = resolve(address.place, sizeof(Thunk), file);
    const auto* const thunk = static_cast<const Thunk*>(place);
    if (reinterpret_cast<std::uintptr_t>(place) % alignof(Thunk) != 0 ||
        thunk->magic[0] != Thunk::magic_words[0] || thunk->magic[1] != Thunk::magic_words[1] ||
        thunk->fingerprint != address.fingerprint) {
        throw SerializationError(
            "multiprocessing: a function reference from another process does not name a function "
            "of this build");
    }
    return *thunk;
}

} // namespace multiprocessing::inline v1::detail
