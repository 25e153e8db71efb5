#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process.hpp  Win32 twin: CreateProcess with a list of the handles to inherit.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/win32/text.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/winapi/access_rights.hpp>
#include <boost/winapi/error_codes.hpp>
#include <boost/winapi/file_management.hpp>
#include <boost/winapi/get_process_times.hpp>
#include <boost/winapi/handle_info.hpp>
#include <boost/winapi/process.hpp>

namespace multiprocessing::inline v1::detail::platform {

class Child {
public:
    Child() noexcept = default;
    explicit Child(int);
    Child(int pid, Handle process) noexcept : pid_(pid), sentinel_(std::move(process)) {}

    int pid() const noexcept { return pid_; }
    const Handle& sentinel() const noexcept { return sentinel_; }

    std::optional<Ending> poll();

    void interrupt();
    void terminate() { end_by(sigterm); }
    void kill() { end_by(sigkill); }

    void discard() noexcept;

    std::optional<std::chrono::microseconds> cpu_time() const noexcept;

private:
    // The exit code of a process that we end: this, plus the signal that POSIX would have sent.
    static constexpr winapi::DWORD_ ended_by_signal = 0x10000;
    static constexpr winapi::DWORD_ sigterm = 15;
    static constexpr winapi::DWORD_ sigkill = 9;

    bool has_ended() const;

    static std::chrono::microseconds duration(const winapi::FILETIME_& time);

    void end_by(winapi::DWORD_ signal);

    int pid_ = 0;
    Handle sentinel_;
    std::optional<Ending> ending_;
};

class SpawnRequest {
public:
    explicit SpawnRequest(std::filesystem::path image) : image_(std::move(image)) {}

    void argument(const std::string& text) { arguments_.push_back(text); }
    /// A handle has the same value in the child as here, so it is a copy whose value nobody else
    /// can use meanwhile.
    std::string pass(const Handle& handle);
    void signal_mask(const SignalMask&) {}
    void variable(const std::string&, const char*) {} // the child sets it by itself

private:
    friend Child spawn(const SpawnRequest& request);

    std::filesystem::path image_;
    std::vector<std::string> arguments_;
    mutable std::vector<Handle> passed_; // until the start: a pipe's end must not stay open for longer
};

/// The job that children are born into, while there is a Lifeline.
class JobOfChildren : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::handles;

    void set(const std::shared_ptr<const Handle>& job);
    std::shared_ptr<const Handle> get();

private:
    std::weak_ptr<const Handle> job_;
};

/// What a child gets at its birth. The values **must** stay where they are until then.
class StartAttributes {
public:
    StartAttributes();
    StartAttributes(const StartAttributes&) = delete;
    StartAttributes& operator=(const StartAttributes&) = delete;
    ~StartAttributes();

    /// Has the child inherit these handles, and no other. They must be inheritable as well.
    void inherit(std::vector<NativeHandle>& handles);
    /// Puts the child into a job, from its first instant on. Windows 10 and later.
    void job(NativeHandle& job) { set(0x2000D, &job, 1); }

    ::_PROC_THREAD_ATTRIBUTE_LIST* native() noexcept;

private:
    static constexpr winapi::DWORD_ most = 2;

    [[noreturn]] static void fail();

    void set(winapi::ULONG_PTR_ attribute, NativeHandle* values, std::size_t count);

    std::vector<std::byte> storage_;
};

/// Returns a copy of one of our standard streams; empty if there is none.
MULTIPROCESSING_INLINE Handle standard_stream(winapi::DWORD_ which);

MULTIPROCESSING_INLINE Handle null_device();

MULTIPROCESSING_INLINE Child spawn(const SpawnRequest& request);

MULTIPROCESSING_INLINE Handle adopt_handle(std::string_view word);

inline bool report_before_exit(bool) noexcept { return false; } // neither tool works here

inline bool is_thread_exit() noexcept { return false; } // threads do not end by unwinding

// ExitProcess would run what DLLs do at their end, in the middle of whatever other threads are at.
[[noreturn]] MULTIPROCESSING_INLINE void exit_now(int code) noexcept;

// The C runtime tells its exit handlers no code.
inline bool exit_interception(void (*)(int)) noexcept { return false; }

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/wait.hpp>

#include <charconv>
#include <cstdint>
#include <mutex>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Child::Child(int) { // what was forked, elsewhere
    throw_error(std::make_error_code(std::errc::operation_not_supported), "Windows cannot fork");
}

