// SPDX-License-Identifier: BSL-1.0
// Python:
//     @dataclass
//     class Order: customer: str; prices: list[float]; coupon: float | None = None
//
//     class Total: ...                                # any class can be pickled
//
//     with Pool() as pool:
//         print(pool.apply(add_up, (Order("Ada", [10.0, 2.5], coupon=2.0),)).text())

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

// A struct without constructors or private members crosses as it is, as do the standard's containers, optional, variant,
// tuple, unique_ptr, shared_ptr, chrono and path. What cannot cross (a raw pointer, a std::mutex) is an error of
// the compiler that names the member.
struct Order {
    std::string customer;
    std::vector<double> prices;
    std::optional<double> coupon;
};

// A class with private members names those that make up its value, in the manner of Boost.Serialization and cereal.
class Total {
public:
    Total() = default;
    Total(std::string customer, double sum) : customer_(std::move(customer)), sum_(sum) {}
    std::string text() const { return customer_ + " pays " + std::to_string(sum_); }

    template <class Archive>
    void serialize(Archive& archive) {
        archive(customer_, sum_);
    }

private:
    std::string customer_;
    double sum_ = 0;
};

Total add_up(const Order& order) {
    double sum = -order.coupon.value_or(0);
    for (const double price : order.prices) sum += price;
    return {order.customer, sum};
}

int main() {
    mp::freeze_support();

    mp::Pool pool(2);
    const Total total = pool.apply(add_up, Order{.customer = "Ada", .prices = {10.0, 2.5}, .coupon = 2.0});
    std::cout << total.text() << '\n';
}

// Output:
// Ada pays 10.500000
