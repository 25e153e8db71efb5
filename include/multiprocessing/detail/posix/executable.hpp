#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file executable.hpp  POSIX twin: program headers and build-ids of loaded images, from memory.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/program_file.hpp> // for program_to_spawn and command_line

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Finds the linker's build-id among the notes of an image; returns false if there is none.
MULTIPROCESSING_INLINE bool find_build_id(const dl_phdr_info& info, ImageId& id);

/// Returns the id of a file without a build-id: its device, inode, size and time.
MULTIPROCESSING_INLINE ImageId id_of_file(const std::string& path);

MULTIPROCESSING_INLINE Image describe(const dl_phdr_info& info);

/// Returns the first loaded image for which `wanted(image)` holds.
template <class Wanted>
std::optional<Image> find_image(Wanted wanted) {
    struct Search {
        Wanted& wanted;
        std::optional<Image> found;
    } search{wanted, std::nullopt};
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* argument) {
            auto& it = *static_cast<Search*>(argument);
            Image image = describe(*info);
            if (!it.wanted(image)) return 0;
            it.found = std::move(image);
            return 1;
        },
        &search);
    return std::move(search.found);
}

MULTIPROCESSING_INLINE std::optional<Image> image_at(const void* address);

MULTIPROCESSING_INLINE std::optional<Image> image_with(const ImageId& id);

MULTIPROCESSING_INLINE std::optional<Image> program_image();

MULTIPROCESSING_INLINE std::uint64_t image_changes();

MULTIPROCESSING_INLINE void* loaded_function(const char* name) noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES

#include <algorithm>
#include <cstring>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE bool find_build_id(const dl_phdr_info& info, ImageId& id) {
    for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
        const auto& header = info.dlpi_phdr[i];
        if (header.p_type != PT_NOTE) continue;
        const auto* at = reinterpret_cast<const char*>(info.dlpi_addr + header.p_vaddr);
        const auto* const end = at + header.p_memsz;
        const std::size_t padding = header.p_align == 8 ? 8 : 4;
        const auto padded = [&](std::size_t size) { return (size + padding - 1) / padding * padding; };
        while (static_cast<std::size_t>(end - at) >= sizeof(ElfW(Nhdr))) {
            ElfW(Nhdr) note;
            std::memcpy(&note, at, sizeof note);
            const char* const name = at + sizeof note;
            const std::size_t room = static_cast<std::size_t>(end - name);
            const std::size_t description = padded(note.n_namesz);
            if (description > room || padded(note.n_descsz) > room - description) break;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
                std::memcpy(id.bytes.data(), name + description, std::min<std::size_t>(note.n_descsz, 32));
                return true;
            }
            at = name + description + padded(note.n_descsz);
        }
    }
    return false;
}

MULTIPROCESSING_INLINE ImageId id_of_file(const std::string& path) {
    ImageId id;
    struct stat file;
    if (::stat(path.c_str(), &file) == 0) {
        const std::uint64_t parts[4] = {static_cast<std::uint64_t>(file.st_dev),
                                        static_cast<std::uint64_t>(file.st_ino),
                                        static_cast<std::uint64_t>(file.st_size),
                                        static_cast<std::uint64_t>(file.st_mtim.tv_sec) * 1'000'000'000 +
                                            static_cast<std::uint64_t>(file.st_mtim.tv_nsec)};
        std::memcpy(id.bytes.data(), parts, sizeof parts);
    }
    return id;
}

MULTIPROCESSING_INLINE Image describe(const dl_phdr_info& info) {
    Image image;
    image.base = info.dlpi_addr;
    std::uint64_t begin = ~std::uint64_t{0};
    std::uint64_t end = 0;
    for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
        const auto& header = info.dlpi_phdr[i];
        if (header.p_type != PT_LOAD) continue;
        begin = std::min<std::uint64_t>(begin, header.p_vaddr);
        end = std::max<std::uint64_t>(end, header.p_vaddr + header.p_memsz);
    }
    // A program at a fixed address has load address 0 and begins elsewhere: offsets count from its
    // beginning.
    image.base += begin;
    image.size = end - begin;
    for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
        const auto& header = info.dlpi_phdr[i];
        if (header.p_type != PT_LOAD) continue;
        const ImageRange range{header.p_vaddr - begin, header.p_vaddr - begin + header.p_memsz};
        image.loaded.push_back(range);
        if (header.p_flags & PF_X) image.code.push_back(range);
    }
    const bool is_program = !info.dlpi_name || !*info.dlpi_name;
    image.path = is_program ? program_path().string() : info.dlpi_name;
    if (!find_build_id(info, image.id))
        image.id = id_of_file(is_program && linker_start().program.empty() ? "/proc/self/exe" : image.path);
    return image;
}

MULTIPROCESSING_INLINE std::optional<Image> image_at(const void* address) {
    return find_image([&](const Image& image) { return image.holds(address); });
}

MULTIPROCESSING_INLINE std::optional<Image> image_with(const ImageId& id) {
    return find_image([&](const Image& image) { return image.id == id; });
}

MULTIPROCESSING_INLINE std::optional<Image> program_image() {
    return find_image([](const Image&) { return true; }); // the linker names the program first
}

MULTIPROCESSING_INLINE std::uint64_t image_changes() {
    std::uint64_t changes = 0;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* argument) {
            *static_cast<std::uint64_t*>(argument) = info->dlpi_adds + info->dlpi_subs;
            return 1; // the counters stand beside every image: the first will do
        },
        &changes);
    return changes;
}

MULTIPROCESSING_INLINE void* loaded_function(const char* name) noexcept { return ::dlsym(RTLD_DEFAULT, name); }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
