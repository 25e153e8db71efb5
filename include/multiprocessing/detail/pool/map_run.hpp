#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file map_run.hpp  The loop of a map in a worker: it claims a chunk, calls the function with
/// each item, and commits.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_main.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/pool/worker.hpp>
#include <multiprocessing/detail/types/plain.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A map as a worker has it that helps with it: chunks to be claimed, input to be read. What is
/// done with a chunk is said by what derives from it.
class HelperFrame {
public:
    HelperFrame(Worker& worker, std::uint32_t slot);

    /// Takes the next chunk, if there is one for this worker.
    bool claim();

    std::uint64_t begin() const noexcept { return chunk_->begin.load(std::memory_order_relaxed); }
    std::uint64_t end() const noexcept { return chunk_->end; }
    /// Says which item is next. After a death, the item that is noted is the one that died with its
    /// worker.
    void note(std::uint64_t item) noexcept;
    /// The same for a block of quick ones.
    void note_block(std::uint64_t item) noexcept { note(item | WorkerLine::block_of_items); }

    /// See Worker.
    void require_original() const { worker_.require_original(); }

    template <class T>
    T* plain_input() const noexcept {
        return reinterpret_cast<T*>(input_);
    }
    template <class T>
    T* plain_output() const noexcept {
        return reinterpret_cast<T*>(output_);
    }
    std::span<const std::byte> callable() const noexcept { return bytes(job_.callable); }
    /// Each worker has its own.
    std::span<const LeaseEntry> callable_leases() const noexcept;
    /// An element of an archived input.
    std::span<const std::byte> item(std::uint64_t index) const noexcept;
    std::span<const LeaseEntry> item_leases(std::uint64_t index) const noexcept;

protected:
    /// The chunk was committed: this worker has it no more.
    void has_committed(std::uint64_t tasks);

    Worker& worker_;
    const TaskContext::Scope outer_; // of a map that runs in the caller, maybe inside of a task
    const std::uint32_t index_;
    TaskSlot& slot_;
    MapJob& job_;
    ChunkHead* chunk_ = nullptr;
    TaskWord published_;

private:
    // Where they are here: to look it up for each item takes as long as a quick item.
    std::byte* const input_;
    std::byte* const output_;

    bool claim_in(std::uint64_t from, std::uint64_t to);

    std::span<const std::byte> bytes(const Parcel& parcel) const noexcept;
    template <class T>
    const T& entry(const Parcel& parcel, std::uint64_t index) const noexcept {
        return worker_.view().space().template known<const T>(parcel.block + index * sizeof(T));
    }
};

/// The frame of a map that is done chunk by chunk.
class MapFrame : public HelperFrame {
public:
    using HelperFrame::HelperFrame;

    /// Takes the next chunk, if there is one for this worker.
    bool claim();

    /// The item threw what is being handled. Only the first of a chunk counts. It is told of at
    /// once: if this worker dies with a later item, the earlier one's error still is the one that
    /// the caller gets.
    void fail(std::uint64_t item);
    bool has_failed() const noexcept;
    /// Somebody wants to know which item it is: they are to be noted one by one.
    bool is_asked_for_item() const noexcept { return worker_.context().is_asked(); }

    /// The chunk has been worked through; `results` is the archive of its results, or empty.
    void commit(Writer& results, ResultContext returning);

    /// What is being handled concerns the map as a whole: every chunk that this worker can get, and
    /// one that it has, fails.
    void fail_rest();

private:
    MapChunk& chunk() const noexcept { return static_cast<MapChunk&>(*chunk_); }
};

/// How a map calls its function with one element, which is as it travels.
template <class F, class Element>
struct MapCall {
    using Call = CrossingCall<F, Element>;
    using Returned = typename Call::Returned;
    static constexpr bool ok = Call::ok;

    static decltype(auto) invoke(F& function, Element&& element) {
        std::tuple<Element> arguments{std::move(element)};
        return Call::invoke(function, arguments);
    }
};

/// The same for a starmap: the element is a tuple of arguments.
template <class F, class Element>
struct StarmapCall;
template <class F, class... Argument>
struct StarmapCall<F, std::tuple<Argument...>> {
    using Call = CrossingCall<F, Argument...>;
    using Returned = typename Call::Returned;
    static constexpr bool ok = Call::ok;

    static decltype(auto) invoke(F& function, std::tuple<Argument...>&& element) {
        typename Call::Carried arguments{std::move(element)};
        return Call::invoke(function, arguments);
    }
};

