#include "worker/daemon/bulk_client.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <zmq.hpp>

#include "common/net/clock.h"
#include "common/net/link_notice.h"
#include "common/net/socket_options.h"
#include "common/vocabulary/sha256.h"
#include "worker/daemon/frame_view.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr const char* kBulkMonitor = "inproc://bulk-monitor";

constexpr Duration kBulkPoll{100};

struct Answer {
  BulkMessage message;
  zmq::message_t bytes;
};

// A file that grows at its end while its hash is made.
class GrowingFile {
 public:
  explicit GrowingFile(const fs::path& path)
      : path_(path), fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0) fail("cannot be opened");
  }
  ~GrowingFile() { ::close(fd_); }
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  // What is there of at most `limit` bytes is kept; a longer file is none of ours.
  void take_up(int64_t limit) {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) fail("cannot be read");
    if (info.st_size > limit && ::ftruncate(fd_, 0) != 0) fail("cannot be emptied");
    std::array<char, 64 << 10> buffer;
    for (ssize_t n = 0; (n = ::read(fd_, buffer.data(), buffer.size())) != 0;) {
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot be read");
      hash_.update({buffer.data(), static_cast<size_t>(n)});
      here_ += n;
    }
  }
  void append(std::string_view bytes) {
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t n = ::write(fd_, bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail("cannot be written");
      done += static_cast<size_t>(n);
    }
    hash_.update(bytes);
    here_ += static_cast<int64_t>(bytes.size());
  }
  void sync() {
    if (::fsync(fd_) != 0) fail("cannot be synced");
  }
  int64_t here() const { return here_; }
  std::string hash() { return hash_.hex(); }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw BulkError(path_.string() + ": " + what + ": " + std::strerror(errno));
  }
  fs::path path_;
  int fd_;
  Sha256 hash_;
  int64_t here_ = 0;
};

std::string piece_of(const fs::path& file, int64_t offset) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  std::string bytes(kBulkPieceBytesMax, '\0');
  const ssize_t n = fd < 0 ? -1 : ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  const std::string why = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  // This file's fault and not the coordinator's, so no BulkError: others may still be sent.
  if (n < 0) throw std::runtime_error(file.string() + ": cannot be read: " + why);
  bytes.resize(static_cast<size_t>(n));
  return bytes;
}

}  // namespace

struct BulkClient::Connection {
  explicit Connection(BulkClientConfig c);
  ~Connection();

  bool ask(const BulkMessage& question, std::string_view bytes);
  std::optional<Answer> wait_for_answer(const std::string& name);
  BulkMessage answer_to(const BulkMessage& question, std::string_view bytes);
  void read_monitor();
  void mind_silence();
  void begin() { heard = boot_clock_now(); }

  BulkClientConfig config;
  zmq::context_t context{1};
  zmq::socket_t dealer{context, zmq::socket_type::dealer};
  zmq::socket_t monitor{context, zmq::socket_type::pair};
  Instant heard;
};

