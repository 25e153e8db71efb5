#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file map_input.hpp  A map before it is announced: its input in the Space, its chunks cut, room
/// for its results.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/lease_array.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/detail/shared_object/message_contexts.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/types/plain.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <ranges>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Bytes copied into a block of this process's heap.
MULTIPROCESSING_INLINE Block copy_to_space(std::span<const std::byte> bytes);

/// The sizes of chunks: as told, or guided: what is left / (2 x workers), down to one item. A
/// million items on two workers are some 50 chunks, and no worker waits for another at the end for
/// longer than one item takes. A worker that is to be replaced after so many tasks gets no larger
/// chunk than that.
MULTIPROCESSING_INLINE std::vector<std::uint64_t> cut(std::uint64_t items, std::uint64_t chunksize,
                                                      std::uint32_t workers, std::uint64_t most);

/// Elements that lie in the Space already: shared_vector.
template <class Range>
concept InPlace = requires { typename std::remove_cvref_t<Range>::multiprocessing_in_place; };

/// An item of a range as it travels. A pair, tuple or array becomes the tuple of arguments.
template <class Element, class Given>
Element as_element(Given&& given) {
    if constexpr (std::is_convertible_v<Given, Element>) {
        return std::forward<Given>(given);
    } else {
        return [&]<std::size_t... Index>(std::index_sequence<Index...>) {
            return Element{
                std::tuple_element_t<Index, Element>(std::get<Index>(std::forward<Given>(given)))...};
        }(std::make_index_sequence<std::tuple_size_v<Element>>{});
    }
}

/// Whether the elements of the range lie in shared memory as the function wants them, or can be
/// copied there as a whole.
template <class Element, class Range>
inline constexpr bool is_plain_input =
    std::is_same_v<Element, std::ranges::range_value_t<Range>> &&
    // In place, they lie as they are whatever they are.
    (InPlace<Range> ||
     (std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range> && is_plain_in_blocks<Element>));

/// Elements as an archive that can be read from any element on; written one by one.
template <class Element>
class ItemArchive {
public:
    ItemArchive() = default;
    ItemArchive(const ItemArchive&) = delete;
    ItemArchive& operator=(const ItemArchive&) = delete;

    std::size_t items() const noexcept { return places_.size(); }
    /// As many will come.
    void expect(std::size_t count) {
        expected_ = count;
        places_.reserve(count + 1);
    }
    /// If it throws, the element is not there.
    template <class Given>
    void add(Given&& element) {
        // As the first few, so the others, about.
        if (places_.size() == 8 && expected_ > 8)
            writer_.expect(writer_.size() / 8 * (expected_ + expected_ / 16));
        places_.push_back({writer_.size(), context_.objects.size()});
        ScopeExit taken_back{[this] { places_.pop_back(); }};
        if constexpr (is_written_as<Element, Given&&>) {
            encode_as_given<Element>(writer_, element);
        } else {
            encode<Element>(writer_, as_element<Element>(std::forward<Given>(element)));
        }
        end_ = {writer_.size(), context_.objects.size()};
        taken_back.release();
        // A range of rvalues, as one of move iterators is, gives its elements away one by one.
        if constexpr (!std::is_lvalue_reference_v<Given>) give_away<Given>(std::move(element));
    }

private:
    friend class MapPlan;

    /// Where all elements are, and the end of the last one.
    std::span<const MapItem> finish() {
        places_.push_back(end_);
        return places_;
    }

    ArgumentContext<SpaceWriteContext> context_;
    Writer writer_{&context_};
    std::vector<MapItem> places_;
    MapItem end_{0, 0}; // behind an element that could not be written may be a part of it
    std::size_t expected_ = 0;
};

/// What a map is made of, in blocks of this process's heap.
class MapPlan {
public:
    std::uint64_t items = 0;
    Position attention = 0;        ///< Of an itemized map.
    std::uint64_t first_index = 0; ///< Of its first item, in a larger input.
    bool of_stream = false;        ///< See Admission::enter_stream().
    TaskPolicy policy = {};        ///< Of an itemized map.
    std::uint64_t spares = 0;      ///< Chunks for further attempts.

