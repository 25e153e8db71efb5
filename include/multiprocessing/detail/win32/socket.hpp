#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file socket.hpp  What the twins need of Winsock: TCP. Loaded at the first use, so no program
/// links what it does not need.
///
/// Its headers are not included: they clash with a <windows.h> of the user's that came before.

#include <multiprocessing/detail/base/endpoint.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

#include <boost/winapi/dll.hpp>
#include <boost/winapi/overlapped.hpp>

namespace multiprocessing::inline v1::detail::platform {

using NativeSocket = std::uintptr_t;

/// ADDRINFOA
struct HostAddress {
    int flags, family, type, protocol;
    std::size_t size;
    char* name;
    void* address;
    HostAddress* next;
};

/// WSANETWORKEVENTS
struct SocketEvents {
    long events;
    int errors[10];
};

/// Any socket's address.
struct SocketAddress {
    alignas(8) std::array<std::byte, 128> bytes{};
    int size = 128;
};

/// WSABUF
struct SocketBuffer {
    unsigned long size;
    char* bytes;
};

/// The functions of ws2_32.dll.
class Winsock {
public:
    static constexpr int ipv4 = 2, ipv6 = 23, stream = 1, tcp = 6;
    static constexpr int would_block = 10035;
    static constexpr long on_accept = 8, on_connect = 16;
    static constexpr int connect_bit = 4;

    NativeSocket (*socket)(int, int, int, void*, unsigned, winapi::DWORD_);
    int (*bind)(NativeSocket, const void*, int);
    int (*listen)(NativeSocket, int);
    NativeSocket (*accept)(NativeSocket, void*, int*);
    int (*connect)(NativeSocket, const void*, int);
    int (*set_option)(NativeSocket, int, int, const char*, int);
    int (*name_of)(NativeSocket, void*, int*);
    int (*select_events)(NativeSocket, void*, long);
    int (*events_of)(NativeSocket, void*, SocketEvents*);
    int (*control)(NativeSocket, long, unsigned long*);
    int (*look_up)(const char*, const char*, const HostAddress*, HostAddress**);
    void (*free_addresses)(HostAddress*);
    int (*describe)(const void*, int, char*, winapi::DWORD_, char*, winapi::DWORD_, int);
    int (*send)(NativeSocket, SocketBuffer*, winapi::DWORD_, winapi::DWORD_*, winapi::DWORD_,
                winapi::OVERLAPPED_*, void*);
    int (*last_error)();

    /// Throws `std::system_error` if there is none.
    static const Winsock& get() {
        static const Winsock winsock;
        return winsock;
    }

    [[noreturn]] void fail(const std::string& what) const {
        throw_error({last_error(), std::system_category()}, what);
    }

    /// Makes a socket, as an owned handle: what reads and writes files does so with sockets as
    /// well, and so does what closes them.
    Handle make(int family) const {
        constexpr unsigned overlapped = 1;
        const NativeSocket made = socket(family, stream, tcp, nullptr, 0, overlapped);
        if (made == invalid) fail("making a socket");
        return Handle{reinterpret_cast<NativeHandle>(made)};
    }

    /// Has calls wait, and no event set any more by what happens to it.
    void make_plain(const Handle& handle) const {
        const auto native = native_of(handle);
        select_events(native, nullptr, 0);
        unsigned long off = 0;
        constexpr long non_blocking = static_cast<long>(0x8004667e); // FIONBIO
        control(native, non_blocking, &off);
        const char on[4] = {1, 0, 0, 0};
        set_option(native, tcp, 1, on, sizeof on); // TCP_NODELAY
    }

    static NativeSocket native_of(const Handle& handle) noexcept {
        return reinterpret_cast<NativeSocket>(handle.native());
    }

    static constexpr NativeSocket invalid = ~NativeSocket{0};

private:
    Winsock() {
        if (!winapi::LoadLibraryW(L"ws2_32.dll")) throw_last_error("loading ws2_32.dll");
        find(socket, "WSASocketW");
        find(bind, "bind");
        find(listen, "listen");
        find(accept, "accept");
        find(connect, "connect");
        find(set_option, "setsockopt");
        find(name_of, "getsockname");
        find(select_events, "WSAEventSelect");
        find(events_of, "WSAEnumNetworkEvents");
        find(control, "ioctlsocket");
        find(look_up, "getaddrinfo");
        find(free_addresses, "freeaddrinfo");
        find(describe, "getnameinfo");
        find(send, "WSASend");
        find(last_error, "WSAGetLastError");
        int (*start)(winapi::WORD_, void*) = nullptr;
        find(start, "WSAStartup");
        alignas(8) std::array<std::byte, 512> data{}; // WSADATA
        if (const int error = start(0x0202, data.data()))
            throw_error({error, std::system_category()}, "starting Winsock");
    }

    template <class Function>
    static void find(Function*& function, const char* name) {
        function = system_function<Function>(L"ws2_32.dll", name);
        if (!function) throw_last_error(std::string("looking for ") + name + " in ws2_32.dll");
    }
};

inline SocketAddress address_of(const Endpoint& endpoint, bool to_listen) {
    const Winsock& winsock = Winsock::get();
    HostAddress hints{};
    hints.family = endpoint.host.find(':') == std::string::npos ? Winsock::ipv4 : Winsock::ipv6;
    hints.type = Winsock::stream;
    hints.flags = to_listen ? 1 : 0; // AI_PASSIVE
    const char* const host =
        endpoint.host.empty() ? (to_listen ? nullptr : "127.0.0.1") : endpoint.host.c_str();
    HostAddress* found = nullptr;
    const std::string port = std::to_string(endpoint.port);
    if (const int error = winsock.look_up(host, port.c_str(), &hints, &found))
        throw_error({error, std::system_category()}, "looking up the host '" + endpoint.host + "'");
    const std::unique_ptr<HostAddress, void (*)(HostAddress*)> list(found, winsock.free_addresses);
    SocketAddress address;
    address.size = static_cast<int>(list->size);
    std::memcpy(address.bytes.data(), list->address, list->size);
    return address;
}

inline int family_of(const SocketAddress& address) noexcept {
    std::uint16_t family;
    std::memcpy(&family, address.bytes.data(), sizeof family);
    return family;
}

inline Endpoint endpoint_of(const SocketAddress& address) {
    char host[1025] = "";
    char port[32] = "0";
    constexpr int numeric = 2 | 8; // NI_NUMERICHOST, NI_NUMERICSERV
    Winsock::get().describe(address.bytes.data(), address.size, host, sizeof host, port, sizeof port, numeric);
    return {{}, host, std::atoi(port)};
}

} // namespace multiprocessing::inline v1::detail::platform
