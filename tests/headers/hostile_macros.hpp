// SPDX-License-Identifier: BSL-1.0
/// @file hostile_macros.hpp  What <windows.h>, X11, Qt and old code of a user's have defined before they include us.
///
/// Each expands to something that no declaration survives.

#define MP_TEST_HOSTILE ]

// <windows.h> without NOMINMAX
#undef min
#define min(a, b) MP_TEST_HOSTILE
#undef max
#define max(a, b) MP_TEST_HOSTILE

// <windows.h>
#undef small
#define small MP_TEST_HOSTILE
#undef hyper
#define hyper MP_TEST_HOSTILE
#undef interface
#define interface MP_TEST_HOSTILE
#undef near
#define near MP_TEST_HOSTILE
#undef far
#define far MP_TEST_HOSTILE
#undef pascal
#define pascal MP_TEST_HOSTILE
#undef cdecl
#define cdecl MP_TEST_HOSTILE
#undef IN
#define IN MP_TEST_HOSTILE
#undef OUT
#define OUT MP_TEST_HOSTILE
#undef OPTIONAL
#define OPTIONAL MP_TEST_HOSTILE
#undef CONST
#define CONST MP_TEST_HOSTILE
#undef VOID
#define VOID MP_TEST_HOSTILE
#undef ERROR
#define ERROR MP_TEST_HOSTILE
#undef NO_ERROR
#define NO_ERROR MP_TEST_HOSTILE
#undef DELETE
#define DELETE MP_TEST_HOSTILE
#undef SYNCHRONIZE
#define SYNCHRONIZE MP_TEST_HOSTILE
#undef ABSOLUTE
#define ABSOLUTE MP_TEST_HOSTILE
#undef RELATIVE
#define RELATIVE MP_TEST_HOSTILE
#undef INFINITE
#define INFINITE MP_TEST_HOSTILE
#undef CALLBACK
#define CALLBACK MP_TEST_HOSTILE
#undef TRUE
#define TRUE MP_TEST_HOSTILE
#undef FALSE
#define FALSE MP_TEST_HOSTILE
#undef BOOL
#define BOOL MP_TEST_HOSTILE
#undef WAIT_TIMEOUT
#define WAIT_TIMEOUT MP_TEST_HOSTILE
#undef Yield
#define Yield() MP_TEST_HOSTILE
#undef CreateProcess
#define CreateProcess MP_TEST_HOSTILE
#undef CreateEvent
#define CreateEvent MP_TEST_HOSTILE
#undef CreateMutex
#define CreateMutex MP_TEST_HOSTILE
#undef CreateFileMapping
#define CreateFileMapping MP_TEST_HOSTILE
#undef GetCurrentTime
#define GetCurrentTime() MP_TEST_HOSTILE
#undef GetObject
#define GetObject MP_TEST_HOSTILE
#undef GetMessage
#define GetMessage MP_TEST_HOSTILE
#undef SendMessage
#define SendMessage MP_TEST_HOSTILE
#undef GetUserName
#define GetUserName MP_TEST_HOSTILE
#undef RemoveDirectory
#define RemoveDirectory MP_TEST_HOSTILE

// <X11/X.h>, <X11/Xlib.h>
#undef None
#define None MP_TEST_HOSTILE
#undef Bool
#define Bool MP_TEST_HOSTILE
#undef Status
#define Status MP_TEST_HOSTILE
#undef Success
#define Success MP_TEST_HOSTILE
#undef Always
#define Always MP_TEST_HOSTILE
#undef True
#define True MP_TEST_HOSTILE
#undef False
#define False MP_TEST_HOSTILE

// Qt with keywords
#undef signals
#define signals MP_TEST_HOSTILE
#undef slots
#define slots MP_TEST_HOSTILE
#undef emit
#define emit MP_TEST_HOSTILE
#undef foreach
#define foreach MP_TEST_HOSTILE
#undef forever
#define forever MP_TEST_HOSTILE

