// A client that asks over https: a coordinator that was told that a proxy encrypts, a proxy before it that
// does, and everything a client says through both. What the peer cannot prove, or breaks off, is told with what
// to do.

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

#include "common/vocabulary/sha256.h"
#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

// Where there is none of these, nothing here can be tried.
std::string missing_program() {
  for (const char* program : {"openssl version", "python3 -c 'import ssl'"})
    if (std::system((std::string(program) + " >/dev/null 2>&1").c_str()) != 0) return program;
  return "";
}

class Tls : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = missing_program(); !missing.empty())
      GTEST_SKIP() << "`" << missing << "` does not run on this machine";
    write_text(token(), world_.ranktide({"token", "add", "ann", "--scope", "admin"}).out);
    fs::permissions(token(), fs::perms::owner_read | fs::perms::owner_write);
    coordinator_.emplace(world_.command({"coordinator", "--bind", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0",
                                         "--behind-tls-proxy"}),
                         world_.folder() / "coordinator");
    ASSERT_TRUE(coordinator_->says("to clients at", 60s)) << read_text(world_.folder() / "coordinator/err");
    make_certificate("ours", "DNS:localhost");
  }

  fs::path token() const { return world_.folder() / "token"; }
  fs::path certificate(const std::string& name) const { return world_.folder() / (name + ".pem"); }
  fs::path key(const std::string& name) const { return world_.folder() / (name + ".key"); }
  // One that signed itself: whoever trusts it as an authority trusts it as a server.
  void make_certificate(const std::string& name, const std::string& made_for) const {
    const Ended made =
        by_name({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=" + made_for,
                 "-keyout", key(name).string(), "-out", certificate(name).string()});
    ASSERT_EQ(made.exit_code, 0) << made.err;
  }
  Ended by_name(std::vector<std::string> words) const {
    words.insert(words.begin(), "/usr/bin/env");
    return run(words, world_.folder() / "by-name");
  }

  // Puts a proxy before the coordinator. Returns: its port.
  std::string start_proxy(const std::string& certificate_name, std::vector<std::string> more = {}) {
    const fs::path script = fs::path(RANKTIDE_SOURCE_DIR) / "tests/e2e/tls_proxy.py";
    std::vector<std::string> words{"/usr/bin/env",
                                   "python3",
                                   script.string(),
                                   "--certificate",
                                   certificate(certificate_name).string(),
                                   "--key",
                                   key(certificate_name).string(),
                                   "--to",
                                   coordinators_port()};
    words.insert(words.end(), more.begin(), more.end());
    const fs::path output = world_.folder() / "proxy";
    proxy_.reset();
    fs::remove_all(output);
    proxy_.emplace(words, output);
    EXPECT_TRUE(proxy_->says("listens at", 60s)) << read_text(output / "err");
    const std::string said = read_text(output / "err").substr(std::string("listens at ").size());
    return said.substr(0, said.find(' '));
  }
  std::string coordinators_port() const {
    const std::string address = read_text(world_.data() / "coordinator.http");
    const size_t colon = address.rfind(':');
    return address.substr(colon + 1, address.find_last_of("0123456789") - colon);
  }

  // A client that trusts `authority` besides this machine's own; empty: none.
  Ended ask(const std::string& url, std::vector<std::string> words, const std::string& authority = "ours",
            bool shows_token = true) const {
    words.insert(words.begin(), ranktide_program().string());
    words.insert(words.end(), {"--coordinator", url});
    std::vector<std::string> settings{"XDG_CONFIG_HOME=" + (world_.folder() / "config").string()};
    if (!authority.empty()) settings.push_back("SSL_CERT_FILE=" + certificate(authority).string());
    if (shows_token) settings.push_back("RANKTIDE_TOKEN_FILE=" + token().string());
    words.insert(words.begin(), settings.begin(), settings.end());
    return by_name(words);
  }

  TinyWorld world_;
  std::optional<Program> coordinator_;
  std::optional<Program> proxy_;
};

// Returns: a program that prints the coordinator's event stream until it has told of `event`.
std::string events_reader(const std::string& event) {
  return "import os, ssl, sys, urllib.request\n"
         "ask = urllib.request.Request(sys.argv[1] + '/api/v1/events?after=0', headers={\n"
         "    'Authorization': 'Bearer ' + open(sys.argv[2]).read().strip()})\n"
         "tls = ssl.create_default_context(cafile=sys.argv[3])\n"
         "with urllib.request.urlopen(ask, timeout=120, context=tls) as stream:\n"
         "    assert stream.headers['Ranktide-Api'] == '1'\n"
         "    for line in stream:\n"
         "        print(line.decode().rstrip(), flush=True)\n"
         "        if line == b'event: " +
         event +
         "\\n': os._exit(0)\n"
         "sys.exit('the stream ended')\n";
}

