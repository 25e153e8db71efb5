#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file executable.hpp  Win32 twin: headers of PE images, from memory.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/text.hpp>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/winapi/dll.hpp>
#include <boost/winapi/get_current_process.hpp>

namespace multiprocessing::inline v1::detail::platform {

// What <windows.h> calls IMAGE_FILE_HEADER (with the signature before it), IMAGE_SECTION_HEADER,
// IMAGE_DATA_DIRECTORY and IMAGE_DEBUG_DIRECTORY. The optional header comes in two widths; what is
// asked of it lies as in both.
struct PeFileHeader {
    std::uint32_t signature;
    std::uint16_t machine, sections;
    std::uint32_t time_stamp, symbols, symbol_count;
    std::uint16_t optional_size, flags;
};
struct PeSection {
    char name[8];
    std::uint32_t size, address, file_size, file_position, relocations, lines;
    std::uint16_t relocation_count, line_count;
    std::uint32_t flags;
};
struct PeDirectory {
    std::uint32_t address, size;
};
struct PeDebugEntry {
    std::uint32_t flags, time_stamp;
    std::uint16_t major, minor;
    std::uint32_t type, size, address, file_position;
};

template <class T>
T value_at(std::uintptr_t address) {
    T value;
    std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
    return value;
}

MULTIPROCESSING_INLINE std::string file_of(winapi::HMODULE_ module);

MULTIPROCESSING_INLINE std::filesystem::path program_path();

/// The file of a program that runs can be neither written nor deleted. It can be renamed, and
/// another put in its place: that one is found out by its build.
inline std::filesystem::path program_to_spawn() { return program_path(); }
inline void remember_program() {}
/// A child is never a copy: its libraries are loaded when it has its environment, and read that.
inline void* loaded_function(const char*) noexcept { return nullptr; }

MULTIPROCESSING_INLINE std::vector<std::string> command_line();

/// Finds the linker's build-id, which is where Microsoft's linker puts the id of the .pdb: 16 bytes
/// and a count. False if there is none.
MULTIPROCESSING_INLINE bool find_build_id(std::uintptr_t base, std::uint64_t size, PeDirectory directory,
                                          ImageId& id);

MULTIPROCESSING_INLINE std::optional<Image> describe(std::uintptr_t base);

/// Keeps an image from being unloaded by another thread while it is looked at.
class LoadedImage {
public:
    explicit LoadedImage(const void* address) noexcept;
    LoadedImage(const LoadedImage&) = delete;
    LoadedImage& operator=(const LoadedImage&) = delete;
    ~LoadedImage();

    std::optional<Image> description() const;

private:
    winapi::HMODULE_ module_ = nullptr;
};

MULTIPROCESSING_INLINE std::optional<Image> image_at(const void* address);

MULTIPROCESSING_INLINE std::optional<Image> image_with(const ImageId& id);

MULTIPROCESSING_INLINE std::optional<Image> program_image();

/// Has the loader count its work. Each DLL that contains this library has a count of its own.
class ImageWatch {
public:
    ImageWatch() noexcept;
    ImageWatch(const ImageWatch&) = delete;
    ImageWatch& operator=(const ImageWatch&) = delete;
    ~ImageWatch();

    /// Returns a number that is never that of another DLL's watch.
    static std::uint64_t changes() noexcept;

private:
    using Notification = void BOOST_WINAPI_NTAPI_CC(unsigned long reason, const void* image, void* context);

    static void BOOST_WINAPI_NTAPI_CC count(unsigned long, const void*, void*) noexcept { ++events; }

    static inline std::atomic<std::uint64_t> events = 0; // outlives the watch: asked up to the very end
    void* cookie_ = nullptr;
};

MULTIPROCESSING_INLINE std::uint64_t image_changes();

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cstddef>
#include <functional>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::string file_of(winapi::HMODULE_ module) {
    std::wstring path(260, L'\0');
    for (;;) {
        const std::size_t size =
            winapi::GetModuleFileNameW(module, path.data(), static_cast<winapi::DWORD_>(path.size()));
        if (size < path.size()) return narrow(path.substr(0, size));
        path.resize(path.size() * 2);
    }
}

MULTIPROCESSING_INLINE std::filesystem::path program_path() { return wide(file_of(nullptr)); }

MULTIPROCESSING_INLINE std::vector<std::string> command_line() {
    std::vector<std::string> arguments;
    for (const std::wstring& argument : split_command_line(GetCommandLineW()))
        arguments.push_back(narrow(argument));
    return arguments;
}

MULTIPROCESSING_INLINE bool find_build_id(std::uintptr_t base, std::uint64_t size, PeDirectory directory,
                                          ImageId& id) {
    constexpr std::uint32_t code_view = 2;
    constexpr std::size_t id_size = 20;
    if (directory.address > size || directory.size > size - directory.address) return false;
    for (std::size_t at = 0; at + sizeof(PeDebugEntry) <= directory.size; at += sizeof(PeDebugEntry)) {
        const auto entry = value_at<PeDebugEntry>(base + directory.address + at);
        if (entry.type != code_view || entry.size < 4 + id_size || entry.address == 0) continue;
        if (entry.address > size || entry.size > size - entry.address) continue;
        const std::uintptr_t data = base + entry.address;
        if (std::memcmp(reinterpret_cast<const void*>(data), "RSDS", 4) != 0) continue;
        std::memcpy(id.bytes.data(), reinterpret_cast<const void*>(data + 4), id_size);
        return true;
    }
    return false;
}

