#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_memory_manager.hpp  SharedMemoryManager: named shared memory that goes with its
/// manager.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/shared_blocks.hpp>
#include <multiprocessing/managers/base_manager.hpp>
#include <multiprocessing/managers/options.hpp>
#include <multiprocessing/managers/proxy.hpp>
#include <multiprocessing/shareable_list.hpp>
#include <multiprocessing/shareable_value.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <utility>

namespace multiprocessing::inline v1::managers {

/// Makes blocks of shared memory and ShareableLists whose names end with it: by shutdown(), which
/// the destructor calls, or when the process that started it has ended, however that was. Who has a
/// block mapped keeps its memory. Python: `multiprocessing.managers.SharedMemoryManager`.
class SharedMemoryManager : public BaseManager {
public:
    explicit SharedMemoryManager(ManagerOptions options = {})
        : BaseManager(std::move(options), "SharedMemoryManager") {}

    /// Starts the server. Throws ProcessError if it was started before.
    void start();

    /// Makes a block of `size` bytes.
    shared_memory::SharedMemory SharedMemory(std::size_t size) const;
    /// Makes a list of these values.
    shared_memory::ShareableList
    ShareableList(std::initializer_list<shared_memory::ShareableValue> values) const;

private:
    void keep(const shared_memory::SharedMemory& block) const;

    std::optional<Proxy<detail::SharedBlocks>> blocks_;
};

} // namespace multiprocessing::inline v1::managers

#if MULTIPROCESSING_BODIES
#include <multiprocessing/exceptions.hpp>

namespace multiprocessing::inline v1::managers {

MULTIPROCESSING_INLINE void SharedMemoryManager::start() {
    BaseManager::start();
    blocks_ = create<detail::SharedBlocks>();
}

MULTIPROCESSING_INLINE shared_memory::SharedMemory SharedMemoryManager::SharedMemory(std::size_t size) const {
    shared_memory::SharedMemory block(shared_memory::SharedMemoryOptions{.create = true, .size = size});
    keep(block);
    return block;
}

MULTIPROCESSING_INLINE shared_memory::ShareableList
SharedMemoryManager::ShareableList(std::initializer_list<shared_memory::ShareableValue> values) const {
    shared_memory::ShareableList list(values);
    keep(list.shm());
    return list;
}

MULTIPROCESSING_INLINE void SharedMemoryManager::keep(const shared_memory::SharedMemory& block) const {
    try {
        if (!blocks_) throw ProcessError("multiprocessing: the manager was not started: call start() first");
        blocks_->call<&detail::SharedBlocks::adopt>(block.name());
    } catch (...) {
        block.unlink();
        throw;
    }
}

} // namespace multiprocessing::inline v1::managers

#endif // MULTIPROCESSING_BODIES
