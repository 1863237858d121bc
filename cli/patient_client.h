#pragma once
// A client that outlives restarts of its coordinator, for commands that stay: once it has been answered it goes
// on asking for some minutes, finds the coordinator anew each time, and says once that it waits. Before it was
// answered it gives up as soon as any command does. Not what is asked. One thread.

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/http_client.h"

namespace ranktide::cli {

struct Patience {
  std::chrono::milliseconds limit{600'000};                    // of one outage
  std::chrono::milliseconds pause{1'000};                      // between two questions
  std::optional<std::chrono::steady_clock::time_point> until;  // the command's own limit; nullopt: none
  std::function<void(const std::string& line)> say;            // "waiting for the coordinator at ..."
};

// Returns: a way to say a line on standard error, which a quiet command does not take.
std::function<void(const std::string&)> told_on_stderr(const GlobalOptions& globals);

class PatientClient {
 public:
  using Find = std::function<std::optional<HttpClient>()>;  // one that starts again may listen elsewhere
  using Ask = std::function<std::optional<HttpAnswer>(const HttpClient&)>;

  PatientClient(Find find, Patience patience);
  // Of the coordinator that the options mean. Outlives: `globals` must outlive it. Throws: CommandError of code
  // kUnreachable when none is meant.
  PatientClient(const GlobalOptions& globals, Patience patience);

  // Returns: the answer; nullopt when `until` has come first. Throws: CommandError of code kUnreachable when
  // patience ends. Requires: it may be asked again without harm.
  std::optional<HttpAnswer> ask(const Ask& ask);
  std::optional<HttpAnswer> get(const std::string& target);
  // Asks once. Returns: the answer; nullopt when there was none, or not the whole of one.
  std::optional<HttpAnswer> ask_once(const Ask& ask);

  // For what comes next; it may be changed between two questions.
  Patience& patience() { return patience_; }
  // Returns: where it asked last.
  const std::string& url() const { return url_; }

 private:
  void wait(std::chrono::steady_clock::time_point since);
  std::string why_it_ends(std::chrono::milliseconds limit) const;

  Find find_;
  Patience patience_;
  std::string url_;
  std::string cut_;  // what is known of an answer that was cut off; empty: there was none at all
  bool was_answered_ = false;
  bool is_away_ = false;  // and that was said
};

}  // namespace ranktide::cli
