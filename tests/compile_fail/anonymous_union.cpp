// error: field 1 'tagged' of Job: Tagged cannot cross a process boundary \(aggregate with an anonymous union or struct, .*give it template <class Archive> void serialize
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

struct Tagged {
    int kind;
    union {
        int whole;
        float real;
    };
#ifdef TWIN
    template <class Archive>
    void serialize(Archive& ar) {
        ar(kind, whole);
    }
#endif
};
struct Job {
    int id;
    Tagged tagged;
    Tagged more[2];
};

int main() { multiprocessing::dumps(Job{}); }
