#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file api.hpp  What the twins need of the Win32 interface and Boost.WinAPI does not declare.
///
/// The declarations are those of <windows.h>, with its tags for structures, so a program may
/// include that before or after us. A structure that is needed whole has a copy here: the same
/// layout under a name of ours.

#include <multiprocessing/detail/config.hpp>

#include <cstdint>

#include <boost/winapi/basic_types.hpp>
#include <boost/winapi/dll.hpp>
#include <boost/winapi/get_proc_address.hpp>
#include <boost/winapi/handles.hpp>

extern "C" {

struct _CONSOLE_SCREEN_BUFFER_INFO;
struct _EXCEPTION_POINTERS;
struct _MEMORYSTATUSEX;
struct _OVERLAPPED;
struct _PROC_THREAD_ATTRIBUTE_LIST;
struct _PROCESS_MEMORY_COUNTERS;

BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC
InitializeProcThreadAttributeList(::_PROC_THREAD_ATTRIBUTE_LIST* list, boost::winapi::DWORD_ count,
                                  boost::winapi::DWORD_ flags, boost::winapi::SIZE_T_* size);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC UpdateProcThreadAttribute(
    ::_PROC_THREAD_ATTRIBUTE_LIST* list, boost::winapi::DWORD_ flags, boost::winapi::ULONG_PTR_ attribute,
    void* value, boost::winapi::SIZE_T_ size, void* previous, boost::winapi::SIZE_T_* returned);
BOOST_WINAPI_IMPORT void BOOST_WINAPI_WINAPI_CC
DeleteProcThreadAttributeList(::_PROC_THREAD_ATTRIBUTE_LIST* list);

BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC GetConsoleMode(boost::winapi::HANDLE_ console,
                                                                               boost::winapi::DWORD_* mode);
BOOST_WINAPI_IMPORT boost::winapi::UINT_ BOOST_WINAPI_WINAPI_CC GetConsoleOutputCP(BOOST_WINAPI_DETAIL_VOID);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC SetConsoleMode(boost::winapi::HANDLE_ console,
                                                                               boost::winapi::DWORD_ mode);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC
GetConsoleScreenBufferInfo(boost::winapi::HANDLE_ console, ::_CONSOLE_SCREEN_BUFFER_INFO* info);
BOOST_WINAPI_IMPORT boost::winapi::HANDLE_ BOOST_WINAPI_WINAPI_CC GetStdHandle(boost::winapi::DWORD_ which);
BOOST_WINAPI_IMPORT wchar_t* BOOST_WINAPI_WINAPI_CC GetCommandLineW(BOOST_WINAPI_DETAIL_VOID);
BOOST_WINAPI_IMPORT boost::winapi::HANDLE_ BOOST_WINAPI_WINAPI_CC OpenThread(boost::winapi::DWORD_ access,
                                                                             boost::winapi::BOOL_ inherit,
                                                                             boost::winapi::DWORD_ id);
BOOST_WINAPI_IMPORT boost::winapi::DWORD_ BOOST_WINAPI_WINAPI_CC
GetProcessIdOfThread(boost::winapi::HANDLE_ thread);

BOOST_WINAPI_IMPORT boost::winapi::DWORD_ BOOST_WINAPI_WINAPI_CC
GetActiveProcessorCount(boost::winapi::WORD_ group);
BOOST_WINAPI_IMPORT boost::winapi::DWORD_
    BOOST_WINAPI_WINAPI_CC GetCurrentProcessorNumber(BOOST_WINAPI_DETAIL_VOID);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC GetProcessAffinityMask(
    boost::winapi::HANDLE_ process, boost::winapi::ULONG_PTR_* own, boost::winapi::ULONG_PTR_* all);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC
SetProcessAffinityMask(boost::winapi::HANDLE_ process, boost::winapi::ULONG_PTR_ processors);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC GlobalMemoryStatusEx(::_MEMORYSTATUSEX* status);

BOOST_WINAPI_IMPORT long(BOOST_WINAPI_WINAPI_CC* BOOST_WINAPI_WINAPI_CC SetUnhandledExceptionFilter(
    long(BOOST_WINAPI_WINAPI_CC* filter)(::_EXCEPTION_POINTERS*)))(::_EXCEPTION_POINTERS*);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC
SetThreadStackGuarantee(boost::winapi::ULONG_* size);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC
GetModuleHandleExW(boost::winapi::DWORD_ flags, const wchar_t* name, boost::winapi::HMODULE_* module);
BOOST_WINAPI_IMPORT void* BOOST_WINAPI_WINAPI_CC VirtualAlloc(void* address, boost::winapi::SIZE_T_ size,
                                                              boost::winapi::DWORD_ type,
                                                              boost::winapi::DWORD_ protection);

BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC CancelIoEx(boost::winapi::HANDLE_ file,
                                                                           ::_OVERLAPPED* overlapped);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC
GetOverlappedResult(boost::winapi::HANDLE_ file, ::_OVERLAPPED* overlapped, boost::winapi::DWORD_* count,
                    boost::winapi::BOOL_ wait);
BOOST_WINAPI_IMPORT boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC
GetNamedPipeInfo(boost::winapi::HANDLE_ pipe, boost::winapi::DWORD_* flags, boost::winapi::DWORD_* out,
                 boost::winapi::DWORD_* in, boost::winapi::DWORD_* instances);

// <psapi.h> declares these two without dllimport, and so must we.
boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC K32EnumProcessModules(boost::winapi::HANDLE_ process,
                                                                  boost::winapi::HMODULE_* modules,
                                                                  boost::winapi::DWORD_ size,
                                                                  boost::winapi::DWORD_* needed);
boost::winapi::BOOL_ BOOST_WINAPI_WINAPI_CC K32GetProcessMemoryInfo(boost::winapi::HANDLE_ process,
                                                                    ::_PROCESS_MEMORY_COUNTERS* counters,
                                                                    boost::winapi::DWORD_ size);

} // extern "C"

