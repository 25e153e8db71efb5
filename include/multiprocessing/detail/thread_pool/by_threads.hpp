#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file by_threads.hpp  What threads carry out, how it is submitted to them, and the options that
/// they do not have.

#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/piecewise_input.hpp>
#include <multiprocessing/detail/result/result_state.hpp>
#include <multiprocessing/detail/result/result_stream.hpp>
#include <multiprocessing/detail/thread_pool/crew.hpp>
#include <multiprocessing/detail/thread_pool/work.hpp>
#include <multiprocessing/detail/types/fixed_text.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/futures/wait.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Throws for options that end or shape a process.
template <class Options>
void refuse_process_options(const Options& options) {
    const auto refuse = [](bool is_given, const char* option) {
        if (is_given)
            throw std::invalid_argument(std::string("multiprocessing: the option .") + option +
                                        " ends or shapes a process, and here threads work: leave the option "
                                        "out, or take a Pool or a ProcessPoolExecutor");
    };
    look_at_limits(options, refuse);
    look_at_processes(options, refuse);
}

/// The types of a task or map, and why it cannot be.
template <class Function, class ItemOfMap>
struct TypesInThread {
    using F = std::decay_t<Function>;
    using Item = ItemOfMap;
    using R = typename CallInThread<F, Item>::R;
    using Types = TypesInThread;
    static constexpr bool ok = CallInThread<F, Item>::ok;

    static constexpr auto refusal() {
        return detail::fixed_text_of([] {
            TextBuilder text;
            if constexpr (std::is_void_v<Item>) {
                text.add("the items of starmap are tuples, pairs or arrays of arguments");
            } else {
                text.add("the function ").add(type_name<F>());
                text.add(" cannot be called with the elements of ").add(type_name<Item>());
            }
            return text;
        });
    }

    /// Returns a function that all threads call.
    static std::shared_ptr<F> shared(Function&& function) {
        auto shared = std::make_shared<F>(std::forward<Function>(function));
        if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
            if (!*shared)
                throw std::invalid_argument("multiprocessing: the function to be called is a null pointer");
        }
        return shared;
    }
    /// Returns an element as an item; one of a container that was given as an rvalue is moved.
    template <class Range, class Element>
    static Item item_of(Element&& element) {
        if constexpr (std::is_lvalue_reference_v<Element> && !std::is_reference_v<Range> &&
                      !std::ranges::view<Range>) {
            return item_of<Range>(std::move(element));
        } else if constexpr (std::is_constructible_v<Item, Element>) {
            return Item(std::forward<Element>(element));
        } else { // an array
            return std::apply([](auto&&... e) { return Item(std::forward<decltype(e)>(e)...); },
                              std::forward<Element>(element));
        }
    }
};

/// Returns the result of calls that the crew works on from now on.
template <Gives gives, class Types, class... Further>
std::shared_ptr<ResultState<Given<gives, typename Types::R>>>
submit_to(Crew& crew, bool of_stream, std::shared_ptr<typename Types::F> function,
          std::vector<typename Types::Item> items, Further&&... further) {
    const std::size_t count = items.size();
    auto calls = std::make_shared<CallsInThreads<gives, typename Types::F, typename Types::Item>>(
        std::move(function), std::move(items), std::forward<Further>(further)...);
    crew.add(calls, count, of_stream);
    return calls;
}
MULTIPROCESSING_INLINE std::shared_ptr<std::atomic<bool>> stop_of(const MapOptions& options);

/// A map whose results are taken one by one, and whose input is read meanwhile.
template <class Types, class Range>
class StreamFromThreads final : public ResultStream<typename Types::R> {
    using typename ResultStream<typename Types::R>::Value;
    using Result = ResultState<typename Types::R>;

public:
    /// `ahead`: the most items whose results were not taken; 0: all of them.
    StreamFromThreads(std::shared_ptr<Crew> crew, std::shared_ptr<typename Types::F> function, Range&& range,
                      const MapOptions& options, std::size_t ahead, bool ordered)
        : crew_(std::move(crew)),
          function_(std::move(function)),
          input_(std::forward<Range>(range)),
          priority_(options.priority),
          stop_(stop_of(options)),
          ahead_(ahead) {
        if (!ordered) ended_ = std::make_shared<AnyEnded>();
        crew_->enter_stream();
        fill();
    }
    ~StreamFromThreads() override {
        if (crew_->origin().is_here()) abandon();
    }

    void abandon() noexcept override {
        leave_stream();
        for (const auto& [index, result] : results_) result->cancel();
        results_.clear();
    }
    void leave_running() noexcept override {
        leave_stream();
        results_.clear();
    }

private:
    bool has_more() override {
        fill();
        return !results_.empty() || input_error_;
    }
    bool wait_for_next(const Deadline& deadline) override {
        if (results_.empty()) { // what the input threw comes behind all results
            this->take([this]() -> Value { std::rethrow_exception(std::exchange(input_error_, nullptr)); });
            return true;
        }
        auto next = results_.begin();
        if (ended_) {
            const auto ended = ended_->next(deadline);
            if (!ended) return false;
            next = results_.find(*ended);
        }
        if (!next->second->fetch(deadline)) return false;
        const auto result = results_.extract(next);
        this->take([&] { return result.mapped()->move_out(); });
        return true;
    }
    void fill() {
        crew_->origin().require_here("this iterator", "make one here");
        while (!is_exhausted_ && (ahead_ == 0 || results_.size() < ahead_)) {
            try {
                is_exhausted_ = input_.at_end();
                if (!is_exhausted_) submit(Types::template item_of<Range>(input_.element()));
            } catch (...) {
                input_error_ = std::current_exception();
                is_exhausted_ = true;
            }
        }
        if (is_exhausted_) leave_stream();
    }
    /// Ends the stream: all of the input that will be read has been submitted.
    void leave_stream() noexcept {
        is_exhausted_ = true;
        if (std::exchange(is_streaming_, false)) crew_->leave_stream();
    }
    void submit(typename Types::Item item) {
        std::vector<typename Types::Item> items;
        items.push_back(std::move(item));
        const auto result =
            submit_to<Gives::one, Types>(*crew_, true, function_, std::move(items), priority_, stop_);
        results_.emplace_hint(results_.end(), submitted_, result);
        if (ended_) result->when_ready([ended = ended_, index = submitted_] { ended->add(index); });
        ++submitted_;
    }