MULTIPROCESSING_INLINE std::optional<Ending> Child::poll() {
    if (ending_ || !sentinel_.valid() || !has_ended()) return ending_;
    const NativeHandle process = sentinel_.native();
    winapi::DWORD_ code = 0;
    if (!winapi::GetExitCodeProcess(process, &code))
        throw_last_error("asking how process " + std::to_string(pid_) + " ended");
    winapi::FILETIME_ made{}, ended{}, kernel{}, user{};
    winapi::GetProcessTimes(process, &made, &ended, &kernel, &user);
    ProcessMemory memory{};
    K32GetProcessMemoryInfo(process, reinterpret_cast<::_PROCESS_MEMORY_COUNTERS*>(&memory), sizeof memory);
    const bool by_us = code == (ended_by_signal | sigterm) || code == (ended_by_signal | sigkill);
    const int exitcode = by_us ? -static_cast<int>(code & ~ended_by_signal) : static_cast<int>(code);
    ending_ = Ending{exitcode, memory.peak_working_set, duration(user), duration(kernel)};
    return ending_;
}

MULTIPROCESSING_INLINE void Child::interrupt() {
    if (!sentinel_.valid() || has_ended()) return;
    throw_error(std::make_error_code(std::errc::operation_not_supported),
                "interrupting process " + std::to_string(pid_) +
                    ": Windows sends Ctrl-C to all processes of a console, not to one; use terminate()");
}

MULTIPROCESSING_INLINE void Child::discard() noexcept {
    if (ending_ || !sentinel_.valid()) return;
    winapi::TerminateProcess(sentinel_.native(), ended_by_signal | sigkill);
    ending_ = Ending{};
}

MULTIPROCESSING_INLINE std::optional<std::chrono::microseconds> Child::cpu_time() const noexcept {
    winapi::FILETIME_ made{}, ended{}, kernel{}, user{};
    if (!sentinel_.valid() || !winapi::GetProcessTimes(sentinel_.native(), &made, &ended, &kernel, &user))
        return std::nullopt;
    return duration(user) + duration(kernel);
}

MULTIPROCESSING_INLINE bool Child::has_ended() const {
    return wait_one(sentinel_.native(), Deadline::after(std::chrono::seconds{0}));
}

MULTIPROCESSING_INLINE std::chrono::microseconds Child::duration(const winapi::FILETIME_& time) {
    const std::uint64_t tenths = std::uint64_t{time.dwHighDateTime} << 32 | time.dwLowDateTime;
    return std::chrono::microseconds{tenths / 10};
}

MULTIPROCESSING_INLINE void Child::end_by(winapi::DWORD_ signal) {
    if (ending_ || !sentinel_.valid()) return;
    if (winapi::TerminateProcess(sentinel_.native(), ended_by_signal | signal)) return;
    // Our handle has every right, so a refusal means that it is ending, or has ended, already.
    if (winapi::GetLastError() != winapi::ERROR_ACCESS_DENIED_)
        throw_last_error("ending process " + std::to_string(pid_));
}

MULTIPROCESSING_INLINE std::string SpawnRequest::pass(const Handle& handle) {
    passed_.push_back(handle.duplicate());
    return std::to_string(reinterpret_cast<std::uintptr_t>(passed_.back().native()));
}

MULTIPROCESSING_INLINE void JobOfChildren::set(const std::shared_ptr<const Handle>& job) {
    std::lock_guard lock{mutex};
    job_ = job;
}

MULTIPROCESSING_INLINE std::shared_ptr<const Handle> JobOfChildren::get() {
    std::lock_guard lock{mutex};
    return job_.lock();
}

MULTIPROCESSING_INLINE StartAttributes::StartAttributes() {
    winapi::SIZE_T_ size = 0;
    InitializeProcThreadAttributeList(nullptr, most, 0, &size);
    storage_.resize(size);
    if (!InitializeProcThreadAttributeList(native(), most, 0, &size)) fail();
}

MULTIPROCESSING_INLINE StartAttributes::~StartAttributes() { DeleteProcThreadAttributeList(native()); }

MULTIPROCESSING_INLINE void StartAttributes::inherit(std::vector<NativeHandle>& handles) {
    set(0x20002, handles.data(), handles.size());
}

MULTIPROCESSING_INLINE ::_PROC_THREAD_ATTRIBUTE_LIST* StartAttributes::native() noexcept {
    return reinterpret_cast<::_PROC_THREAD_ATTRIBUTE_LIST*>(storage_.data());
}

MULTIPROCESSING_INLINE void StartAttributes::fail() { throw_last_error("preparing the start of a process"); }

