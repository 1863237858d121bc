#include "coordinator/edge/http_service.h"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "common/net/clock.h"

namespace ranktide {

void AnswerGate::post(std::function<void()> then) {
  const std::lock_guard lock(mutex_);
  if (io_) boost::asio::post(*io_, std::move(then));
}

void AnswerGate::close() {
  const std::lock_guard lock(mutex_);
  io_ = nullptr;
}

HttpService::HttpService(HttpServerConfig config_, Mailbox& mailbox_)
    : config(std::move(config_)),
      mailbox(mailbox_),
      access(access_rules(config.address, config.names, config.is_behind_tls_proxy),
             tokens_file(config.data_folder)) {}

void HttpService::look_at_tokens() {
  try {
    if (!access.refresh()) return;
  } catch (const KeyError& error) {
    return spdlog::error("no token is let in: {}", error.what());
  }
  tell_quotas();
}

void HttpService::tell_quotas() {
  for (const Token& token : access.tokens())
    if (standing_of(token, wall_clock_ms()) == TokenStanding::active)
      mailbox.tell(SetQuota{.owner = token.name, .max_slots = token.max_slots});
}

}  // namespace ranktide