BulkClient::Connection::Connection(BulkClientConfig c) : config(std::move(c)) {
  void* const raw = dealer.handle();
  set_common_options(raw);
  set_option(raw, ZMQ_LINGER, 0, "LINGER");
  set_option(raw, ZMQ_SNDHWM, kBulkOutstandingMax, "SNDHWM");
  set_option(raw, ZMQ_IMMEDIATE, 1, "IMMEDIATE");
  set_option(raw, ZMQ_IPV6, 1, "IPV6");
  set_option(raw, ZMQ_RECONNECT_IVL, 500, "RECONNECT_IVL");
  set_option(raw, ZMQ_RECONNECT_IVL_MAX, 5000, "RECONNECT_IVL_MAX");
  set_option(raw, ZMQ_CURVE_SERVERKEY, config.coordinator_key.c_str(), "CURVE_SERVERKEY");
  set_option(raw, ZMQ_CURVE_PUBLICKEY, config.keys.public_key.c_str(), "CURVE_PUBLICKEY");
  set_option(raw, ZMQ_CURVE_SECRETKEY, config.keys.secret_key.c_str(), "CURVE_SECRETKEY");
  set_option(monitor.handle(), ZMQ_LINGER, 0, "LINGER");
  zmq_socket_monitor(raw, kBulkMonitor, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
  monitor.connect(kBulkMonitor);
  if (zmq_connect(raw, config.endpoint.c_str()) != 0)
    throw BulkError(config.endpoint + ": not an address for bulk data: " + zmq_strerror(zmq_errno()));
}

BulkClient::Connection::~Connection() {
  zmq_socket_monitor(dealer.handle(), nullptr, 0);
}

// Returns: false when there is no connection, or it takes no more now.
bool BulkClient::Connection::ask(const BulkMessage& question, std::string_view bytes) {
  const std::string head = encode(question);
  if (!dealer.send(zmq::buffer(head), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) return false;
  return dealer.send(zmq::buffer(bytes.data(), bytes.size()), zmq::send_flags::dontwait).has_value();
}

// Returns: the next answer that speaks of this (named_by), if one comes within a moment.
// Throws: BulkError when we are refused, or nothing was heard for too long.
std::optional<Answer> BulkClient::Connection::wait_for_answer(const std::string& name) {
  std::array<zmq_pollitem_t, 2> items{
      {{dealer.handle(), -1, ZMQ_POLLIN, 0}, {monitor.handle(), -1, ZMQ_POLLIN, 0}}};
  zmq_poll(items.data(), static_cast<int>(items.size()), kBulkPoll.count());
  read_monitor();
  zmq::message_t head;
  zmq::message_t bytes;
  if (!dealer.recv(head, zmq::recv_flags::dontwait)) return mind_silence(), std::nullopt;
  if (!head.more() || !dealer.recv(bytes, zmq::recv_flags::dontwait) || bytes.more())
    throw BulkError(config.endpoint + ": answers with a message that is not bulk data");
  heard = boot_clock_now();
  Answer answer{decode_bulk_message(view(head)), std::move(bytes)};
  const auto* refused = std::get_if<BulkRefused>(&answer.message);
  const bool is_of_key =
      refused && (refused->why == BulkRefusal::key_revoked || refused->why == BulkRefusal::key_expired);
  if (!is_of_key && named_by(answer.message) != name) return std::nullopt;  // of a file given up before
  if (refused && refused->why == BulkRefusal::absent) throw BulkAbsent(refused->text);
  if (refused && refused->why == BulkRefusal::not_yours) throw BulkNotYours(refused->text);
  if (refused && refused->why == BulkRefusal::not_taken)
    throw BulkNotTaken(config.endpoint + ": " + refused->text);
  if (refused) throw BulkError(config.endpoint + ": " + refused->text);
  return answer;
}

// Asks until there is an answer. Throws: as wait_for_answer.
BulkMessage BulkClient::Connection::answer_to(const BulkMessage& question, std::string_view bytes) {
  begin();
  std::optional<Instant> said;
  for (;;) {
    if (!said || boot_clock_now() - *said > config.ask_again)
      if (ask(question, bytes)) said = boot_clock_now();
    if (auto answer = wait_for_answer(named_by(question))) return std::move(answer->message);
  }
}

void BulkClient::Connection::read_monitor() {
  zmq::message_t event;
  if (!monitor.recv(event, zmq::recv_flags::dontwait)) return;
  int32_t status = 0;
  std::memcpy(&status, event.data<char>() + sizeof(uint16_t), sizeof status);
  const std::string key = config.keys.public_key + " (fingerprint " + fingerprint(config.keys.public_key) + ")";
  if (status == kExpiredStatus)
    throw BulkError(config.endpoint + ": this worker's key " + key + " has expired; authorise it again");
  throw BulkError(config.endpoint + ": the coordinator has revoked this worker's key " + key);
}

void BulkClient::Connection::mind_silence() {
  if (boot_clock_now() - heard < config.silence_max) return;
  throw BulkError(config.endpoint + ": no answer for " + std::to_string(config.silence_max.count() / 1000) +
                  " s; is the coordinator's bulk port open to this worker? (coordinator --bulk-bind)");
}

BulkClient::BulkClient(BulkClientConfig config) {
  if (!is_key_text(config.coordinator_key))
    throw BulkError("the coordinator's key is not a CURVE key: " + config.coordinator_key);
  connection_ = std::make_unique<Connection>(std::move(config));
}
BulkClient::~BulkClient() = default;

// Pieces come in the order in which they were asked for; after a silence everything is asked for again, and
// what comes twice is at another place than the file's end.
void BulkClient::fetch_pieces(const FileContent& wanted, const fs::path& file,
                              const std::function<BulkMessage(int64_t offset)>& question,
                              const OnProgress& on_progress) {
  const std::string name = named_by(question(0));
  GrowingFile growing(file);
  growing.take_up(wanted.bytes);
  connection_->begin();
  int64_t asked = growing.here();
  Instant said = boot_clock_now();
  while (growing.here() < wanted.bytes) {
    const int64_t window = growing.here() + kBulkOutstandingMax * static_cast<int64_t>(kBulkPieceBytesMax);
    while (asked < std::min(window, wanted.bytes) && connection_->ask(question(asked), {}))
      asked += static_cast<int64_t>(kBulkPieceBytesMax);
    const auto answer = connection_->wait_for_answer(name);
    const auto* piece = answer ? std::get_if<Piece>(&answer->message) : nullptr;
    if (piece && piece->sha256 == name && piece->offset == growing.here() && answer->bytes.size() > 0) {
      growing.append(view(answer->bytes));
      said = boot_clock_now();
      on_progress(growing.here());
    } else if (boot_clock_now() - said > connection_->config.ask_again) {
      asked = growing.here();
      said = boot_clock_now();
    }
  }
  if (growing.hash() != wanted.sha256) {
    fs::remove(file);
    throw BulkError(file.string() + ": what arrived has another hash than " + wanted.sha256);
  }
  growing.sync();
}

void BulkClient::fetch(const FileContent& wanted, const fs::path& file, const OnProgress& on_progress) {
  fetch_pieces(
      wanted, file, [&](int64_t offset) { return GetPiece{.sha256 = wanted.sha256, .offset = offset}; },
      on_progress);
}

std::vector<InputFile> BulkClient::files_of_artifact(const std::string& trial) {
  BulkMessage answer = connection_->answer_to(GetArtifact{trial}, {});
  auto* listed = std::get_if<ArtifactListed>(&answer);
  if (!listed) throw BulkError("the coordinator answers the question for an artifact with something else");
  return std::move(listed->files);
}

void BulkClient::fetch_of_artifact(const std::string& trial, const InputFile& wanted, const fs::path& file,
                                   const OnProgress& on_progress) {
  fetch_pieces(
      {wanted.sha256, wanted.bytes}, file,
      [&](int64_t offset) { return GetArtifactPiece{.trial = trial, .path = wanted.path, .offset = offset}; },
      on_progress);
}

// One piece at a time: results are small beside models, and nobody waits for them.
void BulkClient::store(const FileContent& content, const fs::path& file, const OnProgress& on_progress) {
  connection_->begin();
  Standing now;
  bool knows_standing = false;
  Instant said{};
  bool waits = false;
  while (!now.is_complete) {
    if (!waits || boot_clock_now() - said > connection_->config.ask_again) {
      const std::string bytes = knows_standing ? piece_of(file, now.here) : "";
      waits = connection_->ask(PutPiece{.sha256 = content.sha256, .total = content.bytes, .offset = now.here},
                               bytes);
      said = boot_clock_now();
    }
    const auto answer = connection_->wait_for_answer(content.sha256);
    const auto* standing = answer ? std::get_if<Standing>(&answer->message) : nullptr;
    if (!standing) continue;
    now = *standing;
    knows_standing = true;
    waits = false;
    on_progress(now.here);
  }
}

bool BulkClient::shelve(const ShelveArtifact& artifact) {
  if (!fits_frame(artifact))
    throw BulkNotTaken("an artifact of " + std::to_string(artifact.files.size()) +
                       " files with these names is more than a coordinator takes; copy its folder by hand");
  try {
    return std::holds_alternative<Shelved>(connection_->answer_to(artifact, {}));
  } catch (const BulkAbsent&) {
    return false;
  }
}

int64_t BulkClient::store_log(const Lease& lease, const fs::path& file, int64_t here) {
  for (bool knows_standing = here >= 0;; knows_standing = true) {
    const std::string bytes = knows_standing ? piece_of(file, here) : "";
    if (knows_standing && bytes.empty()) return here;
    const BulkMessage answer = connection_->answer_to(PutLog{.lease = lease, .offset = here}, bytes);
    const auto* standing = std::get_if<LogStanding>(&answer);
    if (!standing) throw BulkError("the coordinator answers a piece of a log with something else");
    here = standing->here;
  }
}

}  // namespace ranktide
