// SPDX-License-Identifier: BSL-1.0
/// @file hostile_macros.hpp  What <windows.h>, X11, Qt and old code of a user's have defined before they include us.
///
/// Each expands to something that no declaration survives.

#define MP_TEST_HOSTILE ]

// <windows.h> without NOMINMAX
#define min(a, b) MP_TEST_HOSTILE
#define max(a, b) MP_TEST_HOSTILE

// <windows.h>
#define small MP_TEST_HOSTILE
#define hyper MP_TEST_HOSTILE
#define interface MP_TEST_HOSTILE
#define near MP_TEST_HOSTILE
#define far MP_TEST_HOSTILE
#define pascal MP_TEST_HOSTILE
#define cdecl MP_TEST_HOSTILE
#define IN MP_TEST_HOSTILE
#define OUT MP_TEST_HOSTILE
#define OPTIONAL MP_TEST_HOSTILE
#define CONST MP_TEST_HOSTILE
#define VOID MP_TEST_HOSTILE
#define ERROR MP_TEST_HOSTILE
#define NO_ERROR MP_TEST_HOSTILE
#define DELETE MP_TEST_HOSTILE
#define SYNCHRONIZE MP_TEST_HOSTILE
#define ABSOLUTE MP_TEST_HOSTILE
#define RELATIVE MP_TEST_HOSTILE
#define INFINITE MP_TEST_HOSTILE
#define CALLBACK MP_TEST_HOSTILE
#define TRUE MP_TEST_HOSTILE
#define FALSE MP_TEST_HOSTILE
#define BOOL MP_TEST_HOSTILE
#define WAIT_TIMEOUT MP_TEST_HOSTILE
#define Yield() MP_TEST_HOSTILE
#define CreateProcess MP_TEST_HOSTILE
#define CreateEvent MP_TEST_HOSTILE
#define CreateMutex MP_TEST_HOSTILE
#define CreateFileMapping MP_TEST_HOSTILE
#define GetCurrentTime() MP_TEST_HOSTILE
#define GetObject MP_TEST_HOSTILE
#define GetMessage MP_TEST_HOSTILE
#define SendMessage MP_TEST_HOSTILE
#define GetUserName MP_TEST_HOSTILE
#define RemoveDirectory MP_TEST_HOSTILE

// <X11/X.h>, <X11/Xlib.h>
#define None MP_TEST_HOSTILE
#define Bool MP_TEST_HOSTILE
#define Status MP_TEST_HOSTILE
#define Success MP_TEST_HOSTILE
#define Always MP_TEST_HOSTILE
#define True MP_TEST_HOSTILE
#define False MP_TEST_HOSTILE

// Qt with keywords
#define signals MP_TEST_HOSTILE
#define slots MP_TEST_HOSTILE
#define emit MP_TEST_HOSTILE
#define foreach MP_TEST_HOSTILE
#define forever MP_TEST_HOSTILE

// <sys/sysmacros.h>, <sys/param.h>, <tchar.h>, and what people write themselves
#define major(device) MP_TEST_HOSTILE
#define minor(device) MP_TEST_HOSTILE
#define MIN(a, b) MP_TEST_HOSTILE
#define MAX(a, b) MP_TEST_HOSTILE
#define REQUIRE(x) MP_TEST_HOSTILE
#define CHECK(x) MP_TEST_HOSTILE
#define PROCESS MP_TEST_HOSTILE
#define POOL MP_TEST_HOSTILE
#define QUEUE MP_TEST_HOSTILE
#define LOG(level) MP_TEST_HOSTILE
#define DEBUG MP_TEST_HOSTILE
#define INFO MP_TEST_HOSTILE
#define WARNING MP_TEST_HOSTILE
#define _T(x) MP_TEST_HOSTILE
