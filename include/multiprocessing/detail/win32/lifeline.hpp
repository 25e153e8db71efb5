#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lifeline.hpp  Win32 twin: a job that ends with its last handle, which is the parent's.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

#include <boost/winapi/jobs.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// A child cannot be started in the job and must not be started suspended: a parent that is killed before it resumes
/// it would leave it so for ever. So the child runs, and first of all waits for a byte on its strand, which the parent
/// writes when the job has it.
/// killed here, before the job has the child: no end to write the byte is left, and the child ends itself.
/// killed here, after it: the job ends the child.
class Lifeline {
public:
    Lifeline() : job_(winapi::CreateJobObjectW(nullptr, nullptr)) {
        if (!job_.valid()) throw_last_error("making a job");
        // Breakaway is for programs that a child starts to outlive us: they have to ask for it by name.
        constexpr winapi::DWORD_ kill_on_job_close = 0x2000;
        constexpr winapi::DWORD_ breakaway_ok = 0x800;
        constexpr int extended_limits = 9;
        JobLimits limits{};
        limits.flags = kill_on_job_close | breakaway_ok;
        using SetInformation = winapi::BOOL_ BOOST_WINAPI_WINAPI_CC(NativeHandle, int, void*, winapi::DWORD_);
        auto* const set = system_function<SetInformation>(L"kernel32.dll", "SetInformationJobObject");
        if (!set || !set(job_.native(), extended_limits, &limits, sizeof limits))
            throw_last_error("setting up a job");
    }

    Handle strand() {
        Pipe pipe = make_pipe();
        go_ = std::move(pipe.writer);
        return std::move(pipe.reader);
    }

    void tie(const Handle&, const Child& child) {
        const Handle go = std::move(go_); // whatever happens: a child that is not told to go gets to know that
        if (!winapi::AssignProcessToJobObject(job_.native(), child.sentinel().native())) {
            const std::error_code error = last_error();
            const Deadline now = Deadline::after(std::chrono::seconds{0});
            if (wait_one(child.sentinel().native(), now)) return; // it needs no job any more
            throw_error(error, "taking process " + std::to_string(child.pid()) + " into our job");
        }
        const std::byte byte{1};
        write_all(go, std::span(&byte, 1));
    }

private:
    Handle job_;
    Handle go_; // of the child that is being started
};

/// Nobody lives to see it: the job takes us along.
inline bool is_gone(const Handle&) { return false; }

inline void hold(const Handle& strand) {
    std::byte byte;
    if (!read_all(strand, std::span(&byte, 1))) exit_now(1);
}

} // namespace multiprocessing::inline v1::detail::platform
