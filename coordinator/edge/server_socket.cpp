#include "coordinator/edge/server_socket.h"

#include <cerrno>
#include <thread>

#include "common/net/clock.h"
#include "common/net/socket_options.h"

namespace ranktide {
namespace {

constexpr int kZapEnforceDomain = 93;  // in the library, but hidden by its header as a draft
constexpr Duration kBindMax{3'000};    // a former coordinator's port may take a moment to be free

}  // namespace

void secure_server(zmq::socket_t& socket, const std::string& secret_key, const char* zap_domain) {
  void* const raw = socket.handle();
  set_option(raw, ZMQ_LINGER, 0, "LINGER");
  set_option(raw, ZMQ_ROUTER_MANDATORY, 1,
             "ROUTER_MANDATORY");  // else a full or gone peer loses messages silently
  set_option(raw, ZMQ_CURVE_SERVER, 1, "CURVE_SERVER");
  set_option(raw, ZMQ_CURVE_SECRETKEY, secret_key.c_str(), "CURVE_SECRETKEY");
  set_option(raw, ZMQ_ZAP_DOMAIN, zap_domain, "ZAP_DOMAIN");
  set_option(raw, kZapEnforceDomain, 1, "ZAP_ENFORCE_DOMAIN");
}

std::string bind_server(zmq::socket_t& socket, const std::string& endpoint) {
  set_option(socket.handle(), ZMQ_IPV6, endpoint.find('[') == std::string::npos ? 0 : 1, "IPV6");
  const Instant give_up = boot_clock_now() + kBindMax;
  while (zmq_bind(socket.handle(), endpoint.c_str()) != 0) {
    if (zmq_errno() != EADDRINUSE || boot_clock_now() > give_up)
      throw RouterError(endpoint + ": cannot listen there: " + zmq_strerror(zmq_errno()) +
                        "; choose another port, or port * for any free one");
    std::this_thread::sleep_for(Duration(100));
  }
  return socket.get(zmq::sockopt::last_endpoint);
}

}  // namespace ranktide
