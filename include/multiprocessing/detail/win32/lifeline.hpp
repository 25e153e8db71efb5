#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lifeline.hpp  Win32 twin: a job that ends with its last handle, which is the parent's.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <memory>

#include <boost/winapi/jobs.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// Children are born into the job: there is no instant at which one of them is outside of it. (To
/// take them in after their start is too late, even if they wait for that: CreateProcess itself
/// makes them suspended, and a parent that is killed inside of it leaves them suspended forever.
/// Seen once in some hundred random kills.)
class Lifeline {
public:
    Lifeline();

    // spawn() has done it all.
    Strand strand();
    void tie(const Handle&, const Child&) {}

private:
    std::shared_ptr<const Handle> job_;
};

/// A parent that is gone has taken its children along: nobody is left to ask.
inline bool is_gone(const Handle&) { return false; }
inline void hold(const Handle&) {}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/process_wide.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Lifeline::Lifeline()
    : job_(std::make_shared<Handle>(winapi::CreateJobObjectW(nullptr, nullptr))) {
    if (!job_->valid()) throw_last_error("making a job");
    // Breakaway is for programs that a child starts to outlive us: they have to ask for it by
    // name.
    constexpr winapi::DWORD_ kill_on_job_close = 0x2000;
    constexpr winapi::DWORD_ breakaway_ok = 0x800;
    constexpr int extended_limits = 9;
    JobLimits limits{};
    limits.flags = kill_on_job_close | breakaway_ok;
    using SetInformation = winapi::BOOL_ BOOST_WINAPI_WINAPI_CC(NativeHandle, int, void*, winapi::DWORD_);
    auto* const set = system_function<SetInformation>(L"kernel32.dll", "SetInformationJobObject");
    if (!set || !set(job_->native(), extended_limits, &limits, sizeof limits))
        throw_last_error("setting up a job");
    process_wide<JobOfChildren>().set(job_);
}

MULTIPROCESSING_INLINE Strand Lifeline::strand() { return {}; }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
