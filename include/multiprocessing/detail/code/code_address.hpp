#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file code_address.hpp  A place in the program or in a shared library, as every process with the
/// same build knows it.

#include <multiprocessing/detail/base/lazy.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// An address as (build, offset): address space randomisation moves images, but not what is in
/// them.
struct CodeAddress {
    platform::ImageId image;
    std::uint64_t offset = 0;
};

/// The images that were asked for so far. Describing one takes microseconds, so it is done once per
/// image.
class Images : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::images;

    /// Returns the image that holds `address`; null if none does. Called with `mutex` held; valid
    /// as long as it is held.
    const platform::Image* at(const void* address) {
        forget_if_changed();
        for (const platform::Image& image : known_) {
            if (image.holds(address)) return &image;
        }
        return keep(platform::image_at(address));
    }

    /// Returns the loaded image of that build; null if it is not loaded. Called with `mutex` held;
    /// valid as long as it is held.
    const platform::Image* with(const platform::ImageId& id) {
        forget_if_changed();
        for (const platform::Image& image : known_) {
            if (image.id == id) return &image;
        }
        return keep(platform::image_with(id));
    }

private:
    void forget_if_changed() {
        const std::uint64_t now = platform::image_changes();
        if (now == changes_) return;
        known_.clear(); // something was loaded or unloaded: addresses may belong to others now
        changes_ = now;
    }
    const platform::Image* keep(std::optional<platform::Image> found) {
        if (!found) return nullptr;
        known_.push_back(std::move(*found));
        return &known_.back();
    }

    std::vector<platform::Image> known_;
    std::uint64_t changes_ = 0;
};

/// Returns the image of the program, which stays loaded: what lies in it is found without a mutex,
/// and without a look at what was loaded since. (That took 300 of the 4,100 instructions of a
/// submission.) Of size 0 if the system does not tell.
inline const platform::Image& program_image() {
    static constinit Lazy<platform::Image> image;
    return image.get([] {
        // A fork takes this mutex: the linker holds a lock meanwhile that would stay so in a copy.
        std::lock_guard lock{process_wide<Images>().mutex};
        return platform::program_image().value_or(platform::Image{});
    });
}

/// Returns where `address` lies. Throws SerializationError if it is in no image.
inline CodeAddress code_address_of(const void* address) {
    const auto offset_in = [&](const platform::Image& image) {
        return CodeAddress{image.id, reinterpret_cast<std::uintptr_t>(address) - image.base};
    };
    if (const platform::Image& program = program_image(); program.holds(address)) return offset_in(program);
    Images& images = process_wide<Images>();
    std::lock_guard lock{images.mutex};
    const platform::Image* const image = images.at(address);
    if (!image) {
        throw SerializationError(
            "multiprocessing: this function is neither in the program nor in a shared library "
            "(code made at run time is in neither), so no other process can have it: pass a function of the "
            "program");
    }
    return offset_in(*image);
}

/// Returns what `offset` means in an image of this process: `bytes` readable bytes of data, or, if
/// `bytes` is 0, code. Throws SerializationError if nothing of that kind lies there.
inline const void* resolve_in(const platform::Image& image, std::uint64_t offset, std::size_t bytes) {
    const bool fits =
        bytes ? platform::lies_in(image.loaded, offset, bytes) : platform::lies_in(image.code, offset, 1);
    if (!fits) throw SerializationError("multiprocessing: a function reference points outside its image");
    return reinterpret_cast<const void*>(image.base + offset);
}

/// Returns what the address means in this process: `bytes` readable bytes of data, or, if `bytes`
/// is 0, code. Throws SerializationError if the image (`file`, where that is known) is not loaded
/// here, or nothing of that kind lies there.
inline const void* resolve(const CodeAddress& address, std::size_t bytes, std::string_view file = {}) {
    if (const platform::Image& program = program_image(); program.size != 0 && program.id == address.image)
        return resolve_in(program, address.offset, bytes);
    Images& images = process_wide<Images>();
    std::lock_guard lock{images.mutex};
    const platform::Image* const image = images.with(address.image);
    if (!image) {
        throw SerializationError(
            "multiprocessing: " +
            (file.empty() ? "the program or library that holds this function" : std::string(file)) +
            " is not loaded in " + platform::program_path().string() +
            ", or is another build there; load a library before freeze_support(), and start "
            "processes from the same build");
    }
    return resolve_in(*image, address.offset, bytes);
}

/// Returns the file of the image that holds `address`, for people.
inline std::string image_file(const void* address) {
    Images& images = process_wide<Images>();
    std::lock_guard lock{images.mutex};
    const platform::Image* const image = images.at(address);
    return image ? image->path : std::string();
}

} // namespace multiprocessing::inline v1::detail
