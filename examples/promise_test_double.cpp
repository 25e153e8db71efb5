// SPDX-License-Identifier: BSL-1.0
// Python:
//     class FakeExecutor(Executor):
//         def submit(self, fn, /, *args):
//             self.submitted += 1
//             future = Future()
//             future.set_running_or_notify_cancel()
//             try: future.set_result(fn(*args))
//             except Exception as error: future.set_exception(error)
//             return future

#include <multiprocessing/multiprocessing.hpp>

#include <exception>
#include <iostream>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

/// The code that is to be tested: it takes whatever executor it is given.
template <mp::futures::Executor E>
int sum_of_answers(E& executor, const std::vector<int>& questions) {
    const auto answer = [](int question) {
        if (question == 0) throw std::invalid_argument("no question");
        return question * 2;
    };
    std::vector<mp::futures::Future<int>> futures;
    for (const int question : questions) futures.push_back(executor.submit(answer, question));
    int sum = 0;
    for (const auto& future : futures) sum += future.exception() ? 0 : future.result();
    return sum;
}

/// For its tests: an executor without any process or thread, which counts.
class FakeExecutor {
public:
    int submitted = 0;

    template <class Function, class... Arguments>
    auto submit(Function&& function, Arguments&&... arguments) {
        using R = std::invoke_result_t<Function, Arguments...>;
        ++submitted;
        mp::futures::Promise<R> promise;
        promise.set_running_or_notify_cancel();
        try {
            promise.set_result(std::forward<Function>(function)(std::forward<Arguments>(arguments)...));
        } catch (...) { promise.set_exception(std::current_exception()); }
        return promise.future();
    }
    bool shutdown() { return true; }
};

int main() {
    mp::freeze_support();

    FakeExecutor fake;
    std::cout << "the fake: " << sum_of_answers(fake, {1, 0, 20}) << " of " << fake.submitted << " calls\n";

    mp::futures::ProcessPoolExecutor real(2);
    std::cout << "processes: " << sum_of_answers(real, {1, 0, 20}) << '\n';
}

// Output:
// the fake: 42 of 3 calls
// processes: 42
