#pragma once
// What the coordinator's end of the link says to a worker's end about the link itself: a message of one frame.
// Not part of the protocol, whose messages have two: the worker's agent, which is the same in every simulation,
// never hears of it. The texts are permanent; an unknown one is ignored.

#include <string_view>

namespace ranktide {

// This connection's key was revoked: nothing that is said with it will be listened to again.
inline constexpr std::string_view kRevokedNotice = "ranktide:revoked";
// Its key has expired: the same, until the key is authorised again.
inline constexpr std::string_view kExpiredNotice = "ranktide:expired";

// What a handshake's refusal says, as the ZAP status that libzmq tells the other side (RFC 27 has no others;
// an unknown key gets 300, which the other side is not told). After either that socket never tries again.
inline constexpr int kRevokedStatus = 400;
inline constexpr int kExpiredStatus = 500;

}  // namespace ranktide
