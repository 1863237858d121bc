#pragma once
// A client of one coordinator's HTTP: asks, waits, and tells apart "nobody there" from "refused". Not what is
// asked (results.h). It speaks to the address it was given and to nobody else; every command that talks to a
// coordinator talks through it. One thread.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/vocabulary/wire.h"
#include "coordinator/edge/http_address.h"

namespace ranktide::cli {

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

class HttpClient {
 public:
  // token: sent with every request; empty: none.
  explicit HttpClient(HttpAddress address, std::string token = "");

  // Returns: what a coordinator answered; nullopt when nobody listens there, or another program does.
  std::optional<HttpAnswer> get(const std::string& target) const;
  // The same for a command. Asking again with the same request id does nothing twice.
  std::optional<HttpAnswer> post(const std::string& target, const Json& body) const;

 private:
  std::optional<HttpAnswer> ask(const std::string& method, const std::string& target,
                                const std::string& body) const;

  HttpAddress address_;
  std::string token_;
};

// Returns: a client of the coordinator that serves the folder, with the token in RANKTIDE_TOKEN_FILE where that
// is set; nullopt when the folder names none. Throws: CommandError for a file of a token that others can read.
std::optional<HttpClient> client_of(const std::filesystem::path& data_folder);

// Returns: the body of an answer of status 200. Throws: CommandError with the coordinator's words and the exit
// code that fits, for any other.
const std::string& body_of(const HttpAnswer& answer);

}  // namespace ranktide::cli
