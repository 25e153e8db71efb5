#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file descriptor_room.hpp  Descriptors that go beside the bytes of a socket's message:
/// SCM_RIGHTS.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include <sys/socket.h>

namespace multiprocessing::inline v1::detail::platform {

/// Room for up to `most` of them. Lives as long as the msghdr that refers to it.
template <std::size_t most>
class DescriptorRoom {
public:
    /// Sends them with the message, if there are any.
    void send_with(msghdr& message, std::span<const int> descriptors) noexcept {
        if (descriptors.empty()) return;
        std::memset(control_, 0, sizeof control_);
        message.msg_control = control_;
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }

    /// Makes room in `message`; called before recvmsg().
    void receive_with(msghdr& message) noexcept {
        message.msg_control = control_;
        message.msg_controllen = sizeof control_;
    }
    /// Appends what came; called after recvmsg().
    static void collect(msghdr& message, std::vector<Handle>& handles) {
        for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
            const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            handles.reserve(handles.size() + count); // else a descriptor would be lost without memory
            for (std::size_t i = 0; i < count; ++i) {
                int descriptor;
                std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
                handles.emplace_back(descriptor);
            }
        }
    }

private:
    alignas(cmsghdr) char control_[CMSG_SPACE(most * sizeof(int))];
};

} // namespace multiprocessing::inline v1::detail::platform