// <sys/sysmacros.h>, <sys/param.h>, <tchar.h>, and what people write themselves
#undef major
#define major(device) MP_TEST_HOSTILE
#undef minor
#define minor(device) MP_TEST_HOSTILE
#undef MIN
#define MIN(a, b) MP_TEST_HOSTILE
#undef MAX
#define MAX(a, b) MP_TEST_HOSTILE
#undef REQUIRE
#define REQUIRE(x) MP_TEST_HOSTILE
#undef CHECK
#define CHECK(x) MP_TEST_HOSTILE
#undef PROCESS
#define PROCESS MP_TEST_HOSTILE
#undef POOL
#define POOL MP_TEST_HOSTILE
#undef QUEUE
#define QUEUE MP_TEST_HOSTILE
#undef LOG
#define LOG(level) MP_TEST_HOSTILE
#undef DEBUG
#define DEBUG MP_TEST_HOSTILE
#undef INFO
#define INFO MP_TEST_HOSTILE
#undef WARNING
#define WARNING MP_TEST_HOSTILE
#undef _T
#define _T(x) MP_TEST_HOSTILE

// <X11/X.h> and the rest
#undef ParentRelative
#define ParentRelative MP_TEST_HOSTILE
#undef CopyFromParent
#define CopyFromParent MP_TEST_HOSTILE
#undef PointerRoot
#define PointerRoot MP_TEST_HOSTILE
#undef AnyKey
#define AnyKey MP_TEST_HOSTILE
#undef CurrentTime
#define CurrentTime MP_TEST_HOSTILE
#undef NoSymbol
#define NoSymbol MP_TEST_HOSTILE
#undef Above
#define Above MP_TEST_HOSTILE
#undef Below
#define Below MP_TEST_HOSTILE
#undef TopIf
#define TopIf MP_TEST_HOSTILE
#undef BottomIf
#define BottomIf MP_TEST_HOSTILE
#undef Opposite
#define Opposite MP_TEST_HOSTILE
#undef Complex
#define Complex MP_TEST_HOSTILE
#undef Nonconvex
#define Nonconvex MP_TEST_HOSTILE
#undef Convex
#define Convex MP_TEST_HOSTILE
#undef Unsorted
#define Unsorted MP_TEST_HOSTILE
#undef YSorted
#define YSorted MP_TEST_HOSTILE
#undef Expose
#define Expose MP_TEST_HOSTILE
#undef KeyPress
#define KeyPress MP_TEST_HOSTILE
#undef KeyRelease
#define KeyRelease MP_TEST_HOSTILE
#undef FocusIn
#define FocusIn MP_TEST_HOSTILE
#undef FocusOut
#define FocusOut MP_TEST_HOSTILE
#undef NotifyNormal
#define NotifyNormal MP_TEST_HOSTILE
#undef Button1
#define Button1 MP_TEST_HOSTILE
#undef LockMask
#define LockMask MP_TEST_HOSTILE
#undef ControlMask
#define ControlMask MP_TEST_HOSTILE
#undef CursorShape
#define CursorShape MP_TEST_HOSTILE
#undef WhenMapped
#define WhenMapped MP_TEST_HOSTILE
#undef NotUseful
#define NotUseful MP_TEST_HOSTILE
#undef DestroyAll
#define DestroyAll MP_TEST_HOSTILE
#undef RetainPermanent
#define RetainPermanent MP_TEST_HOSTILE
#undef GrayScale
#define GrayScale MP_TEST_HOSTILE
#undef BadValue
#define BadValue MP_TEST_HOSTILE
#undef BadMatch
#define BadMatch MP_TEST_HOSTILE
#undef Alloc
#define Alloc MP_TEST_HOSTILE

// Qt
#undef Q_FOREACH
#define Q_FOREACH(variable, container) MP_TEST_HOSTILE
#undef Q_FOREVER
#define Q_FOREVER MP_TEST_HOSTILE
#undef Q_EMIT
#define Q_EMIT MP_TEST_HOSTILE
#undef Q_OBJECT
#define Q_OBJECT MP_TEST_HOSTILE
#undef Q_SIGNALS
#define Q_SIGNALS MP_TEST_HOSTILE
#undef Q_SLOTS
#define Q_SLOTS MP_TEST_HOSTILE

