// Who may ask: addresses, Host and Origin, tokens and their scopes.

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/edge/http_access.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

constexpr int64_t kNow = 1'767'225'600'000;

// ---- http_address.h

TEST(HttpAddress, ReadsHostAndPort) {
  EXPECT_EQ(parse_http_address("127.0.0.1:8080").text(), "127.0.0.1:8080");
  EXPECT_EQ(parse_http_address("localhost:80").text(), "127.0.0.1:80");
  EXPECT_EQ(parse_http_address("[::1]:8080").text(), "[::1]:8080");
  EXPECT_TRUE(parse_http_address("[::1]:8080").is_loopback());
  EXPECT_TRUE(parse_http_address("127.1.2.3:0").is_loopback());
  EXPECT_FALSE(parse_http_address("10.0.0.7:8080").is_loopback());
  EXPECT_TRUE(parse_http_address("0.0.0.0:8080").is_any());
}

TEST(HttpAddress, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:80x", "127.0.0.1:70000",
                           "head:8080", "::1:8080", "[::1]", "[::1:8080"})
    EXPECT_THROW(parse_http_address(text), std::invalid_argument) << text;
}

// ---- Host and Origin

AccessRules loopback_rules() {
  return access_rules(parse_http_address("127.0.0.1:8080"), {}, false);
}

int refusal_of(const AccessRules& rules, const RequestHead& head) {
  const auto refusal = refuse_foreign(rules, head);
  return refusal ? refusal->status : 200;
}

TEST(Foreign, HostIsALoopbackNameOnLoopback) {
  for (const char* host : {"127.0.0.1:8080", "localhost", "LOCALHOST:8080", "[::1]:8080"})
    EXPECT_EQ(refusal_of(loopback_rules(), {.method = "GET", .host = host}), 200) << host;
  for (const char* host : {"", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080",
                           "10.0.0.7:8080", "evil.example:127.0.0.1"})
    EXPECT_EQ(refusal_of(loopback_rules(), {.method = "GET", .host = host}), 403) << host;
}

TEST(Foreign, BeyondLoopbackHostIsTheAddressOrADeclaredName) {
  const auto bound = access_rules(parse_http_address("10.0.0.7:8080"), {"lab.example"}, false);
  EXPECT_EQ(refusal_of(bound, {.method = "GET", .host = "10.0.0.7:8080"}), 200);
  EXPECT_EQ(refusal_of(bound, {.method = "GET", .host = "lab.example"}), 200);
  EXPECT_EQ(refusal_of(bound, {.method = "GET", .host = "10.0.0.8:8080"}), 403);
  EXPECT_EQ(refusal_of(bound, {.method = "GET", .host = "evil.example"}), 403);
  const auto any = access_rules(parse_http_address("0.0.0.0:8080"), {}, false);
  EXPECT_EQ(refusal_of(any, {.method = "GET", .host = "10.9.8.7:8080"}), 200);  // no name: none to rebind
  EXPECT_EQ(refusal_of(any, {.method = "GET", .host = "evil.example"}), 403);
}

TEST(Foreign, OriginIsTheVeryServerThatIsAsked) {
  const auto from = [](const char* origin) {
    return refusal_of(loopback_rules(), {.method = "GET", .host = "localhost:8080", .origin = origin});
  };
  EXPECT_EQ(from("http://localhost:8080"), 200);
  EXPECT_EQ(from("http://localhost:3000"), 403);  // another program of this machine
  EXPECT_EQ(from("http://127.0.0.1:8080"), 403);
  EXPECT_EQ(from("http://evil.example"), 403);
  EXPECT_EQ(from("null"), 403);
}

TEST(Foreign, ADeclaredNameIsOursEvenWhenAProxyChangesHost) {
  const auto rules = access_rules(parse_http_address("127.0.0.1:8080"), {"lab.example"}, true);
  const auto from = [&](const char* origin) {
    return refusal_of(rules, {.method = "GET", .host = "127.0.0.1:8080", .origin = origin});
  };
  EXPECT_EQ(from("https://lab.example"), 200);
  EXPECT_EQ(from("https://lab.example:444"), 403);
}

