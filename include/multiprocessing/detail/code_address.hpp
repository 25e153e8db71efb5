#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file code_address.hpp  A place in the program or in a shared library, as every process with the same build knows it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/state.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// An address as (build, offset): address space randomisation moves images, but not what is in them.
struct CodeAddress {
    platform::ImageId image;
    std::uint64_t offset = 0;
};

/// The images that were asked for so far. Describing one takes microseconds, so it is done once per image.
class Images : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::images;

    /// Calls `use(image)` for the image that holds `address`; false if none does.
    template <class Use>
    bool at(const void* address, Use use) {
        return find([&](const platform::Image& image) { return image.holds(address); },
                    [&] { return platform::image_at(address); }, use);
    }

    /// Calls `use(image)` for the loaded image of that build; false if it is not loaded.
    template <class Use>
    bool with(const platform::ImageId& id, Use use) {
        return find([&](const platform::Image& image) { return image.id == id; },
                    [&] { return platform::image_with(id); }, use);
    }

private:
    template <class Wanted, class Search, class Use>
    bool find(Wanted wanted, Search search, Use use) {
        std::lock_guard lock{mutex};
        if (const std::uint64_t now = platform::image_changes(); now != changes_) {
            known_.clear(); // something was loaded or unloaded: addresses may belong to others now
            changes_ = now;
        }
        for (const platform::Image& image : known_) {
            if (wanted(image)) return use(image), true;
        }
        std::optional<platform::Image> found = search();
        if (!found) return false;
        known_.push_back(std::move(*found));
        use(std::as_const(known_.back()));
        return true;
    }

    std::deque<platform::Image> known_;
    std::uint64_t changes_ = 0;
};

/// Where `address` lies. Throws SerializationError if it is in no image.
inline CodeAddress code_address_of(const void* address) {
    CodeAddress result;
    const bool found = process_wide<Images>().at(address, [&](const platform::Image& image) {
        result = {image.id, reinterpret_cast<std::uintptr_t>(address) - image.base};
    });
    if (!found) {
        throw SerializationError(
            "multiprocessing: this function is neither in the program nor in a shared library "
            "(made at run time?), so no other process can have it");
    }
    return result;
}

/// What the address means in this process: `bytes` readable bytes of data, or, if `bytes` is 0, code. Throws
/// SerializationError if the image (`file`, where that is known) is not loaded here, or nothing of that kind lies there.
inline const void* resolve(const CodeAddress& address, std::size_t bytes, std::string_view file = {}) {
    const void* result = nullptr;
    bool fits = false;
    const bool loaded = process_wide<Images>().with(address.image, [&](const platform::Image& image) {
        fits = bytes ? platform::lies_in(image.loaded, address.offset, bytes)
                     : platform::lies_in(image.code, address.offset, 1);
        result = reinterpret_cast<const void*>(image.base + address.offset);
    });
    if (!loaded) {
        throw SerializationError(
            "multiprocessing: " +
            (file.empty() ? "the program or library that holds this function" : std::string(file)) +
            " is not loaded in " + platform::program_path().string() +
            ", or is another build there; load a library before freeze_support(), and start "
            "processes from the same build");
    }
    if (!fits) throw SerializationError("multiprocessing: a function reference points outside its image");
    return result;
}

/// The file of the image that holds `address`, for people.
inline std::string image_file(const void* address) {
    std::string file;
    process_wide<Images>().at(address, [&](const platform::Image& image) { file = image.path; });
    return file;
}

} // namespace multiprocessing::inline v1::detail
