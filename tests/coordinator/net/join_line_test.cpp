#include "common/net/join_line.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/keys.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

JoinLine some_line(const std::string& host = "head.example") {
  return {.host = host,
          .link_port = 5555,
          .enrol_port = 5556,
          .server_key = make_key_pair().public_key,
          .token = std::string(64, 'a')};
}

std::string refusal_of(const std::string& text) {
  try {
    (void)parse_join_line(text);
  } catch (const JoinLineError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(AJoinLine, SaysEverythingThatIsNeededToJoin) {
  for (const char* host : {"head.example", "10.0.0.7", "fe80::1"}) {
    const JoinLine line = some_line(host);
    const JoinLine read = parse_join_line(to_text(line));
    EXPECT_EQ(read.host, line.host);
    EXPECT_EQ(read.link_port, 5555);
    EXPECT_EQ(read.enrol_port, 5556);
    EXPECT_EQ(read.server_key, line.server_key);
    EXPECT_EQ(read.token, line.token);
  }
}

TEST(AJoinLine, NamesAHostAsItIsDialled) {
  for (const char* host : {"head", "head.example", "node_7", "10.0.0.5", "fd00::5", "fe80::1%eth0"})
    EXPECT_EQ(fault_of_join_host(host), "") << host;
  for (const char* host : {"", "http://head", "a/b", "head:5555", "[::1]", "two words", "$HOST", "t\xc3\xaate"})
    EXPECT_NE(fault_of_join_host(host), "") << host;
  EXPECT_NE(fault_of_join_host(std::string(256, 'a')), "");
}

TEST(AJoinLine, IsPrintableAndSafeInAShell) {
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(to_text(some_line()).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789./-"),
              std::string::npos);
}

TEST(AJoinLine, MayHaveBlanksAndQuotesAroundIt) {
  EXPECT_EQ(parse_join_line("  '" + to_text(some_line()) + "'\n").link_port, 5555);
}

TEST(AJoinLine, IsRefusedWhereverItWasCut) {
  const std::string whole = to_text(some_line());
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(refusal_of(whole.substr(0, length)), "accepted") << length;
  EXPECT_THAT(refusal_of(whole.substr(0, whole.size() - 1)), HasSubstr("its checksum does not fit"));
  EXPECT_THAT(refusal_of(whole.substr(0, 40)), HasSubstr("was cut"));
}

TEST(AJoinLine, IsRefusedWithAnyCharacterChanged) {
  const std::string whole = to_text(some_line());
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = changed[i] == 'b' ? 'c' : 'b';
    EXPECT_NE(refusal_of(changed), "accepted") << i;
  }
}

TEST(AJoinLine, IsRefusedWithoutRepeatingItsToken) {
  std::string whole = to_text(some_line());
  whole.back() = whole.back() == '0' ? '1' : '0';
  EXPECT_THAT(refusal_of(whole), testing::Not(HasSubstr("aaaaaaaa")));
}

TEST(AJoinLine, OfALaterFormNamesBothForms) {
  EXPECT_THAT(refusal_of("ranktide-join/7/x"), HasSubstr("of form 7, this program reads form 1"));
}

TEST(AJoinLine, IsNotJustAnyText) {
  EXPECT_THAT(refusal_of("hello"), HasSubstr("not a join line"));
}

TEST(TcpEndpoint, PutsBracketsAroundAnIpv6Address) {
  EXPECT_EQ(tcp_endpoint("head", 1), "tcp://head:1");
  EXPECT_EQ(tcp_endpoint("::1", 1), "tcp://[::1]:1");
}

}  // namespace
}  // namespace ranktide
