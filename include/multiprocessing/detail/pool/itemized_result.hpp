#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file itemized_result.hpp  What came of a map that is done item by item: of each item, and as
/// the result of the whole.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/pool/itemized_work.hpp>
#include <multiprocessing/detail/pool/result.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>
#include <multiprocessing/detail/types/plain.hpp>
#include <multiprocessing/pool/outcome.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Reads what came of an item. `plain` is where plain results lie. Throws what decoding throws.
template <class R>
Outcome<R> read_item(const ItemOutcome& outcome, const std::byte* plain, std::uint64_t item) {
    if (outcome.kind == ItemOutcome::lost) return Outcome<R>(outcome.error);
    if (outcome.kind == ItemOutcome::thrown) return Outcome<R>(rebuild(failure_of(outcome.record->message())));
    if constexpr (std::is_void_v<R>) {
        return Outcome<R>();
    } else if constexpr (is_plain_in_blocks<R>) {
        return Outcome<R>(reinterpret_cast<const R*>(plain)[item]);
    } else {
        ReceivedResult received{outcome.record->block};
        Reader reader{outcome.record->message(), &received};
        R result = decode<R>(reader);
        reader.finish();
        return Outcome<R>(std::move(result));
    }
}
/// Where plain results lie; null if there are none.
MULTIPROCESSING_INLINE const std::byte* plain_results(const ItemizedMapWork& work);

/// Of a map whose items have limits, retries or the like; E is what the function gives for an item.
template <class E>
class ItemizedMapResult final : public PooledMapResult<E, ItemizedMapWork> {
    using Base = PooledMapResult<E, ItemizedMapWork>;

public:
    using Base::Base;
    using typename Base::Value;

private:
    Value read_from(Work& ended) override {
        auto& work = static_cast<ItemizedMapWork&>(ended);
        const bool is_all_plain = work.is_all_plain();
        if (!is_all_plain) {
            if (const std::exception_ptr error = work.first_error()) {
                work.set_read();
                std::rethrow_exception(error);
            }
        }
        work.set_read();
        if constexpr (std::is_void_v<E>) {
            return {};
        } else {
            const std::byte* const plain = plain_results(work);
            if constexpr (is_plain_in_blocks<E>) {
                const auto* const results = reinterpret_cast<const E*>(plain);
                return Value(results, results + work.items()); // the one copy out
            } else {
                Value results;
                results.reserve(static_cast<std::size_t>(work.items()));
                work.for_each([&](std::uint64_t item, const ItemOutcome& outcome) {
                    results.push_back(*read_item<E>(outcome, plain, item));
                });
                return results;
            }
        }
    }
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/space/process_tree.hpp>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE const std::byte* plain_results(const ItemizedMapWork& work) {
    const Position output = work.job().output.block;
    return output ? &tree().space.at<const std::byte>(output) : nullptr;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
