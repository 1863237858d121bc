#include "tests/e2e/lan.h"

#include <algorithm>
#include <unistd.h>

#include "common/vocabulary/check.h"

namespace ranktide::e2e {
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

namespace {

// Returns: where a program is; empty: nowhere. A plain user's PATH often lacks the folders of administrators.
std::string tool(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"})
    if (fs::exists(folder + name)) return folder + name;
  return "";
}

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool is_root() {
  return ::geteuid() == 0;
}

// A command in new namespaces, of a user who may do all in them.
Words in_new_namespaces(const Words& argv) {
  const Words user = is_root() ? Words{} : Words{"--user", "--map-root-user"};
  return Words{tool("unshare")} + user + Words{"--net", "--mount"} + argv;
}

Words in_namespaces_of(const Program& holder, const Words& argv) {
  const Words user = is_root() ? Words{} : Words{"--user", "--preserve-credentials"};
  return Words{tool("nsenter"), "--target", std::to_string(holder.pid())} + user + Words{"--net", "--mount"} +
         argv;
}

// Says when its namespaces are there, and ends by itself should nobody be left to end it.
const Words kHold{"/bin/sh", "-c", "echo held >&2; exec sleep 3600"};

std::unique_ptr<Program> held(const Words& argv, const fs::path& output) {
  auto out = std::make_unique<Program>(argv, output);
  RT_CHECK(out->says("held", 30s));
  return out;
}

}  // namespace

std::string Lan::obstacle(const fs::path& output) {
  for (const char* name : {"ip", "unshare", "nsenter", "mount"})
    if (tool(name).empty()) return std::string("the program ") + name + " is not installed";
  const std::string ip = tool("ip");
  const std::string tried = ip + " link add switch type bridge && " + ip +
                            " link add one type veth peer name other && " + tool("mount") + " -t tmpfs tmpfs " +
                            output.string();
  fs::create_directories(output);
  const Ended ended = run(in_new_namespaces({"/bin/sh", "-c", tried}), output, 30s);
  return ended.exit_code == 0 ? "" : "no network namespaces can be had here: " + ended.err;
}

Lan::Lan(std::vector<Host> hosts, fs::path output) : hosts_(std::move(hosts)), output_(std::move(output)) {
  switch_ = held(in_new_namespaces(kHold), output_ / "switch");
  must_run(in_namespaces_of(*switch_, {tool("ip"), "link", "add", "switch", "type", "bridge"}));
  must_run(in_namespaces_of(*switch_, {tool("ip"), "link", "set", "switch", "up"}));
  for (const Host& host : hosts_) fs::create_directories(host.folder);
  for (const Host& host : hosts_) {
    const Words namespaces = Words{tool("unshare"), "--net", "--mount"} + kHold;
    holders_.push_back(held(in_namespaces_of(*switch_, namespaces), output_ / host.name));
    connect(host.name);
    hide_folders_from(host.name);
  }
}

Words Lan::on(const std::string& host, Words argv) const {
  return in_namespaces_of(*holders_.at(index(host)), argv);
}

std::string Lan::address(const std::string& host) const {
  return "10.77.0." + std::to_string(index(host) + 1);
}

void Lan::connect(const std::string& host) const {
  const std::string ip = tool("ip"), pid = std::to_string(holders_.at(index(host))->pid());
  for (const Words& step :
       {Words{"link", "add", cable(host), "type", "veth", "peer", "name", "eth0", "netns", pid},
        Words{"link", "set", cable(host), "master", "switch", "up"}})
    must_run(in_namespaces_of(*switch_, Words{ip} + step));
  for (const Words& step :
       {Words{"link", "set", "lo", "up"}, Words{"address", "add", address(host) + "/24", "dev", "eth0"},
        Words{"link", "set", "eth0", "up"}})
    must_run(on(host, Words{ip} + step));
}

void Lan::hide_folders_from(const std::string& host) const {
  for (const Host& other : hosts_)
    if (other.name != host) must_run(on(host, {tool("mount"), "-t", "tmpfs", "tmpfs", other.folder.string()}));
}

void Lan::set_cable(const std::string& host, const std::string& state) const {
  must_run(in_namespaces_of(*switch_, {tool("ip"), "link", "set", cable(host), state}));
}

size_t Lan::index(const std::string& host) const {
  const auto at = std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& h) { return h.name == host; });
  RT_CHECK(at != hosts_.end());
  return static_cast<size_t>(at - hosts_.begin());
}

std::string Lan::cable(const std::string& host) const {
  return "port" + std::to_string(index(host));
}

void Lan::must_run(const Words& argv) const {
  const Ended ended = run(argv, output_ / "tool", 30s);
  if (ended.exit_code != 0) throw std::runtime_error(argv.back() + ": " + ended.err);
}

}  // namespace ranktide::e2e
