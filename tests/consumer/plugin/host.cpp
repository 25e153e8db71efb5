// SPDX-License-Identifier: BSL-1.0
// A program that uses the library itself, beside a plugin (MP_TEST_PLUGIN) or a shared library that uses it too.
//   test_plugin_host START_METHOD        MP_TEST_LATE in the environment: loads the plugin too late
#include <consumer/plugin/face.hpp>

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

const Face* library_face();

namespace {

#define EXPECT(condition)                                                                                      \
    do {                                                                                                       \
        if (!(condition)) {                                                                                    \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                       \
            std::exit(1);                                                                                      \
        }                                                                                                      \
    } while (false)

const Face* load_plugin() {
#if defined(MP_TEST_PLUGIN)
    void* const handle = ::dlopen(MP_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (!handle) std::fprintf(stderr, "%s\n", ::dlerror());
    EXPECT(handle);
    const Face* (*entry)() = nullptr;
    void* const symbol = ::dlsym(handle, "plugin_face");
    EXPECT(symbol);
    std::memcpy(&entry, &symbol, sizeof entry);
    return entry();
#else
    return nullptr;
#endif
}

/// Each sees what the other started, and each one's functions run in processes of their own.
void share(const Face& other, const char* method) {
    EXPECT(other.logger() == face.logger());
    const int mine = face.start(method);
    const int its = other.start(method);
    if (!its) std::fprintf(stderr, "%s\n", other.last_error());
    EXPECT(mine && its);
    EXPECT(face.has_child(its) && other.has_child(mine));
    EXPECT(face.count_children() == other.count_children());
    EXPECT(face.sum_of_squares(method) == 14);
    const int sum = other.sum_of_squares(method);
    if (!sum) std::fprintf(stderr, "%s\n", other.last_error());
    EXPECT(sum == 14);
    EXPECT(other.release() == -SIGTERM);
    EXPECT(!face.has_child(its));
    EXPECT(face.release() == -SIGTERM);
    EXPECT(other.count_children() == 0);
}

/// What one throws, the other catches by its type.
void catch_from(const Face& other) {
    bool caught = false;
    try {
        other.fail();
    } catch (const mp::WorkerLostError& error) { caught = error.task_index() == 3u; }
    EXPECT(caught);
}

/// Loaded when children had already been told apart from the program: they do not have the plugin.
void refuse(const Face& plugin, const char* method) {
    if (std::strcmp(method, "fork") == 0) return share(plugin, method); // a copy has whatever is loaded
    EXPECT(plugin.sum_of_squares(method) == 0);
    std::printf("pool: %s\n", plugin.last_error());
    std::puts("process: ");
    std::fflush(stdout);
    if (plugin.start(method) == 0) {
        std::puts(plugin.last_error()); // already its server could not start
    } else {
        EXPECT(plugin.wait() == 1); // it said so itself, on standard error
    }
}

} // namespace

int main(int argc, char** argv) {
#if defined(MP_TEST_PLUGIN)
    const bool late = std::getenv("MP_TEST_LATE"); // children have no arguments of the program's
    const Face* const other = late ? nullptr : load_plugin();
#else
    const bool late = false;
    const Face* const other = library_face();
#endif
    mp::freeze_support();
    EXPECT(argc == 2);
    if (late) {
        refuse(*load_plugin(), argv[1]);
    } else {
        share(*other, argv[1]);
        catch_from(*other);
    }
    return 0;
}
