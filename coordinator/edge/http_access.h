#pragma once
// Who may ask a coordinator over HTTP: the rules for Host, Origin and tokens, without sockets. Every request
// passes refuse_foreign() and admit() before anything else looks at it. Host and Origin are checked even on
// loopback, because any web page can have its visitor's browser send requests there. One thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coordinator/edge/api.h"
#include "coordinator/edge/http_address.h"
#include "coordinator/edge/token_table.h"

namespace ranktide {

// The headers that decide who is asking; empty where absent.
struct RequestHead {
  std::string method;
  std::string host;
  std::string origin;
  std::string fetch_site;  // Sec-Fetch-Site: what a browser says of the page that asks
  std::string content_type;
  std::string authorization;
  std::string client{};  // Ranktide-Client (client_version.h)
};

struct AccessRules {
  std::vector<std::string> hosts;     // that Host may name, without port, in lower case
  std::vector<std::string> declared;  // as pages of ours name us in Origin, "name" or "name:port"
  bool takes_numbers = false;         // Host may be any numeric address: none can be rebound
  bool needs_token = false;
};
// `declared` are further names that clients reach the server by, each with the port that they use unless it is
// their scheme's own. Behind a proxy a token is needed on loopback
// too: there everybody comes from loopback.
AccessRules access_rules(const HttpAddress& address, const std::vector<std::string>& declared,
                         bool is_behind_proxy);

// Returns: 403 for a Host or Origin that is not ours and for what a browser sends from another site, 415 for a
// POST that a plain web form could have made; nullopt when all is well.
std::optional<ApiResponse> refuse_foreign(const AccessRules& rules, const RequestHead& head);

// Who asks: a token's name and scope; without a token everything, in the name of kLocalActor.
struct Caller {
  std::string name;
  Scope scope = Scope::admin;
  std::string token{};  // its SHA-256, by which it is the same one later; empty: none was shown
};

class HttpAccess {
 public:
  HttpAccess(AccessRules rules, std::filesystem::path tokens);

  const AccessRules& rules() const { return rules_; }
  // Returns: who asks, or 401 (no, unknown, expired or revoked token) or 403 (its scope is too small), counted.
  // A token that is presented is checked even where none is needed.
  std::variant<Caller, ApiResponse> admit(const RequestHead& head, Scope needed, int64_t now_ms);
  // Returns: whether a Caller's token still lets anybody in; one who showed none is not asked again.
  bool is_active(const std::string& token, int64_t now_ms) const;
  // Reads the tokens again if they have changed. Returns: whether they have.
  bool refresh();
  const std::vector<Token>& tokens() const { return table_.tokens(); }
  // Refusals by reason: missing, malformed, unknown, expired, revoked, scope.
  const std::map<std::string, uint64_t>& refusals() const { return refusals_; }

 private:
  ApiResponse refuse(int status, const std::string& reason, const std::string& text);

  AccessRules rules_;
  TokenTable table_;
  std::map<std::string, uint64_t> refusals_;
};

}  // namespace ranktide
