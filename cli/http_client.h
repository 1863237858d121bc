#pragma once
// A client of one coordinator's HTTP: asks, waits, and tells apart "nobody there" from "refused". Not what is
// asked (results.h). It speaks to the address it was given and to nobody else; every command that talks to a
// coordinator talks through it. One thread.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/command.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {

// Where a coordinator is: http or https, a name or a number, and a port.
struct Url {
  bool is_tls = false;
  std::string host;  // without brackets
  std::string port;
  std::string text() const;
};
// Throws: CommandError for what is no http:// or https:// URL without a path.
Url parse_url(const std::string& text);

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

// How long a peer may stay silent. A coordinator gives up on an answer of its own after 30 s and says so.
struct HttpLimits {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds silence{35'000};  // without one byte that moves, once connected
};

// A peer that neither refuses nor answers: asking it again at once would only take as long again.
struct Unanswered : CommandError {
  explicit Unanswered(const std::string& message) : CommandError(kUnreachable, message) {}
};

// A peer that is not who the URL names, or speaks no TLS: asking again changes nothing.
struct NotTrusted : CommandError {
  explicit NotTrusted(const std::string& message) : CommandError(kUnreachable, message) {}
};

// An answer that ended before it was whole. Asking again may help.
struct CutOff : CommandError {
  explicit CutOff(const std::string& message) : CommandError(kUnreachable, message) {}
};

// What was asked for is being made, and may be asked for again in a second.
struct StillMade : CommandError {
  StillMade(const std::string& message, int64_t made_, int64_t whole_)
      : CommandError(kFailed, message), made(made_), whole(whole_) {}
  int64_t made;  // bytes
  int64_t whole;
};

class HttpClient {
 public:
  // token: sent with every request; empty: none.
  explicit HttpClient(Url url, std::string token = "", HttpLimits limits = {});

  std::string url() const { return url_.text(); }
  // Returns: the same client, which waits for no longer than `limit` where it would wait longer.
  HttpClient within(std::chrono::milliseconds limit) const;

  // Returns: what a coordinator answered; nullopt when nobody listens there, or another program does.
  // Throws: Unanswered when a limit has passed, CutOff, and over TLS NotTrusted with what to do. Trusted are
  // the authorities of this machine's OpenSSL, and those in the file that SSL_CERT_FILE names.
  std::optional<HttpAnswer> get(const std::string& target) const;
  // The same for a command. Asking again with the same request id does nothing twice.
  std::optional<HttpAnswer> post(const std::string& target, const Json& body) const;
  // The same with the bytes of a file, or a piece of it.
  std::optional<HttpAnswer> put(const std::string& target, const std::string& bytes) const;

 private:
  std::optional<HttpAnswer> ask(const std::string& method, const std::string& target,
                                const std::string& body) const;

  Url url_;
  std::string token_;
  HttpLimits limits_;
};

// Returns: a client of the coordinator that serves the folder, with the token in RANKTIDE_TOKEN_FILE where that
// is set; nullopt when the folder names none. Throws: CommandError for a file of a token that others can read.
std::optional<HttpClient> client_of_folder(const std::filesystem::path& data_folder);

// Returns: the token in a file. Throws: CommandError for a file that is not there or that others can read.
std::string read_token(const std::filesystem::path& file);

// Returns: the body of an answer of status 200. Throws: StillMade where it says so, and CommandError with the
// coordinator's words and the exit code that fits, for any other.
const std::string& body_of(const HttpAnswer& answer);

}  // namespace ranktide::cli
