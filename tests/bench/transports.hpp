#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file transports.hpp  Ways for bytes to get to another process, as peers of ours: made before a fork, used after it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/interprocess/ipc/message_queue.hpp>

#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

/// This process runs on that processor only; on any if it is negative.
inline void place_on(int cpu) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
        if (cpu < 0 || i == cpu) CPU_SET(i, &allowed);
    }
    ::sched_setaffinity(0, sizeof allowed, &allowed);
}

inline double cpu_seconds() {
    rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Forked processes, killed in the end.
class Children {
public:
    Children() = default;
    Children(const Children&) = delete;
    Children& operator=(const Children&) = delete;
    ~Children() {
        for (const pid_t pid : pids_) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
    }
    template <class Work>
    void start(Work work) {
        const pid_t pid = ::fork();
        if (pid < 0) throw std::runtime_error("no fork");
        if (pid == 0) {
            work();
            ::_exit(0);
        }
        pids_.push_back(pid);
    }

private:
    std::vector<pid_t> pids_;
};

/// An object that forked processes share.
template <class T>
class Shared {
public:
    Shared()
        : object_(new(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                      T()) {}
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { ::munmap(object_, sizeof(T)); }
    T* operator->() const { return object_; }

private:
    T* object_;
};

/// A sem_t, as a lock.
class SemaphoreBody {
public:
    SemaphoreBody() { ::sem_init(&semaphore_->value, 1, 1); }

    struct Guard {
        sem_t* semaphore;
        ~Guard() {
            if (semaphore) ::sem_post(semaphore);
        }
    };
    Guard guard(bool wanted) {
        if (!wanted) return {nullptr};
        ::sem_wait(&semaphore_->value);
        return {&semaphore_->value};
    }

private:
    struct Holder {
        sem_t value;
    };
    Shared<Holder> semaphore_;
};

/// Bytes through a pair of descriptors.
class DescriptorTransport {
public:
    static constexpr bool is_shared = false; // by several at once

    void send(const void* data, std::size_t size) {
        for (const char* at = static_cast<const char*>(data); size > 0;) {
            const ssize_t done = ::write(ends_[1], at, size);
            if (done <= 0) ::_exit(1);
            at += done;
            size -= static_cast<std::size_t>(done);
        }
    }
    void receive(void* data, std::size_t size) {
        for (char* at = static_cast<char*>(data); size > 0;) {
            const ssize_t done = ::read(ends_[0], at, size);
            if (done <= 0) ::_exit(1);
            at += done;
            size -= static_cast<std::size_t>(done);
        }
    }
    ~DescriptorTransport() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }

protected:
    DescriptorTransport() = default;
    int ends_[2];
};

class PipeTransport : public DescriptorTransport {
public:
    explicit PipeTransport(std::size_t) {
        if (::pipe(ends_) != 0) throw std::runtime_error("no pipe");
    }
};

class SocketTransport : public DescriptorTransport {
public:
    explicit SocketTransport(std::size_t) {
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_) != 0) throw std::runtime_error("no sockets");
    }
};

/// Boost's, of 1,000 messages; of large ones 4.
class BoostQueue {
public:
    static constexpr bool is_shared = true;

    explicit BoostQueue(std::size_t size)
        : queue_(boost::interprocess::create_only, name().c_str(), size > 65'536 ? 4 : 1000, size),
          size_(size) {
        boost::interprocess::message_queue::remove(name().c_str()); // no longer needed
    }
    void send(const void* data, std::size_t size) { queue_.send(data, size, 0); }
    void receive(void* data, std::size_t) {
        boost::interprocess::message_queue::size_type received;
        unsigned priority;
        queue_.receive(data, size_, received, priority);
    }

private:
    static std::string name() { return "mp_bench_" + std::to_string(::getpid()); }

    boost::interprocess::message_queue queue_;
    std::size_t size_;
};

/// A word that is handed over by futex calls alone, without spinning: of one long at a time.
class FutexSlot {
public:
    explicit FutexSlot(std::size_t) {}
    void send(const void* data, std::size_t) {
        slot_->value = *static_cast<const long*>(data);
        slot_->full.store(1);
        futex(FUTEX_WAKE, 1);
    }
    void receive(void* data, std::size_t) {
        while (slot_->full.load() == 0) futex(FUTEX_WAIT, 0);
        *static_cast<long*>(data) = slot_->value;
        slot_->full.store(0);
    }

private:
    struct Slot {
        std::atomic<std::uint32_t> full{0};
        long value = 0;
    };
    void futex(int what, unsigned value) {
        ::syscall(SYS_futex, &slot_->full, what, value, nullptr, nullptr, 0);
    }
    Shared<Slot> slot_;
};

} // namespace bench