TEST(Foreign, APostThatAnotherSiteCouldMakeIsRefused) {
  const auto post = [](const char* site, const char* type) {
    return refusal_of(loopback_rules(),
                      {.method = "POST", .host = "localhost", .fetch_site = site, .content_type = type});
  };
  EXPECT_EQ(post("", "application/json"), 200);
  EXPECT_EQ(post("same-origin", "application/json; charset=utf-8"), 200);
  EXPECT_EQ(post("cross-site", "application/json"), 403);
  EXPECT_EQ(post("same-site", "application/json"), 403);
  EXPECT_EQ(post("", "text/plain"), 415);  // a plain form
  EXPECT_EQ(post("", ""), 415);
  EXPECT_EQ(refusal_of(loopback_rules(), {.method = "PUT", .host = "localhost", .fetch_site = "cross-site"}),
            403);
}

// ---- tokens

class Tokens : public testing::Test {
 protected:
  std::string add(const std::string& name, Scope scope, std::optional<int64_t> expires_ms = std::nullopt) {
    return add_token(file_, {.name = name, .scope = scope, .expires_ms = expires_ms}, kNow);
  }
  // Returns: 200, or the status of the refusal.
  int ask(const std::string& authorization, Scope needed = Scope::read, int64_t now_ms = kNow) {
    access_.refresh();
    const auto admitted = access_.admit({.authorization = authorization}, needed, now_ms);
    const auto* refusal = std::get_if<ApiResponse>(&admitted);
    return refusal ? refusal->status : 200;
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = tokens_file(folder_.path());
  HttpAccess access_{access_rules(parse_http_address("10.0.0.7:8080"), {}, false), file_};
};

TEST_F(Tokens, TellsWhoAsks) {
  const std::string secret = add("ann", Scope::submit);
  access_.refresh();
  const auto caller = std::get<Caller>(access_.admit({.authorization = "Bearer " + secret}, Scope::read, kNow));
  EXPECT_EQ(caller.name, "ann");
  EXPECT_EQ(caller.scope, Scope::submit);
}

TEST_F(Tokens, EachScopeIncludesThoseBeforeIt) {
  const std::string read = "Bearer " + add("reader", Scope::read);
  const std::string submit = "Bearer " + add("submitter", Scope::submit);
  const std::string admin = "Bearer " + add("chief", Scope::admin);
  EXPECT_EQ(ask(read, Scope::read), 200);
  EXPECT_EQ(ask(read, Scope::submit), 403);
  EXPECT_EQ(ask(submit, Scope::submit), 200);
  EXPECT_EQ(ask(submit, Scope::admin), 403);
  EXPECT_EQ(ask(admin, Scope::admin), 200);
  EXPECT_EQ(access_.refusals().at("scope"), 2u);
}

TEST_F(Tokens, NoWrongExpiredOrRevokedOneIsLetIn) {
  const std::string brief = add("brief", Scope::admin, kNow + 1000);
  const std::string gone = add("gone", Scope::admin);
  revoke_token(file_, "gone", kNow);
  EXPECT_EQ(ask(""), 401);
  EXPECT_EQ(ask("Basic YTpi"), 401);
  EXPECT_EQ(ask("Bearer rt_wrong"), 401);
  EXPECT_EQ(ask("Bearer " + brief), 200);
  EXPECT_EQ(ask("Bearer " + brief, Scope::read, kNow + 1000), 401);
  EXPECT_EQ(ask("Bearer " + gone), 401);
  EXPECT_THAT(access_.refusals(),
              testing::ElementsAre(testing::Pair("expired", 1u), testing::Pair("malformed", 1u),
                                   testing::Pair("missing", 1u), testing::Pair("revoked", 1u),
                                   testing::Pair("unknown", 1u)));
}

// What was let in once and stays, an event stream, is asked again by this.
TEST_F(Tokens, OneThatWasLetInIsActiveUntilItExpiresOrIsRevoked) {
  const std::string brief = add("brief", Scope::read, kNow + 1000);
  access_.refresh();
  const auto caller = std::get<Caller>(access_.admit({.authorization = "Bearer " + brief}, Scope::read, kNow));
  EXPECT_TRUE(access_.is_active(caller.token, kNow + 999));
  EXPECT_FALSE(access_.is_active(caller.token, kNow + 1000));
  revoke_token(file_, "brief", kNow);
  add("brief", Scope::read);
  access_.refresh();
  EXPECT_FALSE(access_.is_active(caller.token, kNow)) << "a new token of the name is another one";
  EXPECT_TRUE(access_.is_active("", kNow)) << "who showed none is let in by where they ask";
}

TEST_F(Tokens, OnLoopbackNobodyNeedsOneButAWrongOneIsRefused) {
  HttpAccess access(access_rules(parse_http_address("127.0.0.1:8080"), {}, false), file_);
  EXPECT_EQ(std::get<Caller>(access.admit({}, Scope::admin, kNow)).name, "local");
  EXPECT_TRUE(std::holds_alternative<ApiResponse>(
      access.admit({.authorization = "Bearer rt_wrong"}, Scope::read, kNow)));
}

TEST_F(Tokens, BehindAProxyLoopbackNeedsThemToo) {
  HttpAccess access(access_rules(parse_http_address("127.0.0.1:8080"), {}, true), file_);
  EXPECT_TRUE(std::holds_alternative<ApiResponse>(access.admit({}, Scope::read, kNow)));
}

TEST_F(Tokens, TheFileHoldsNoSecret) {
  const std::string secret = add("ann", Scope::read);
  EXPECT_EQ(secret.size(), 3u + 64u);
  std::ifstream in(file_);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(text, HasSubstr("ann"));
  EXPECT_THAT(text, testing::Not(HasSubstr(secret.substr(3))));
}

TEST_F(Tokens, ANameHasOneActiveToken) {
  const std::string first = add("ann", Scope::read);
  EXPECT_THROW(add("ann", Scope::read), std::invalid_argument);
  revoke_token(file_, "ann", kNow);
  EXPECT_THROW(revoke_token(file_, "ann", kNow), std::invalid_argument);
  const std::string second = add("ann", Scope::read);
  EXPECT_EQ(ask("Bearer " + first), 401);
  EXPECT_EQ(ask("Bearer " + second), 200);
}

TEST_F(Tokens, NamesAreNamesAndNotLocal) {
  for (const char* name : {"", "local", "a b", "../x", "-x"})
    EXPECT_THROW(add(name, Scope::read), std::invalid_argument) << name;
}

TEST_F(Tokens, AFileThatOthersCanReadLetsNobodyIn) {
  const std::string secret = add("ann", Scope::read);
  EXPECT_EQ(ask("Bearer " + secret), 200);
  std::filesystem::permissions(file_, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
  try {
    access_.refresh();
    FAIL() << "an open file was read";
  } catch (const KeyError& loose) {
    EXPECT_THAT(loose.what(), HasSubstr("chmod 600 " + file_.string()));
  }
  EXPECT_EQ(ask("Bearer " + secret), 401);
  EXPECT_THROW(TokenTable{file_}, KeyError);
}

TEST_F(Tokens, ALineThatIsNotUnderstoodIsNamed) {
  add("ann", Scope::read);
  std::ofstream(file_, std::ios::app) << "{\"name\": 3}\n";
  try {
    TokenTable{file_};
    FAIL() << "a broken line was read";
  } catch (const KeyError& broken) {
    EXPECT_THAT(broken.what(), HasSubstr("line 2"));
  }
}

}  // namespace
}  // namespace ranktide