    /// All elements of a range, by the cheapest way.
    template <class Element, class Range>
    void add_input(Range&& range) {
        if constexpr (!is_plain_input<Element, Range>) {
            add_archive<Element>(range);
        } else if constexpr (InPlace<Range>) {
            refer_to(range);
        } else {
            add_plain(std::span<const Element>(std::ranges::data(range), std::ranges::size(range)));
        }
    }

    /// Plain elements that lie side by side: one copy.
    template <class Element>
    void add_plain(std::span<const Element> elements) {
        items = elements.size();
        input_ = keep(copy_to_space(std::as_bytes(elements)), elements.size_bytes());
    }

    /// Plain elements in the Space: none.
    template <InPlace Vector>
    void refer_to(const Vector& vector) {
        items = vector.size();
        input_ = in_place(vector);
    }

    /// Elements of any other kind.
    template <class Element, class Range>
    void add_archive(Range&& range) {
        ItemArchive<Element> archive;
        if constexpr (std::ranges::sized_range<Range>)
            archive.expect(static_cast<std::size_t>(std::ranges::size(range)));
        for (auto&& element : range) archive.add(std::forward<decltype(element)>(element));
        add(std::move(archive));
    }

    template <class Element>
    void add(ItemArchive<Element>&& archive) {
        items = archive.items();
        const std::span<const MapItem> list = archive.finish();
        const std::span<const std::byte> message = archive.writer_.view();
        input_ = keep(copy_to_space(message), message.size());
        places_ = keep(copy_to_space(std::as_bytes(list)), list.size_bytes());
        std::move(archive.context_.blocks.begin(), archive.context_.blocks.end(), std::back_inserter(blocks_));
        input_objects_ = std::move(archive.context_.objects);
    }

    /// Room for plain results.
    void make_room(std::uint64_t bytes);
    /// The elements of `results` are it.
    template <InPlace Vector>
    void make_room_in(Vector& results) {
        results.resize(static_cast<std::size_t>(items));
        output_ = in_place(results);
    }

    template <class F>
    void add_callable(const F& function) {
        ArgumentContext<SpaceWriteContext> context;
        Writer writer{&context};
        encode_function<F>(writer, function);
        const auto message = writer.view();
        callable_ = keep(copy_to_space(message), message.size());
        std::move(context.blocks.begin(), context.blocks.end(), std::back_inserter(blocks_));
        callable_objects_ = std::move(context.objects);
    }

    /// Puts it all together, for `workers` helpers.
    template <class Work>
    void fill(Work& work, const std::vector<std::uint64_t>& sizes, std::uint32_t workers,
              std::uint64_t pool_holder) {
        using Chunk = typename Work::Chunk;
        Space& space = tree().space;
        const Parcel chunks = keep(Block{tree().heap.allocate((sizes.size() + spares) * sizeof(Chunk))},
                                   (sizes.size() + spares) * sizeof(Chunk));
        auto* chunk = &space.at<Chunk>(chunks.block);
        std::uint64_t begin = 0;
        for (const std::uint64_t size : sizes) {
            make_chunk(chunk, begin, begin + size);
            chunk->cell.publish({}); // nobody looks at it before the map is announced
            begin += size;
            ++chunk;
        }
        for (std::uint64_t i = 0; i < spares; ++i) make_chunk(chunk++, 0, 0);
        work.callable_given = LeaseArray(std::move(callable_objects_), workers, pool_holder);
        work.input_given = LeaseArray(std::move(input_objects_), 1, pool_holder);
        const Parcel job = keep(Block{tree().heap.allocate(sizeof(MapJob))}, sizeof(MapJob));
        work.set_job(*new (&space.at<MapJob>(job.block)) MapJob{callable_,
                                                                work.callable_given.parcel(),
                                                                input_,
                                                                places_,
                                                                work.input_given.parcel(),
                                                                output_,
                                                                chunks.block,
                                                                sizes.size(),
                                                                spares,
                                                                sizeof(Chunk),
                                                                attention,
                                                                first_index,
                                                                limit_in_job(policy),
                                                                policy.level,
                                                                policy.is_watched(),
                                                                policy.fail_fast,
                                                                {},
                                                                0,
                                                                sizes.size(),
                                                                0,
                                                                0});
        job_ = job;
        work.blocks = std::move(blocks_);
        work.objects = std::move(objects_);
    }