namespace multiprocessing::inline v1::detail::platform {

namespace winapi = boost::winapi;

inline constexpr winapi::DWORD_ standard_output = static_cast<winapi::DWORD_>(-11);
inline constexpr winapi::DWORD_ standard_error = static_cast<winapi::DWORD_>(-12);

/// CONSOLE_SCREEN_BUFFER_INFO
struct ConsoleScreen {
    winapi::SHORT_ columns, rows;
    winapi::SHORT_ cursor_column, cursor_row;
    winapi::WORD_ attributes;
    winapi::SHORT_ left, top, right, bottom; // of what is seen of it, inclusive
    winapi::SHORT_ most_columns, most_rows;
};

/// JOBOBJECT_EXTENDED_LIMIT_INFORMATION
struct JobLimits {
    std::int64_t process_time, job_time;
    winapi::DWORD_ flags;
    winapi::SIZE_T_ least_working_set, most_working_set;
    winapi::DWORD_ processes;
    winapi::ULONG_PTR_ affinity;
    winapi::DWORD_ priority, scheduling;
    std::uint64_t transfers[6];
    winapi::SIZE_T_ process_memory, job_memory, peak_process_memory, peak_job_memory;
};

/// MEMORYSTATUSEX
struct MemoryStatus {
    winapi::DWORD_ size, load;
    std::uint64_t physical, free_physical, committable, free_committable, address_space, free_address_space,
        extended;
};

/// PROCESS_MEMORY_COUNTERS
struct ProcessMemory {
    winapi::DWORD_ size, faults;
    winapi::SIZE_T_ peak_working_set, working_set, peak_paged, paged, peak_nonpaged, nonpaged, committed,
        peak_committed;
};

/// Returns a function of a system library that this program has loaded, or null: for what not every
/// Windows has, and for what takes an enumeration of <windows.h>, as that cannot be declared
/// without defining it.
template <class Function>
Function* system_function(const wchar_t* library, const char* name) noexcept {
    const winapi::HMODULE_ module = winapi::GetModuleHandleW(library);
    if (!module) return nullptr;
    return reinterpret_cast<Function*>(reinterpret_cast<void*>(winapi::GetProcAddress(module, name)));
}

/// Returns one of our standard streams, or null: not INVALID_HANDLE_VALUE, which to other calls
/// means this very process.
MULTIPROCESSING_INLINE winapi::HANDLE_ standard_handle(winapi::DWORD_ which) noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE winapi::HANDLE_ standard_handle(winapi::DWORD_ which) noexcept {
    const winapi::HANDLE_ handle = GetStdHandle(which);
    return handle == winapi::INVALID_HANDLE_VALUE_ ? nullptr : handle;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
