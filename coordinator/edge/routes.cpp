#include "coordinator/edge/routes.h"

#include <algorithm>

namespace ranktide {
namespace {

constexpr size_t kConnectionsMax = 9;  // of one worker: the newest, and older ones with messages on the way

}  // namespace

void Routes::note(const WorkerName& worker, const std::string& key, const std::string& routing_id) {
  std::deque<Connection>& known = routes_[worker];
  const auto is_it = [&](const Connection& each) { return each.routing_id == routing_id; };
  if (std::any_of(known.begin(), known.end(), is_it)) return;
  if (known.size() == kConnectionsMax) known.pop_front();
  known.push_back({key, routing_id});
}

const std::string* Routes::newest(const WorkerName& worker) const {
  const auto route = routes_.find(worker);
  return route == routes_.end() ? nullptr : &route->second.back().routing_id;
}

std::vector<std::string> Routes::all(const WorkerName& worker) const {
  std::vector<std::string> out;
  const auto route = routes_.find(worker);
  if (route == routes_.end()) return out;
  for (const Connection& each : route->second) out.push_back(each.routing_id);
  return out;
}

}  // namespace ranktide