MULTIPROCESSING_INLINE void StartAttributes::set(winapi::ULONG_PTR_ attribute, NativeHandle* values,
                                                 std::size_t count) {
    if (!UpdateProcThreadAttribute(native(), 0, attribute, values, count * sizeof *values, nullptr, nullptr))
        fail();
}

MULTIPROCESSING_INLINE Handle standard_stream(winapi::DWORD_ which) {
    const NativeHandle self = winapi::GetCurrentProcess();
    NativeHandle copy = nullptr; // stays null if there is none, or one that was closed
    winapi::DuplicateHandle(self, standard_handle(which), self, &copy, 0, false,
                            winapi::DUPLICATE_SAME_ACCESS_);
    return Handle{copy};
}

MULTIPROCESSING_INLINE Handle null_device() {
    const NativeHandle device =
        winapi::CreateFileW(L"NUL", winapi::GENERIC_READ_, winapi::FILE_SHARE_READ_ | winapi::FILE_SHARE_WRITE_,
                            nullptr, winapi::OPEN_EXISTING_, 0, nullptr);
    if (device == winapi::INVALID_HANDLE_VALUE_) throw_last_error("opening the null device");
    return Handle{device};
}

MULTIPROCESSING_INLINE Child spawn(const SpawnRequest& request) {
    const Handle input = null_device();
    const Handle output = standard_stream(standard_output);
    const Handle error_output = standard_stream(standard_error);
    std::vector<NativeHandle> inherited;
    for (const Handle* stream : {&input, &output, &error_output}) {
        if (stream->valid()) inherited.push_back(stream->native());
    }
    const std::vector<Handle> passed = std::move(request.passed_);
    for (const Handle& handle : passed) inherited.push_back(handle.native());
    const std::shared_ptr<const Handle> job = process_wide<JobOfChildren>().get();
    NativeHandle native_job = job ? job->native() : nullptr;
    StartAttributes attributes;
    attributes.inherit(inherited);
    if (job) attributes.job(native_job);

    const std::wstring image = request.image_.wstring();
    std::wstring line;
    append_argument(line, image);
    for (const std::string& argument : request.arguments_) append_argument(line, wide(argument));

    winapi::STARTUPINFOEXW_ startup{};
    startup.StartupInfo.cb = sizeof startup;
    startup.StartupInfo.dwFlags = winapi::STARTF_USESTDHANDLES_;
    startup.StartupInfo.hStdInput = input.native();
    startup.StartupInfo.hStdOutput = output.native();
    startup.StartupInfo.hStdError = error_output.native();
    startup.lpAttributeList = attributes.native();
    winapi::PROCESS_INFORMATION_ started{};

    // What is listed must be inheritable, too. It is so during the call only: a program that
    // another thread starts without a list gets whatever is inheritable just then.
    const auto make_inheritable = [&](bool on) {
        for (const NativeHandle handle : inherited)
            winapi::SetHandleInformation(handle, winapi::HANDLE_FLAG_INHERIT_,
                                         on ? winapi::HANDLE_FLAG_INHERIT_ : 0);
    };
    make_inheritable(true);
    const bool success = winapi::CreateProcessW(image.c_str(), line.data(), nullptr, nullptr, true,
                                                winapi::EXTENDED_STARTUPINFO_PRESENT_, nullptr, nullptr,
                                                &startup.StartupInfo, &started);
    const std::error_code error = last_error();
    make_inheritable(false);
    if (!success) throw_error(error, "starting " + narrow(image));
    winapi::CloseHandle(started.hThread);
    return Child{static_cast<int>(started.dwProcessId), Handle{started.hProcess}};
}

MULTIPROCESSING_INLINE Handle adopt_handle(std::string_view word) {
    std::uintptr_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    const auto handle = reinterpret_cast<NativeHandle>(value);
    winapi::DWORD_ flags = 0;
    // A child has its handles inheritable, as they were inherited; so nothing else of its own
    // passes for one.
    if (error != std::errc{} || end != word.data() + word.size() ||
        !winapi::GetHandleInformation(handle, &flags) || !(flags & winapi::HANDLE_FLAG_INHERIT_)) {
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "multiprocessing: '" + std::string(word) + "' is no inherited handle");
    }
    winapi::SetHandleInformation(handle, winapi::HANDLE_FLAG_INHERIT_, 0);
    return Handle{handle};
}

MULTIPROCESSING_INLINE void exit_now(int code) noexcept {
    for (;;) winapi::TerminateProcess(winapi::GetCurrentProcess(), static_cast<winapi::UINT_>(code));
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
