#pragma once
// A coordinator with its HTTP server, for tests: the real turn, the real store, no workers.

#include <string>

#include "coordinator/edge/http_server.h"
#include "coordinator/edge/serve.h"
#include "coordinator/edge/token_table.h"
#include "tests/coordinator/http/conversation.h"
#include "tests/sim/sweep_for_tests.h"
#include "tests/temporary_folder.h"

namespace ranktide {

class Served {
 public:
  explicit Served(bool is_behind_tls_proxy = false);

  uint16_t port() const { return server_->address().port; }
  Told get(const std::string& target, const std::string& headers = "") const;
  Told post(const std::string& target, const Json& body,
            const std::string& headers = "Content-Type: application/json\r\n") const;
  // Submits a sweep of that name over HTTP.
  Told submit(const std::string& name, const std::string& request_id) const;
  // Returns: a header line with a new token.
  std::string token(const std::string& name, Scope scope) const;

  CoordinatorService& coordinator() { return *coordinator_; }
  HttpServer& server() { return *server_; }
  void end_server() { server_.reset(); }
  void end();
  // The same folder, as a new process would find it.
  void restart();
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  bool is_behind_tls_proxy_;
  std::unique_ptr<CoordinatorService> coordinator_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace ranktide
