#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_blocks.hpp  What the server of a SharedMemoryManager keeps: the named blocks that
/// it unlinks at its end.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// After a kill of the server the janitor unlinks them, when all of the tree has gone.
class SharedBlocks {
public:
    using multiprocessing_brief = void;

    SharedBlocks() = default;
    SharedBlocks(const SharedBlocks&) = delete;
    SharedBlocks& operator=(const SharedBlocks&) = delete;
    ~SharedBlocks();

    void adopt(const std::string& name);

private:
    std::vector<shared_memory::SharedMemory> blocks_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <exception>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE SharedBlocks::~SharedBlocks() {
    for (const auto& block : blocks_) {
        try {
            block.unlink();
        } catch (const std::exception&) {} // a client has done it
    }
}

MULTIPROCESSING_INLINE void SharedBlocks::adopt(const std::string& name) {
    blocks_.push_back(shared_memory::SharedMemory(shared_memory::SharedMemoryOptions{.name = name}));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
