// SPDX-License-Identifier: BSL-1.0
// Python:
//     def work(sl):
//         sl[1] = "done"
//         sl[2] += 0.5
//         sl[3] = None
//
//     sl = ShareableList(["job 7", "waiting", 1.5, 42, True, b"\x01\x02"])
//     p = Process(target=work, args=(sl,)); p.start(); p.join()
//     print(sl[0], sl[1], sl[2], sl[3], sl.count(True), sl.index("done"))
//     sl.shm.close(); sl.shm.unlink()

#include <multiprocessing/multiprocessing.hpp>

#include <cstddef>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace mp = multiprocessing;
using mp::shared_memory::ShareableList;

void work(ShareableList& sl) {
    sl.set(1, "done");
    sl.set(2, sl.get<double>(2) + 0.5);
    sl.set(3, nullptr); // of another type than before: None
}

int main() {
    mp::freeze_support();

    ShareableList sl{"job 7", "waiting", 1.5, 42, true, std::vector{std::byte{1}, std::byte{2}}};
    mp::Process p(work, sl);
    p.start();
    p.join();

    std::cout << sl.get<std::string>(0) << ' ' << sl.get<std::string>(1) << ' ' << sl.get<double>(2) << ' '
              << (sl.get<std::optional<int>>(3) ? "a number" : "None") << ' ' << sl.count(true) << ' '
              << sl.index("done") << '\n';

    // The same list, by its name; a Python program finds it so, too: ShareableList(name="...").
    const ShareableList found({.name = sl.shm().name()});
    for (const auto& value : found) std::cout << value.index() << ' '; // which alternative of the variant
    std::cout << found.format() << '\n';

    sl.shm().unlink();
}

// Output:
// job 7 done 2 None 1 1
// 4 4 3 0 1 5 8s8sdxxxxxx?xxxxxxxx?8s
