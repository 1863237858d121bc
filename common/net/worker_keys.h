#pragma once
// Who may connect, and under which name: the table of enrolled worker keys, a text file that is read again when
// it has changed, so that a key is added or revoked without a restart. Not the connection itself. One line a
// key: `<public key> <worker name>`, then `until=<milliseconds since 1970>` for a key that expires, and
// ` revoked` at its end for a key that must not come back. An expired key is good again when it is authorised
// again. A line that starts with "# " is a comment. Two keys may carry one name while a worker changes its key.
// Thread rule: one object per thread; files may be changed by other processes at any time.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/clock.h"
#include "common/net/keys.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/time.h"

namespace ranktide {

enum class KeyStanding { unknown, active, revoked, expired };

struct WorkerKey {
  std::string public_key;
  WorkerName worker;
  bool revoked = false;
  std::optional<int64_t> until_ms{};  // wall clock; nullopt: never expires

  KeyStanding standing(int64_t now_ms) const;
};

constexpr Duration kKeysLookedAtEvery{1'000};  // by whoever serves under the table

class WorkerKeys {
 public:
  // An absent file is an empty table. Throws: KeyError with file and line for one that is not understood.
  explicit WorkerKeys(std::filesystem::path file);

  // Reads the file again if it is another one than last time. Returns: whether it was read.
  // Throws: KeyError as the constructor, once per state of the file; the table then stays as it was.
  bool refresh();

  // now_ms, here and below: wall_clock_ms(), which is this machine's own, as the expiry is.
  KeyStanding standing(std::string_view public_key, int64_t now_ms = wall_clock_ms()) const;
  // Returns: the name that an active key is enrolled under; nullopt for any other key.
  std::optional<WorkerName> name_of(std::string_view public_key, int64_t now_ms = wall_clock_ms()) const;
  // Returns: names whose every key is revoked or has expired: nobody may speak for them.
  std::set<WorkerName> revoked_names(int64_t now_ms = wall_clock_ms()) const;
  // Returns: all keys, in the order of their text.
  std::vector<WorkerKey> all() const;

 private:
  using Table = std::map<std::string, WorkerKey, std::less<>>;  // by public key
  struct Stamp {  // which file was read; a rename puts another inode in place
    uint64_t inode = 0;
    int64_t size = -1;
    int64_t modified_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  static Table read(const std::filesystem::path& file);
  static Stamp stamp_of(const std::filesystem::path& file);

  std::filesystem::path file_;
  Table table_;
  Stamp stamp_;
};

// Enrols a key, or gives an enrolled one another name and time; replaces the file in one step, so that a reader
// sees the old table or the new one. until_ms: nullopt: it never expires.
// Throws: KeyError for a malformed key, a name that fault_of_worker_name() refuses, a revoked key, or failed
// I/O.
void authorise_worker(const std::filesystem::path& file, std::string_view public_key, const WorkerName& worker,
                      std::optional<int64_t> until_ms = std::nullopt);
// As above, under the wanted name or, when another key has that already, the first free one of wanted-2,
// wanted-3 and so on. Returns: the name; of an enrolled key the one that it has, and an expired one expires no
// more.
WorkerName enrol_worker(const std::filesystem::path& file, std::string_view public_key,
                        const WorkerName& wanted);
// Throws: KeyError when the key is not enrolled.
void revoke_worker_key(const std::filesystem::path& file, std::string_view public_key);
struct UnknownWorker : KeyError {
  using KeyError::KeyError;
};
// Revokes every key of that name. Returns: how many were active. Throws: UnknownWorker, which names those there
// are, when there is none of that name; KeyError for failed I/O.
int revoke_worker(const std::filesystem::path& file, const WorkerName& worker);

// Takes every key of that name out of the table, revoked ones too: the table knows nothing of them any more,
// and a key that comes again needs a new invitation. Returns: how many there were. Throws: KeyError for failed
// I/O.
int forget_worker(const std::filesystem::path& file, const WorkerName& worker);
// Tries it: where there is a key of that name, the table is replaced by itself. Throws: KeyError where
// forget_worker() would.
void require_forgettable(const std::filesystem::path& file, const WorkerName& worker);

// Returns: whether it reads as a worker's name: 1 to 64 of A-Z a-z 0-9 . _ - with a letter or digit first.
bool is_worker_name(std::string_view text);
inline constexpr std::string_view kEveryWorker = "all";  // where commands name a worker
// Returns: why no worker is given this name, without it; empty when one may be. kEveryWorker is none. A table
// that has a worker of that name from earlier is read all the same.
std::string fault_of_worker_name(std::string_view text);

}  // namespace ranktide