    const Parcel& job() const noexcept { return job_; }

private:
    static std::uint64_t limit_in_job(const TaskPolicy& policy) noexcept {
        return static_cast<std::uint64_t>(policy.time_limit.count());
    }
    static void make_chunk(MapChunk* chunk, std::uint64_t begin, std::uint64_t end);
    static void make_chunk(ItemizedChunk* chunk, std::uint64_t begin, std::uint64_t end);

    /// Where the elements are. They stay there as long as the map's work lasts, whatever becomes of
    /// the vector.
    template <class Vector>
    Parcel in_place(const Vector& vector) {
        ArgumentContext<> giving;
        vector.export_to(giving);
        objects_.push_back(std::move(giving.objects.front()));
        const auto elements = vector.span();
        return {tree().space.position_of(elements.data()), elements.size_bytes()};
    }

    Parcel keep(Block block, std::uint64_t bytes);

    std::vector<Block> blocks_;
    std::vector<std::shared_ptr<SharedObject>> objects_;
    Parcel callable_;
    Parcel input_;
    Parcel places_;
    Parcel output_;
    Parcel job_;
    std::vector<std::shared_ptr<SharedObject>> callable_objects_;
    std::vector<std::shared_ptr<SharedObject>> input_objects_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <cstring>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE Block copy_to_space(std::span<const std::byte> bytes) {
    Block block{tree().heap.allocate(std::max<std::size_t>(bytes.size(), 1))};
    if (!bytes.empty()) std::memcpy(&tree().space.at<std::byte>(block.position()), bytes.data(), bytes.size());
    return block;
}

MULTIPROCESSING_INLINE std::vector<std::uint64_t> cut(std::uint64_t items, std::uint64_t chunksize,
                                                      std::uint32_t workers, std::uint64_t most) {
    std::vector<std::uint64_t> sizes;
    if (chunksize) {
        sizes.assign(static_cast<std::size_t>(items / chunksize + (items % chunksize ? 1 : 0)), chunksize);
        if (items % chunksize) sizes.back() = items % chunksize;
        return sizes;
    }
    while (items > 0) {
        std::uint64_t size = std::max<std::uint64_t>(1, items / (2 * std::uint64_t{workers}));
        if (most) size = (std::min)(size, most);
        sizes.push_back(size);
        items -= size;
    }
    return sizes;
}

MULTIPROCESSING_INLINE void MapPlan::make_room(std::uint64_t bytes) {
    output_ = keep(Block{tree().heap.allocate(std::max<std::uint64_t>(bytes, 1))}, bytes);
}

MULTIPROCESSING_INLINE void MapPlan::make_chunk(MapChunk* chunk, std::uint64_t begin, std::uint64_t end) {
    new (chunk) MapChunk{{{}, {begin}, end}, {}, {}, {no_item}};
}

MULTIPROCESSING_INLINE void MapPlan::make_chunk(ItemizedChunk* chunk, std::uint64_t begin, std::uint64_t end) {
    new (chunk) ItemizedChunk{{{}, {begin}, end}, begin, {}, 1, {ItemizedChunk::at(begin, false)}, {}, {}};
}

MULTIPROCESSING_INLINE Parcel MapPlan::keep(Block block, std::uint64_t bytes) {
    blocks_.push_back(std::move(block));
    return {blocks_.back().position(), bytes};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