/// How the function of a map meets an element: plain ones lie in the Space as they are, others in
/// archives.
template <class F, class Element, class Called, bool PlainInput>
struct MapElement {
    /// Calls `give(invoke)`, where `invoke()` calls the function with the element and returns what
    /// it returns.
    template <class Give>
    static void apply(HelperFrame& frame, F& function, std::uint64_t item, Give give) {
        if constexpr (PlainInput) {
            const Element& element = frame.plain_input<const Element>()[item];
            if constexpr (std::is_invocable_v<F&, const Element&>) {
                give([&]() -> decltype(auto) { return function(element); });
            } else {
                give([&]() -> decltype(auto) { return Called::invoke(function, Element(element)); });
            }
        } else {
            ReceivedArguments taking{frame.item_leases(item)};
            Reader reader{frame.item(item), &taking};
            Element element = decode<Element>(reader);
            give([&]() -> decltype(auto) { return Called::invoke(function, std::move(element)); });
        }
    }
};

/// The function of a map as a worker has it: read with the first item, as a function that cannot be
/// read fails as an item does.
template <class F>
class ReceivedFunction {
public:
    F& get(const HelperFrame& frame) {
        if (!function_) {
            taking_.emplace(frame.callable_leases());
            Reader reader{frame.callable(), &*taking_};
            function_.emplace(decode<F>(reader));
        }
        return *function_;
    }

private:
    std::optional<F> function_;
    std::optional<ReceivedArguments> taking_;
};

/// All that a helper does for a map that is done chunk by chunk.
template <class F, class Element, class Called, bool PlainInput, bool PlainOutput>
struct MapCode {
    using Returned = typename Called::Returned;
    using Result = std::decay_t<Returned>;
    static constexpr bool gives = !std::is_void_v<Returned>;