    const std::shared_ptr<Crew> crew_;
    const std::shared_ptr<typename Types::F> function_;
    PiecewiseInput<Range> input_;
    const Priority priority_;
    const std::shared_ptr<std::atomic<bool>> stop_; // of fail_fast: an item has failed
    const std::size_t ahead_;
    std::shared_ptr<AnyEnded> ended_; // null: in order
    std::map<std::size_t, std::shared_ptr<Result>> results_;
    std::size_t submitted_ = 0;
    std::exception_ptr input_error_;
    bool is_exhausted_ = false;
    bool is_streaming_ = true; // see Admission::enter_stream()
};

/// Returns the item of a starmap; void if an element has no elements.
template <class Element>
constexpr auto starmap_item() {
    if constexpr (is_tuple_like<Element>) {
        using Tuple = decltype(std::tuple_cat(std::declval<Element>()));
        return std::type_identity<typename WithOwnElements<Tuple>::Type>{};
    } else {
        return std::type_identity<void>{};
    }
}

/// What threads carry out: what BasicPool and BasicExecutor ask, in the words of ByProcesses.
struct ByThreads {
    using Workers = Crew;

    template <class Function, class... Arguments>
    using Task = TypesInThread<Function, TaskItem<Arguments...>>;
    template <class Function, class Range>
    using Map = Task<Function, std::ranges::range_value_t<Range>>;
    template <class Function, class Range>
    using Starmap =
        TypesInThread<Function,
                      typename decltype(detail::starmap_item<std::ranges::range_value_t<Range>>())::type>;
    template <class Function, class... Arguments>
    using Initializer = Task<Function, Arguments...>;

    static std::shared_ptr<Crew> workers(CrewRequest request);
    /// Makes a crew each of whose threads calls a copy of `initializer(arguments...)` first.
    template <class Function, class... Arguments>
    static std::shared_ptr<Crew> workers(CrewRequest request, Function&& initializer,
                                         Arguments&&... arguments) {
        using F = std::decay_t<Function>;
        using Item = TaskItem<Arguments...>;
        request.initializer = [function = F(std::forward<Function>(initializer)),
                               item = Item(std::forward<Arguments>(arguments)...)] {
            F called = function;
            Item given = item;
            CallInThread<F, Item>::invoke(called, given);
        };
        return Crew::make(std::move(request));
    }

    template <class Function, class... Arguments>
    static auto submit_task(Crew& crew, const TaskOptions& options, Function&& function,
                            Arguments&&... arguments) {
        using Types = Task<Function, Arguments...>;
        refuse_process_options(options);
        std::vector<typename Types::Item> items;
        items.emplace_back(std::forward<Arguments>(arguments)...);
        return submit_to<Gives::one, Types>(crew, false, Types::shared(std::forward<Function>(function)),
                                            std::move(items), options.priority, nullptr, crew.callbacks());
    }
    template <class Types, Gives gives = Gives::all, class Function, class Range>
    static auto submit_map(Crew& crew, Function&& function, Range&& range, const MapOptions& options) {
        refuse_process_options(options);
        std::vector<typename Types::Item> items;
        for (auto&& element : range)
            items.push_back(Types::template item_of<Range>(std::forward<decltype(element)>(element)));
        return submit_to<gives, Types>(crew, false, Types::shared(std::forward<Function>(function)),
                                       std::move(items), options.priority, stop_of(options), crew.callbacks(),
                                       options.progress);
    }
    template <class Types, class Function, class Range>
    static auto map_items(Crew& crew, Function&& function, Range&& range, const MapOptions& options) {
        const auto result = submit_map<Types, Gives::each>(crew, std::forward<Function>(function),
                                                           std::forward<Range>(range), options);
        result->fetch(Deadline{});
        return result->get_moved();
    }
    template <class Types, class Function, class Range>
    static auto stream(Crew& crew, Function&& function, Range&& range, const MapOptions& options, bool ordered,
                       bool reads_all) {
        refuse_process_options(options);
        crew.require_open(); // before the range is read
        const std::size_t ahead = options.buffersize.value_or(2 * crew.size() * options.chunksize.value_or(1));
        return std::make_unique<StreamFromThreads<Types, Range>>(
            crew.shared_from_this(), Types::shared(std::forward<Function>(function)),
            std::forward<Range>(range), options, reads_all ? 0 : ahead, ordered);
    }
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::shared_ptr<std::atomic<bool>> stop_of(const MapOptions& options) {
    return options.fail_fast ? std::make_shared<std::atomic<bool>>(false) : nullptr;
}

MULTIPROCESSING_INLINE std::shared_ptr<Crew> ByThreads::workers(CrewRequest request) {
    return Crew::make(std::move(request));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
