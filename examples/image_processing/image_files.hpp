#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file image_files.hpp  Reads PPM and PNG files, and makes some.

#include <png.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ios>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fs = std::filesystem;

struct Image {
    std::size_t width = 0, height = 0;
    std::vector<unsigned char> rgb = {};
};
inline Image read_ppm(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    Image image;
    int most = 0;
    file >> magic >> image.width >> image.height >> most;
    file.get();
    if (!file || magic != "P6" || most != 255 || image.width - 1 >= 10'000 || image.height - 1 >= 10'000)
        throw std::runtime_error(path.filename().string() + " is no PPM file");
    image.rgb.resize(3 * image.width * image.height);
    if (!file.read(reinterpret_cast<char*>(image.rgb.data()), static_cast<std::streamsize>(image.rgb.size())))
        throw std::runtime_error(path.filename().string() + " is cut off");
    return image;
}

/// As a hurried programmer writes it: nothing catches the errors of libpng, which calls abort() then.
inline Image read_png(const fs::path& path) {
    std::FILE* const file = std::fopen(path.string().c_str(), "rb");
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_read_png(png, info, PNG_TRANSFORM_STRIP_16 | PNG_TRANSFORM_STRIP_ALPHA | PNG_TRANSFORM_GRAY_TO_RGB,
                 nullptr);
    Image image{png_get_image_width(png, info), png_get_image_height(png, info)};
    png_bytepp rows = png_get_rows(png, info);
    for (std::size_t y = 0; y < image.height; ++y)
        image.rgb.insert(image.rgb.end(), rows[y], rows[y] + 3 * image.width);
    png_destroy_read_struct(&png, &info, nullptr);
    std::fclose(file);
    return image;
}

/// Six images, the last halves of which one PPM and one PNG file lack.
inline void make_images(const fs::path& folder) {
    for (unsigned number = 0; number < 6; ++number) {
        Image image{160 + 16 * number, 120};
        for (unsigned i = 0; i < image.width * image.height; ++i) {
            for (const unsigned c : {1U, 2U, 3U})
                image.rgb.push_back(static_cast<unsigned char>(i % image.width * c * (number + 1) / 3));
        }
        const std::string size = std::to_string(image.width) + " " + std::to_string(image.height);
        const fs::path path = folder / ("image" + std::to_string(number) + (number % 2 ? ".png" : ".ppm"));
        if (number % 2) {
            png_image png{};
            png.version = PNG_IMAGE_VERSION;
            png.width = static_cast<png_uint_32>(image.width);
            png.height = static_cast<png_uint_32>(image.height);
            png.format = PNG_FORMAT_RGB;
            png_image_write_to_file(&png, path.string().c_str(), 0, image.rgb.data(), 0, nullptr);
        } else {
            std::ofstream(path, std::ios::binary)
                << "P6 " << size << " 255\n"
                << std::string_view(reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size());
        }
        if (number >= 4) fs::resize_file(path, fs::file_size(path) / 2);
    }
}