// AssertMacros.h of macOS
#undef check
#define check(x) MP_TEST_HOSTILE
#undef verify
#define verify(x) MP_TEST_HOSTILE
#undef require
#define require(x, label) MP_TEST_HOSTILE
#undef check_string
#define check_string(x, text) MP_TEST_HOSTILE
#undef verify_action
#define verify_action(x, action) MP_TEST_HOSTILE
#undef require_action
#define require_action(x, label, action) MP_TEST_HOSTILE
#undef require_quiet
#define require_quiet(x, label) MP_TEST_HOSTILE

// <complex.h>, <math.h> as it once was
#undef I
#define I MP_TEST_HOSTILE
#undef complex
#define complex MP_TEST_HOSTILE
#undef imaginary
#define imaginary MP_TEST_HOSTILE
#undef DOMAIN
#define DOMAIN MP_TEST_HOSTILE
#undef SING
#define SING MP_TEST_HOSTILE
#undef OVERFLOW
#define OVERFLOW MP_TEST_HOSTILE
#undef UNDERFLOW
#define UNDERFLOW MP_TEST_HOSTILE
#undef HUGE
#define HUGE MP_TEST_HOSTILE

// <windows.h> and what it includes
#undef PASCAL
#define PASCAL MP_TEST_HOSTILE
#if !defined(_WIN32) // there it is the calling convention of the system, which Boost.WinAPI uses
#undef WINAPI
#define WINAPI MP_TEST_HOSTILE
#endif
#undef STRICT
#define STRICT MP_TEST_HOSTILE
#undef PURE
#define PURE MP_TEST_HOSTILE
#undef THIS
#define THIS MP_TEST_HOSTILE
#undef MAX_PATH
#define MAX_PATH MP_TEST_HOSTILE
#undef CreateFile
#define CreateFile MP_TEST_HOSTILE
#undef CreateNamedPipe
#define CreateNamedPipe MP_TEST_HOSTILE
#undef CreateSemaphore
#define CreateSemaphore MP_TEST_HOSTILE
#undef DeleteFile
#define DeleteFile MP_TEST_HOSTILE
#undef CopyFile
#define CopyFile MP_TEST_HOSTILE
#undef MoveFile
#define MoveFile MP_TEST_HOSTILE
#undef GetCommandLine
#define GetCommandLine MP_TEST_HOSTILE
#undef LoadLibrary
#define LoadLibrary MP_TEST_HOSTILE
#undef GetUserObject
#define GetUserObject MP_TEST_HOSTILE
#undef SetPort
#define SetPort MP_TEST_HOSTILE
#undef StartDoc
#define StartDoc MP_TEST_HOSTILE
#undef INVALID_HANDLE
#define INVALID_HANDLE MP_TEST_HOSTILE
#undef ACCESS_DENIED
#define ACCESS_DENIED MP_TEST_HOSTILE

// <curses.h>
#undef timeout
#define timeout(delay) MP_TEST_HOSTILE
#undef scroll
#define scroll(window) MP_TEST_HOSTILE
#undef getch
#define getch() MP_TEST_HOSTILE
#undef addch
#define addch(letter) MP_TEST_HOSTILE
#undef insch
#define insch(letter) MP_TEST_HOSTILE
#undef delch
#define delch() MP_TEST_HOSTILE
#undef inch
#define inch() MP_TEST_HOSTILE
#undef echochar
#define echochar(letter) MP_TEST_HOSTILE
#undef attron
#define attron(what) MP_TEST_HOSTILE
#undef standout
#define standout() MP_TEST_HOSTILE
#undef border
#define border(a, b, c, d, e, f, g, h) MP_TEST_HOSTILE
#undef hline
#define hline(a, b) MP_TEST_HOSTILE
#undef vline
#define vline(a, b) MP_TEST_HOSTILE
#undef touchline
#define touchline(a, b, c) MP_TEST_HOSTILE
#undef overlay
#define overlay(a, b) MP_TEST_HOSTILE
#undef getyx
#define getyx(window, y, x) MP_TEST_HOSTILE
#undef ERR
#define ERR MP_TEST_HOSTILE
#undef OK
#define OK MP_TEST_HOSTILE
#undef KEY_MIN
#define KEY_MIN MP_TEST_HOSTILE
#undef A_NORMAL
#define A_NORMAL MP_TEST_HOSTILE
#undef COLORS
#define COLORS MP_TEST_HOSTILE
#undef LINES
#define LINES MP_TEST_HOSTILE
#undef COLS
#define COLS MP_TEST_HOSTILE