MULTIPROCESSING_INLINE std::optional<Image> describe(std::uintptr_t base) {
    constexpr std::uint16_t dos_magic = 0x5A4D;
    constexpr std::uint32_t pe_signature = 0x4550;
    if (value_at<std::uint16_t>(base) != dos_magic) return std::nullopt;
    const std::uintptr_t header = base + value_at<std::uint32_t>(base + 0x3C);
    const auto file = value_at<PeFileHeader>(header);
    if (file.signature != pe_signature) return std::nullopt;
    const std::uintptr_t optional = header + sizeof file;
    const bool wide_addresses = value_at<std::uint16_t>(optional) == 0x20B;
    const auto headers_size = value_at<std::uint32_t>(optional + 60);
    const auto checksum = value_at<std::uint32_t>(optional + 64);

    Image image;
    image.base = base;
    image.size = value_at<std::uint32_t>(optional + 56);
    image.path = file_of(reinterpret_cast<winapi::HMODULE_>(base));
    image.loaded.push_back({0, headers_size});
    for (std::size_t i = 0; i < file.sections; ++i) {
        constexpr std::uint32_t discardable = 0x0200'0000;
        constexpr std::uint32_t executable = 0x2000'0000;
        constexpr std::uint32_t readable = 0x4000'0000;
        const auto section = value_at<PeSection>(optional + file.optional_size + i * sizeof(PeSection));
        const ImageRange range{section.address, std::uint64_t{section.address} + section.size};
        if (!(section.flags & readable) || section.flags & discardable) continue;
        image.loaded.push_back(range);
        if (section.flags & executable) image.code.push_back(range);
    }

    constexpr std::size_t debug = 6; // the directory's number
    const std::uintptr_t directories = optional + (wide_addresses ? 112 : 96);
    const auto directory_count = value_at<std::uint32_t>(directories - 4);
    const bool found =
        directory_count > debug &&
        find_build_id(base, image.size, value_at<PeDirectory>(directories + debug * sizeof(PeDirectory)),
                      image.id);
    if (!found) {
        // Linkers that make the same file from the same input leave out time and sum: then there is
        // but the path.
        const std::uint64_t parts[4] = {file.time_stamp, image.size, checksum,
                                        file.time_stamp || checksum ? 0 : std::hash<std::string>{}(image.path)};
        std::memcpy(image.id.bytes.data(), parts, sizeof parts);
    }
    return image;
}

MULTIPROCESSING_INLINE LoadedImage::LoadedImage(const void* address) noexcept {
    constexpr winapi::DWORD_ from_address = 4;
    if (!address) return; // it would stand for the program
    if (!GetModuleHandleExW(from_address, static_cast<const wchar_t*>(address), &module_)) module_ = nullptr;
}

MULTIPROCESSING_INLINE LoadedImage::~LoadedImage() {
    if (module_) winapi::FreeLibrary(module_);
}

MULTIPROCESSING_INLINE std::optional<Image> LoadedImage::description() const {
    if (!module_) return std::nullopt;
    return describe(reinterpret_cast<std::uintptr_t>(module_));
}

MULTIPROCESSING_INLINE std::optional<Image> image_at(const void* address) {
    return LoadedImage{address}.description();
}

MULTIPROCESSING_INLINE std::optional<Image> image_with(const ImageId& id) {
    const winapi::HANDLE_ self = winapi::GetCurrentProcess();
    std::vector<winapi::HMODULE_> modules(64);
    winapi::DWORD_ bytes = 0;
    for (;;) {
        const std::size_t room = modules.size() * sizeof modules[0];
        if (!K32EnumProcessModules(self, modules.data(), static_cast<winapi::DWORD_>(room), &bytes))
            return std::nullopt;
        modules.resize(bytes / sizeof modules[0]);
        if (bytes <= room) break;
    }
    for (const winapi::HMODULE_ module : modules) {
        if (auto image = image_at(module); image && image->id == id) return image;
    }
    return std::nullopt;
}

MULTIPROCESSING_INLINE std::optional<Image> program_image() {
    return image_at(winapi::GetModuleHandleW(nullptr));
}

MULTIPROCESSING_INLINE ImageWatch::ImageWatch() noexcept {
    // Documented, but in no header. Should it be missing one day, unloaded images are not
    // noticed.
    using Register = long BOOST_WINAPI_NTAPI_CC(unsigned long, Notification*, void*, void**);
    if (auto* const watch = system_function<Register>(L"ntdll.dll", "LdrRegisterDllNotification"))
        watch(0, &count, nullptr, &cookie_);
}

MULTIPROCESSING_INLINE ImageWatch::~ImageWatch() { // before the DLL that contains `count` is unloaded
    using Unregister = long BOOST_WINAPI_NTAPI_CC(void*);
    auto* const unwatch = system_function<Unregister>(L"ntdll.dll", "LdrUnregisterDllNotification");
    if (cookie_ && unwatch) unwatch(cookie_);
}

MULTIPROCESSING_INLINE std::uint64_t ImageWatch::changes() noexcept {
    return (reinterpret_cast<std::uintptr_t>(&events) << 16) + events;
}

MULTIPROCESSING_INLINE std::uint64_t image_changes() {
    static const ImageWatch watch;
    return ImageWatch::changes();
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
