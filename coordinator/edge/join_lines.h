#pragma once
// Makes the lines that let workers join: where this coordinator listens, its public key, and a new invite. The
// addresses stand in <data>/coordinator.addresses from the coordinator's first start on, so that the command
// that invites needs nobody who serves. Thread rule: free functions, any thread.

#include <filesystem>
#include <optional>
#include <string>

#include "common/vocabulary/time.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

struct JoinAddresses {
  std::string host;  // as workers reach it
  int link_port = 0;
  int enrol_port = 0;
};
template <class Ar>
void fields(Ar& ar, JoinAddresses& a) {
  ar("host", a.host)("link_port", a.link_port)("enrol_port", a.enrol_port);
}

// host: as workers reach it; empty: the link's own, or this machine's name where that stands for every address.
// Throws: RouterError for endpoints that are not tcp://HOST:PORT with a real port, and for a host that no line
// can name (common/net/join_line.h).
JoinAddresses join_addresses(const std::string& link_endpoint, const std::string& enrol_endpoint,
                             const std::string& host = "");
// Throws: KeyError when the file cannot be written or is not understood.
void write_join_addresses(const std::filesystem::path& data_folder, const JoinAddresses& addresses);
std::optional<JoinAddresses> read_join_addresses(const std::filesystem::path& data_folder);

// Returns: a new line, good for `uses` workers from now on. Makes the coordinator's keys when they are absent.
// Throws: KeyError.
std::string new_join_line(const std::filesystem::path& data_folder, const JoinAddresses& addresses, int uses,
                          Duration good_for);
// Returns: a line good for one worker and an hour at the folder's first start as a service, when nobody was
// ever invited; nullopt later. Throws: KeyError.
std::optional<std::string> first_join_line(const std::filesystem::path& data_folder,
                                           const JoinAddresses& addresses);

// Returns: where to listen for enrolments beside a link at this endpoint: the next port, or any for port *.
// Throws: RouterError as join_addresses.
std::string enrol_endpoint_beside(const std::string& link_endpoint);

}  // namespace ranktide
