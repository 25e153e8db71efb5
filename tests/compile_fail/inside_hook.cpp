// error: int\* cannot cross a process boundary \(raw pointer:
// lines of GNU: 20
// lines of Clang: 42
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

class Account {
public:
    template <class Archive>
    void serialize(Archive& ar) {
        ar(number_, next_);
    }

private:
    int number_ = 0;
#ifdef TWIN
    int next_ = 0;
#else
    int* next_ = nullptr;
#endif
};

int main() { multiprocessing::dumps(Account{}); }
