// SPDX-License-Identifier: BSL-1.0
/// @file foreign_macros.hpp  What widely used headers define, as they define it, before anything else is included. One set at a
/// time: the standard library has to survive it as well.
#if defined(WITH_QT)
#define signals public
#define slots
#define emit
#define foreach for
#define forever for (;;)
#elif defined(WITH_X11) // X11/X.h and Xlib.h
#define None 0L
#define ParentRelative 1L
#define CopyFromParent 0L
#define Status int
#define Bool int
#define True 1
#define False 0
#define Success 0
#define Always 2
#define Above 0
#define Below 1
#define Complex 0
#define Nonconvex 1
#define Convex 2
#define Unsorted 0
#define Expose 12
#define KeyPress 2
#define FocusIn 9
#define Button1 1
#define LockMask (1 << 1)
#define CursorShape 0
#elif defined(WITH_ASSERTMACROS)
#define check(x) (void)(x)
#define verify(x) (void)(x)
#define require(x, label)                                                                                      \
    if (!(x)) goto label
#elif defined(WITH_WINDOWS)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define ERROR 0
#define interface struct
#define small char
#define near
#define far
#define IN
#define OUT
#define OPTIONAL
#define DELETE 0x10000L
#elif defined(WITH_CURSES)
#define timeout(delay) wtimeout(stdscr, delay)
#define scroll(window) wscrl(window, 1)
#define standout() wstandout(stdscr)
#define border(a, b, c, d, e, f, g, h) wborder(stdscr, a, b, c, d, e, f, g, h)
#define inch() winch(stdscr)
#define OK (0)
#define ERR (-1)
#define TRUE 1
#define FALSE 0
#elif defined(WITH_MISC)
#define I (__extension__ 1.0iF)
#define major(x) gnu_dev_major(x)
#define minor(x) gnu_dev_minor(x)
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define LOG(x) (void)(x)
#define CHECK(x) (void)(x)
#define ASSERT(x) (void)(x)
#define TRACE(x) (void)(x)
#define DEBUG 1
#define INFO 2
#define WARNING 3
#define ERROR 4
#define OK 0
#define PAGE_SIZE 4096
#define BLOCK_SIZE 1024
#define NAME_MAX 255
#endif
