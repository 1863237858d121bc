#pragma once
// Which connection speaks for which worker. A connection is a routing id that the socket made up; it belongs to
// the key that its handshake proved. Not who may speak: the table of keys says that. Pure; one thread.

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/ids.h"

namespace ranktide {

class Routes {
 public:
  // A message of `worker` came in over this connection. The newest connection is the one that was seen first
  // most recently: what an older one still had on the way does not take the route back.
  void note(const WorkerName& worker, const std::string& key, const std::string& routing_id);
  // Returns: the connection to speak to; nullptr when the worker was never heard.
  const std::string* newest(const WorkerName& worker) const;
  // Returns: every connection that is known of it, oldest first.
  std::vector<std::string> all(const WorkerName& worker) const;
  // Forgets the connections of every key that is `revoked`. Returns: their routing ids.
  template <class Predicate>
  std::vector<std::string> cut(const Predicate& revoked) {
    std::vector<std::string> ids;
    for (auto route = routes_.begin(); route != routes_.end();) {
      std::erase_if(route->second, [&](const Connection& each) {
        if (!revoked(each.key)) return false;
        ids.push_back(each.routing_id);
        return true;
      });
      route = route->second.empty() ? routes_.erase(route) : std::next(route);
    }
    return ids;
  }

 private:
  struct Connection {
    std::string key;
    std::string routing_id;
  };
  std::map<WorkerName, std::deque<Connection>> routes_;  // oldest first, at most kConnectionsMax each
};

}  // namespace ranktide
