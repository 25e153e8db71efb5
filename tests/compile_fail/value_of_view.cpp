// error: .*only a trivially copyable type without pointers, references or views, or a lock-free std::atomic of one, can lie in shared memory: an address means nothing in another process
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/sharedctypes.hpp>

#include <string_view>

class Seconds {
public:
    double count() const { return seconds_; }

private:
    double seconds_ = 0;
};
struct Named {
    int id : 7;
#ifdef TWIN
    Seconds time;
#else
    std::string_view name;
#endif
};

int main() { multiprocessing::RawArray<Named> all(3); }
