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
    if (access.refresh()) are_quotas_told = false;
  } catch (const KeyError& error) {
    spdlog::error("no token is let in: {}", error.what());
  }
  if (!are_quotas_told) tell_quotas();
}

void HttpService::end_streams_of_ended_tokens() {
  feed.keep(
      [this, now_ms = wall_clock_ms()](const std::string& token) { return access.is_active(token, now_ms); });
}

void HttpService::tell_quotas() {
  are_quotas_told = true;
  for (const Token& token : access.tokens())
    if (standing_of(token, wall_clock_ms()) == TokenStanding::active)
      if (!mailbox.tell(SetQuota{.owner = token.name, .max_slots = token.max_slots})) are_quotas_told = false;
}

}  // namespace ranktide
