#include "coordinator/edge/http_access.h"

#include <algorithm>
#include <array>
#include <unistd.h>

#include "coordinator/core/records.h"

namespace ranktide {
namespace {

constexpr std::string_view kBearer = "Bearer ";

std::string machine_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? host_of(name.data()) : "";
}

bool names_us(const AccessRules& rules, const std::string& authority) {
  const std::string host = host_of(authority);
  return (rules.takes_numbers && is_numeric_host(host)) ||
         std::find(rules.hosts.begin(), rules.hosts.end(), host) != rules.hosts.end();
}

// Returns: "host:port" of an origin such as "https://host:port"; empty for "null" and other schemes.
std::string authority_of(const std::string& origin) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (origin.starts_with(scheme)) return origin.substr(scheme.size());
  return "";
}

// Another port of the same machine is another site. A proxy may have changed Host, but not a declared name.
bool is_our_page(const AccessRules& rules, const RequestHead& head) {
  const std::string authority = authority_of(head.origin);
  return authority == head.host ||
         std::find(rules.declared.begin(), rules.declared.end(), authority) != rules.declared.end();
}

}  // namespace

AccessRules access_rules(const HttpAddress& address, const std::vector<std::string>& declared,
                         bool is_behind_proxy) {
  AccessRules out{.declared = declared,
                  .takes_numbers = address.is_any(),
                  .needs_token = !address.is_loopback() || is_behind_proxy};
  for (const std::string& name : declared) out.hosts.push_back(host_of(name));
  out.hosts.push_back(address.host);
  if (address.is_loopback() || address.is_any())
    for (const char* name : {"localhost", "127.0.0.1", "::1"}) out.hosts.emplace_back(name);
  if (!address.is_loopback())
    if (const std::string name = machine_name(); !name.empty()) out.hosts.push_back(name);
  return out;
}

std::optional<ApiResponse> refuse_foreign(const AccessRules& rules, const RequestHead& head) {
  if (head.host.empty() || !names_us(rules, head.host))
    return failure(403,
                   "Host \"" + head.host.substr(0, 80) +
                       "\" is not a name of this coordinator; start it with --http-name to serve it there");
  if (!head.origin.empty() && !is_our_page(rules, head))
    return failure(403, "Origin must be the coordinator's own");
  if (head.method == "GET") return std::nullopt;
  if (!head.fetch_site.empty() && head.fetch_site != "same-origin" && head.fetch_site != "none")
    return failure(403, "a page of another site may not ask for this");
  if (head.method == "POST" && !head.content_type.starts_with("application/json"))
    return failure(415, "Content-Type must be application/json");
  return std::nullopt;
}

HttpAccess::HttpAccess(AccessRules rules, std::filesystem::path tokens)
    : rules_(std::move(rules)), table_(std::move(tokens)) {}

std::variant<Caller, ApiResponse> HttpAccess::admit(const RequestHead& head, Scope needed, int64_t now_ms) {
  if (head.authorization.empty()) {
    if (!rules_.needs_token) return Caller{.name = kLocalActor};
    return refuse(401, "missing", "a token is needed: Authorization: Bearer TOKEN");
  }
  if (!head.authorization.starts_with(kBearer))
    return refuse(401, "malformed", "Authorization must be \"Bearer TOKEN\"");
  const Token* token = table_.find(std::string_view(head.authorization).substr(kBearer.size()));
  const TokenStanding standing = token ? standing_of(*token, now_ms) : TokenStanding::unknown;
  if (standing != TokenStanding::active)
    return refuse(
        401, std::string(text_of(standing)),
        "this token is " + std::string(text_of(standing)) + "; ask for one made by `ranktide token add`");
  if (token->scope < needed)
    return refuse(403, "scope",
                  "token " + token->name + " may " + std::string(text_of(token->scope)) + "; this needs " +
                      std::string(text_of(needed)));
  return Caller{.name = token->name, .scope = token->scope, .token = token->sha256};
}

bool HttpAccess::is_active(const std::string& token, int64_t now_ms) const {
  if (token.empty()) return true;
  return std::any_of(tokens().begin(), tokens().end(), [&](const Token& known) {
    return known.sha256 == token && standing_of(known, now_ms) == TokenStanding::active;
  });
}

bool HttpAccess::refresh() {
  return table_.refresh();
}

ApiResponse HttpAccess::refuse(int status, const std::string& reason, const std::string& text) {
  ++refusals_[reason];
  return failure(status, text);
}

}  // namespace ranktide