// <termios.h>, <sys/param.h>, the kernel
#undef ECHO
#define ECHO MP_TEST_HOSTILE
#undef CBAUD
#define CBAUD MP_TEST_HOSTILE
#undef NBBY
#define NBBY MP_TEST_HOSTILE
#undef PAGE_SIZE
#define PAGE_SIZE MP_TEST_HOSTILE
#undef BLOCK_SIZE
#define BLOCK_SIZE MP_TEST_HOSTILE
#undef NAME_MAX
#define NAME_MAX MP_TEST_HOSTILE
#undef ARRAY_SIZE
#define ARRAY_SIZE(x) MP_TEST_HOSTILE
#undef BIT
#define BIT(x) MP_TEST_HOSTILE
#undef container_of
#define container_of(x, y, z) MP_TEST_HOSTILE
#undef likely
#define likely(x) MP_TEST_HOSTILE
#undef unlikely
#define unlikely(x) MP_TEST_HOSTILE
#undef linux
#define linux MP_TEST_HOSTILE
#undef unix
#define unix MP_TEST_HOSTILE
#undef i386
#define i386 MP_TEST_HOSTILE
#undef makedev
#define makedev(a, b) MP_TEST_HOSTILE

// logging and tests
#undef ASSERT
#define ASSERT(x) MP_TEST_HOSTILE
#undef TRACE
#define TRACE(x) MP_TEST_HOSTILE
#undef FATAL
#define FATAL MP_TEST_HOSTILE
#undef NOTICE
#define NOTICE MP_TEST_HOSTILE
#undef VERBOSE
#define VERBOSE MP_TEST_HOSTILE
#undef FAIL
#define FAIL(x) MP_TEST_HOSTILE
#undef SUCCEED
#define SUCCEED() MP_TEST_HOSTILE
#undef EXPECT
#define EXPECT(x) MP_TEST_HOSTILE
#undef TEST
#define TEST(a, b) MP_TEST_HOSTILE
#undef TEST_CASE
#define TEST_CASE(x) MP_TEST_HOSTILE
#undef SECTION
#define SECTION(x) MP_TEST_HOSTILE
#undef WARN
#define WARN(x) MP_TEST_HOSTILE
#undef CAPTURE
#define CAPTURE(x) MP_TEST_HOSTILE
#undef VLOG
#define VLOG(x) MP_TEST_HOSTILE
#undef LOG_INFO
#define LOG_INFO MP_TEST_HOSTILE
#undef LOG_ERR
#define LOG_ERR MP_TEST_HOSTILE
#undef EMPTY
#define EMPTY MP_TEST_HOSTILE
#undef FULL
#define FULL MP_TEST_HOSTILE
#undef IDLE
#define IDLE MP_TEST_HOSTILE
#undef BUSY
#define BUSY MP_TEST_HOSTILE
#undef READY
#define READY MP_TEST_HOSTILE
#undef DONE
#define DONE MP_TEST_HOSTILE
#undef LOCK
#define LOCK MP_TEST_HOSTILE
#undef UNLOCK
#define UNLOCK MP_TEST_HOSTILE
#undef YES
#define YES MP_TEST_HOSTILE
#undef NO
#define NO MP_TEST_HOSTILE
#undef UNUSED
#define UNUSED(x) MP_TEST_HOSTILE
#undef STRINGIFY
#define STRINGIFY(x) MP_TEST_HOSTILE
#undef CONCAT
#define CONCAT(a, b) MP_TEST_HOSTILE
#undef ALIGN
#define ALIGN(x) MP_TEST_HOSTILE
#undef LIKELY
#define LIKELY(x) MP_TEST_HOSTILE
#undef UNLIKELY
#define UNLIKELY(x) MP_TEST_HOSTILE