TEST_F(Tls, EverythingThatAClientSaysGoesThroughAProxyThatEncrypts) {
  const std::string url = "https://localhost:" + start_proxy("ours");
  const Ended nobody = ask(url, {"list"}, "ours", /*shows_token=*/false);
  EXPECT_EQ(nobody.exit_code, 4) << "behind a proxy everybody comes from loopback: " << nobody.err;
  EXPECT_EQ(ask(url, {"list"}).exit_code, 0);

  std::string rows;
  for (int i = 0; i < 60'000; ++i) rows += "row " + std::to_string(i) + " of many\n";  // more than one piece
  write_text(world_.folder() / "prose.txt", rows);
  const Ended submitted = ask(url, {"submit", world_.sweep().string()});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const fs::path arrived = world_.data() / "blobs" / sha256_hex(rows);
  EXPECT_TRUE(read_text(arrived) == rows) << arrived;
  EXPECT_THAT(ask(url, {"list"}).out, AllOf(HasSubstr("tiny"), HasSubstr("ann")));
  const Ended refused = ask(url, {"pause", "nobody"});
  EXPECT_EQ(refused.exit_code, 5) << refused.err;

  write_text(world_.folder() / "events.py", events_reader("SweepSubmitted"));
  const Ended events = by_name({"python3", (world_.folder() / "events.py").string(), url, token().string(),
                                certificate("ours").string()});
  EXPECT_EQ(events.exit_code, 0) << events.err << events.out;
  EXPECT_EQ(ask(url, {"cancel", "tiny", "--yes"}).exit_code, 0);
  const Ended watched = ask(url, {"watch", "tiny"});
  EXPECT_EQ(watched.exit_code, 0) << watched.err << watched.out;
}

TEST_F(Tls, ACertificateThatNobodyVouchesForIsRefusedWithTheRemedy) {
  const std::string url = "https://localhost:" + start_proxy("ours");
  const Ended submitted = ask(url, {"submit", world_.sweep().string()});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const Ended refused = ask(url, {"pause", "tiny"}, "");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("the certificate of " + url + " is not trusted (self-signed"),
                                 HasSubstr("SSL_CERT_FILE=ca.pem")));
  make_certificate("another", "DNS:localhost");
  EXPECT_THAT(ask(url, {"pause", "tiny"}, "another").err, HasSubstr("is not trusted"));
  EXPECT_THAT(ask(url, {"watch", "tiny"}, "another").err, HasSubstr("is not trusted"));
  const auto was_paused = HasSubstr("ann asks: POST /api/v1/sweeps/tiny/pause");
  EXPECT_THAT(read_text(world_.folder() / "coordinator/err"), Not(was_paused));
  EXPECT_EQ(ask(url, {"pause", "tiny"}).exit_code, 0);
  EXPECT_THAT(read_text(world_.folder() / "coordinator/err"), was_paused);
}

TEST_F(Tls, ACertificateForAnotherNameIsRefused) {
  const std::string port = start_proxy("ours");
  const Ended number = ask("https://127.0.0.1:" + port, {"list"});
  EXPECT_EQ(number.exit_code, 3);
  EXPECT_THAT(number.err, AllOf(HasSubstr("https://127.0.0.1:" + port + " is not trusted"),
                                HasSubstr("it was not made for 127.0.0.1")));
  make_certificate("elsewhere", "DNS:sweeps.example.org,IP:127.0.0.1");
  const std::string other = start_proxy("elsewhere");
  EXPECT_THAT(ask("https://localhost:" + other, {"list"}, "elsewhere").err,
              HasSubstr("it was not made for localhost"));
  EXPECT_EQ(ask("https://127.0.0.1:" + other, {"list"}, "elsewhere").exit_code, 0) << "a number may be named";
}

TEST_F(Tls, APortThatSpeaksPlainHttpIsNamedAsSuch) {
  const std::string url = "https://localhost:" + coordinators_port();
  const Ended ended = ask(url, {"list"});
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr(url + " does not speak TLS"), HasSubstr("a coordinator itself speaks http://")));
}

TEST_F(Tls, AnAnswerThatTheProxyCutsIsSaidToBeCut) {
  const std::string url = "https://localhost:" + start_proxy("ours", {"--cut-after", "40"});
  for (const std::vector<std::string>& words : {std::vector<std::string>{"list"}, {"watch", "tiny"}}) {
    const Ended ended = ask(url, words);
    EXPECT_EQ(ended.exit_code, 3);
    EXPECT_THAT(ended.err, HasSubstr("the answer from " + url + " was cut off")) << words.front();
  }
}

TEST_F(Tls, AProxyWithoutItsCoordinatorIsNobody) {
  const std::string url = "https://localhost:" + start_proxy("ours");
  coordinator_.reset();
  const Ended ended = ask(url, {"list"});
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.err, HasSubstr("no coordinator answers at " + url));
}

}  // namespace
}  // namespace ranktide::e2e