    static void run(MapFrame& frame) {
        const platform::UserCode mark;
        ReceivedFunction<F> received;
        bool quick = false; // items of less than 100 ns are noted by blocks of 64
        bool measured = false;
        while (frame.claim()) {
            ResultContext returning;
            Writer results{&returning};
            const std::uint64_t end = frame.end();
            std::uint64_t item = frame.begin();
            while (item < end) {
                try {
                    F& function = received.get(frame);
                    if (!measured) {
                        const std::uint64_t some = std::min<std::uint64_t>(end, item + 16);
                        const std::uint64_t count = some - item;
                        const auto begin = std::chrono::steady_clock::now();
                        for (; item < some; ++item) {
                            frame.note(item);
                            one<true>(frame, function, results, item);
                        }
                        quick =
                            std::chrono::steady_clock::now() - begin < count * std::chrono::nanoseconds{100} &&
                            !frame.is_asked_for_item();
                        measured = true;
                    } else if (quick) {
                        frame.note_block(item);
                        // The loop that the compiler can unroll and vectorize: nothing but the
                        // function is in it.
                        for (const std::uint64_t stop = std::min<std::uint64_t>(end, item + 64); item < stop;
                             ++item) {
                            one<false>(frame, function, results, item);
                        }
                    } else {
                        frame.note(item);
                        one<true>(frame, function, results, item);
                        ++item;
                    }
                } catch (const platform::ThrowProbe&) {
                } catch (...) {
                    if (platform::is_thread_exit()) finish_child(0);
                    frame.fail(item++); // the others are not concerned
                }
            }
            frame.commit(results, std::move(returning));
        }
    }

private:
    /// `Looks`: whether the function has forked. One that is quicker than a fork is not asked.
    template <bool Looks>
    static void one(MapFrame& frame, F& function, Writer& results, std::uint64_t item) {
        MapElement<F, Element, Called, PlainInput>::apply(frame, function, item, [&](auto invoke) {
            if constexpr (!gives) {
                invoke();
                if constexpr (Looks) frame.require_original();
            } else if constexpr (PlainOutput && Looks) {
                const Result result = invoke();
                frame.require_original();
                std::construct_at(frame.plain_output<Result>() + item, result);
            } else if constexpr (PlainOutput) {
                std::construct_at(frame.plain_output<Result>() + item, invoke());
            } else {
                // Once one of the chunk has failed the caller gets an exception, and no results.
                const Result& result = invoke();
                if constexpr (Looks) frame.require_original();
                if (frame.has_failed()) return;
                // As the first few, so the others, about.
                if (item == frame.begin() + 8)
                    results.expect(results.size() / 8 * (frame.end() - frame.begin() + 1));
                encode<Result>(results, result);
            }
        });
    }
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE HelperFrame::HelperFrame(Worker& worker, std::uint32_t slot)
    : worker_(worker),
      outer_(worker.context()),
      index_(slot),
      slot_(worker.view().slot(slot)),
      job_(worker.view().job(slot_)),
      input_(&worker.view().space().known<std::byte>(job_.input.block)),
      output_(&worker.view().space().known<std::byte>(job_.output.block)) {}

MULTIPROCESSING_INLINE bool HelperFrame::claim() {
    worker_.work_above(job_.level);
    const std::uint64_t all = job_.all_chunks();
    const std::uint64_t from = (std::min)(job_.cursor.load(std::memory_order_relaxed), all);
    // The cursor may be ahead of a chunk that was made ready again: the last look is at all of
    // them.
    return claim_in(from, all) || claim_in(0, from);
}

MULTIPROCESSING_INLINE void HelperFrame::note(std::uint64_t item) noexcept {
    worker_.line().item.store(item, std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE std::span<const LeaseEntry> HelperFrame::callable_leases() const noexcept {
    const std::size_t each = static_cast<std::size_t>(job_.callable_leases.bytes / sizeof(LeaseEntry));
    return {&worker_.view().space().known<const LeaseEntry>(job_.callable_leases.block) +
                worker_.index() * each,
            each};
}

MULTIPROCESSING_INLINE std::span<const std::byte> HelperFrame::item(std::uint64_t index) const noexcept {
    const MapItem* const item = &entry<MapItem>(job_.items, index);
    return bytes(job_.input).subspan(item[0].offset, item[1].offset - item[0].offset);
}

MULTIPROCESSING_INLINE std::span<const LeaseEntry>
HelperFrame::item_leases(std::uint64_t index) const noexcept {
    const MapItem* const item = &entry<MapItem>(job_.items, index);
    return {&entry<LeaseEntry>(job_.input_leases, item[0].first_lease),
            static_cast<std::size_t>(item[1].first_lease - item[0].first_lease)};
}

MULTIPROCESSING_INLINE void HelperFrame::has_committed(std::uint64_t tasks) {
    chunk_ = nullptr;
    worker_.count_tasks(tasks);
    // Killed here: the last one to finish is not counted, and the supervisor wakes the caller.
    const bool last = job_.unfinished.fetch_sub(1, std::memory_order_seq_cst) == 1;
    if (last || job_.wake_always.load(std::memory_order_seq_cst)) {
        post(worker_.view().space().parking(), slot_.place);
        worker_.view().tell_if_wanted(index_);
    }
}

MULTIPROCESSING_INLINE bool HelperFrame::claim_in(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) {
        ChunkHead& chunk = worker_.view().chunk(job_, i); // catches up with what was handed out
        const TaskWord word = chunk.cell.load();
        if (word.state != TaskState::ready) continue;
        if (!worker_.may_take(chunk.end - chunk.begin.load(std::memory_order_relaxed))) {
            // Retired, the parent has another one help in its place.
            WorkerLine& line = worker_.line();
            line.left[job_.level].store(line.helping[job_.level].load(std::memory_order_relaxed),
                                        std::memory_order_release);
            return false;
        }
        if (!chunk.cell.claim(word, worker_.name())) continue;
        job_.cursor.store(i + 1, std::memory_order_relaxed);
        chunk_ = &chunk;
        published_ = word;
        // The item first: while the line names another chunk, it says nothing about this one.
        // Killed in between, none of its items was begun.
        note(begin());
        worker_.line().chunk.store(i + 1, std::memory_order_release);
        return true;
    }
    return false;
}

MULTIPROCESSING_INLINE std::span<const std::byte> HelperFrame::bytes(const Parcel& parcel) const noexcept {
    return {&worker_.view().space().known<const std::byte>(parcel.block),
            static_cast<std::size_t>(parcel.bytes)};
}

MULTIPROCESSING_INLINE bool MapFrame::claim() {
    if (!HelperFrame::claim()) return false;
    chunk().result = {}; // a failure stays: of an earlier item, whose worker died with a later one
    worker_.context().enter_items(worker_.line().item, 0, WorkerLine::block_of_items, job_.first_index, 1,
                                  std::chrono::nanoseconds{0}, worker_.line().part);
    return true;
}

MULTIPROCESSING_INLINE void MapFrame::fail(std::uint64_t item) {
    require_original();
    job_.thrown.fetch_add(1, std::memory_order_relaxed);
    if (has_failed()) return;
    const std::vector<std::byte> message =
        bytes_of_failure(capture_current_exception(static_cast<std::size_t>(item)));
    chunk().failure = worker_.hand_over(write_outcome(message, {}), message.size(), {});
    // Killed before this: the parent finds the block in the line, told of nowhere, and the item
    // is lost.
    chunk().failed_item.store(item, std::memory_order_release);
    worker_.has_told();
}

MULTIPROCESSING_INLINE bool MapFrame::has_failed() const noexcept {
    return chunk().failed_item.load(std::memory_order_relaxed) != no_item;
}

MULTIPROCESSING_INLINE void MapFrame::commit(Writer& results, ResultContext returning) {
    require_original();
    // A failure makes the results worthless.
    if (const auto message = results.view();
        !has_failed() && (!message.empty() || !returning.objects.empty())) {
        chunk().result = worker_.hand_over(message, std::move(returning));
    }
    const std::uint64_t tasks = end() - begin();
    worker_.commit(chunk_->cell, published_);
    has_committed(tasks);
}

MULTIPROCESSING_INLINE void MapFrame::fail_rest() {
    for (bool has_chunk = chunk_ || claim(); has_chunk; has_chunk = claim()) {
        fail(begin());
        Writer nothing;
        commit(nothing, {});
    }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
