#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file imap_over.hpp  The input of an imap: read piece by piece, and submitted as maps of one
/// chunk.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/imap_state.hpp>
#include <multiprocessing/detail/pool/map_input.hpp>
#include <multiprocessing/detail/pool/piecewise_input.hpp>
#include <multiprocessing/detail/pool/submission.hpp>
#include <multiprocessing/detail/pool/tape.hpp>
#include <multiprocessing/detail/types/plain.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// An imap of a function over a range, which it holds if it was given as an rvalue.
template <class Types, class Range>
class ImapOver final : public ImapState<typename Types::R> {
    using Base = ImapState<typename Types::R>;
    using Chunk = typename Base::Chunk;
    using Element = typename Types::Element;
    // A vector of bool has no elements side by side.
    static constexpr bool is_plain = is_plain_in_blocks<Element> && !std::is_same_v<Element, bool>;
    /// What the caller has lies side by side: it is copied from there.
    static constexpr bool is_bulk = is_plain && is_plain_input<Element, Range>;

public:
    ImapOver(const Submitter& submitter, ImapPlan plan, const TaskPolicy& policy, typename Types::F function,
             Range&& range)
        : Base(submitter.table(), plan, submitter.most_tasks(), policy),
          submitter_(submitter),
          function_(std::move(function)),
          input_(std::forward<Range>(range)) {}

private:
    /// Reads up to `most` elements, and calls `add(element)` for each; what the input throws, or
    /// the serialization of an element, comes behind the results of those before it.
    template <class Add>
    std::uint64_t read(std::uint64_t most, Add add) {
        std::uint64_t count = 0;
        try {
            while (count < most && !this->should_send(count)) {
                this->exhausted_ = input_.at_end();
                if (this->exhausted_) break;
                add(input_.element());
                ++count;
            }
        } catch (...) {
            this->input_error_ = std::current_exception();
            this->exhausted_ = true;
        }
        return count;
    }

    /// The next of elements that lie side by side.
    std::span<const Element> next_of_bulk(std::uint64_t most, std::uint64_t first) {
        const std::span<const Element> all(std::ranges::data(input_.range()),
                                           static_cast<std::size_t>(std::ranges::size(input_.range())));
        const auto rest = all.subspan((std::min)(all.size(), static_cast<std::size_t>(first)));
        this->exhausted_ = rest.size() <= most;
        return rest.first((std::min)(rest.size(), static_cast<std::size_t>(most)));
    }

    std::optional<Chunk> submit(std::uint64_t items, std::uint64_t first_index) override {
        using Reference = std::ranges::range_reference_t<Range>;
        MapPlan plan;
        plan.of_stream = true;
        if constexpr (is_bulk) {
            const auto piece = next_of_bulk(items, first_index);
            if (piece.empty()) return std::nullopt;
            plan.add_plain(piece);
        } else if constexpr (is_plain) {
            elements_.clear();
            if (read(items, [&](Reference&& element) {
                    elements_.push_back(as_element<Element>(std::forward<Reference>(element)));
                }) == 0)
                return std::nullopt;
            plan.add_plain(std::span<const Element>(elements_));
        } else {
            ItemArchive<Element> archive;
            if (read(items, [&](Reference&& element) { archive.add(std::forward<Reference>(element)); }) == 0)
                return std::nullopt;
            plan.add(std::move(archive));
        }
        const std::uint64_t count = plan.items;
        auto work = submitter_.template submit_items<Types, is_plain>(
            function_, plan, {count}, this->attention(), this->policy(), first_index);
        const TapeReader tape{work->chunk(0)};
        const std::byte* const results = plain_results(*work);
        return Chunk{std::move(work), tape, results, count, 0, count == items};
    }

    Submitter submitter_;
    typename Types::F function_;
    PiecewiseInput<Range> input_;
    std::vector<std::conditional_t<is_plain, Element, char>> elements_; // of a chunk
};

} // namespace multiprocessing::inline v1::detail
