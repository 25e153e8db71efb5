// SPDX-License-Identifier: BSL-1.0
// Python:
//     class MathsClass:
//         def add(self, x, y): return x + y
//
//     class MyManager(BaseManager): pass
//     MyManager.register("Maths", MathsClass)
//
//     with MyManager() as manager:
//         maths = manager.Maths()
//         print(maths.add(4, 3))

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

class Account { // knows nothing of processes; nothing is registered
public:
    explicit Account(std::string owner) : owner_(std::move(owner)) {}
    long deposit(long amount) { return balance_ += amount; }
    void withdraw(long amount) {
        if (amount > balance_) throw std::invalid_argument(owner_ + " has only " + std::to_string(balance_));
        balance_ -= amount;
    }
    long balance() const { return balance_; }

private:
    std::string owner_;
    long balance_ = 0;
};

void save(mp::managers::Proxy<Account> account) {
    for (int i = 0; i < 100; ++i) account.call<&Account::deposit>(1); // calls of one object run one at a time
}

int main() {
    mp::freeze_support();

    auto manager = mp::Manager();
    auto account = manager.create<Account>("Ada");
    std::vector<mp::Process> savers;
    for (int i = 0; i < 3; ++i) savers.emplace_back(save, account);
    for (mp::Process& p : savers) p.start();
    for (mp::Process& p : savers) p.join();
    std::cout << account.call<&Account::balance>() << '\n';
    try {
        account.call<&Account::withdraw>(1000);
    } catch (const std::invalid_argument& error) { std::cout << error.what() << '\n'; } // as itself
}

// Output:
// 300
// Ada has only 300
