#include "tests/coordinator/http/served.h"

#include "common/net/clock.h"

namespace ranktide {

Served::Served(bool is_behind_tls_proxy) : is_behind_tls_proxy_(is_behind_tls_proxy) {
  restart();
}

void Served::end() {
  server_.reset();
  coordinator_.reset();
}

void Served::restart() {
  end();
  coordinator_ = std::make_unique<CoordinatorService>(CoordinatorServiceConfig{.data_folder = folder_.path()});
  server_ = std::make_unique<HttpServer>(HttpServerConfig{.data_folder = folder_.path(),
                                                          .is_behind_tls_proxy = is_behind_tls_proxy_,
                                                          .version = "test",
                                                          .blobs = &coordinator_->blobs()},
                                         coordinator_->mailbox());
}

Told Served::get(const std::string& target, const std::string& headers) const {
  return get_from(port(), target, headers);
}

Told Served::post(const std::string& target, const Json& body, const std::string& headers) const {
  return post_to(port(), target, body.dump(), headers);
}

Told Served::submit(const std::string& name, const std::string& request_id) const {
  return post("/api/v1/sweeps",
              {{"request_id", request_id}, {"spec", to_json(sweep_for_tests({.name = name}))}});
}

std::string Served::token(const std::string& name, Scope scope) const {
  const std::string secret =
      add_token(tokens_file(folder_.path()), {.name = name, .scope = scope}, wall_clock_ms());
  return "Authorization: Bearer " + secret + "\r\n";
}

}  // namespace ranktide
