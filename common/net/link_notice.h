#pragma once
// What the coordinator's end of the link says to a worker's end about the link itself: a message of one frame.
// Not part of the protocol, whose messages have two: the worker's agent, which is the same in every simulation,
// never hears of it. The texts are permanent; an unknown one is ignored.

#include <string_view>

namespace ranktide {

// This connection's key was revoked: nothing that is said with it will be listened to again.
inline constexpr std::string_view kRevokedNotice = "ranktide:revoked";

}  // namespace ranktide
