// error: element of std::vector<Account>: Account cannot cross a process boundary \(class with private members or constructors: give it template <class Archive> void serialize\(Archive& ar\) { ar\(member, ...\); }\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <vector>

class Account {
public:
    int balance() const { return balance_; }
#ifdef TWIN
    template <class Archive>
    void serialize(Archive& ar) {
        ar(balance_);
    }
#endif

private:
    int balance_ = 0;
};

int main() { multiprocessing::dumps(std::vector<Account>{}); }
