#include "tests/sim/scenario.h"

#include <cctype>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide::sim {
namespace {

constexpr size_t kBriefDigits = 12;

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, by);)
    if (!part.empty()) out.push_back(part);
  return out;
}

bool is_hex(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0 || (c >= 'a' && c <= 'f');
}

// A command's words: a verb, bare words, and key=value pairs.
struct Command {
  std::vector<std::string> words;
  std::map<std::string, std::string> values;

  explicit Command(const std::string& line) {
    for (const std::string& word : split(line, ' ')) {
      const size_t equals = word.find('=');
      if (equals == std::string::npos)
        words.push_back(word);
      else
        values[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  std::string value(const std::string& key, const std::string& otherwise) const {
    const auto it = values.find(key);
    return it == values.end() ? otherwise : it->second;
  }
  int64_t number(const std::string& key, int64_t otherwise) const {
    const auto it = values.find(key);
    return it == values.end() ? otherwise : std::stoll(it->second);
  }
};

class Game {
 public:
  Game() { core_.emplace(CoordinatorConfig{}, State{}, now_); }

  std::string run(const std::string& line) {
    const Command command(line);
    Effects effects;
    std::string first_line;
    const std::string& verb = command.words.at(0);
    if (verb == "wait")
      now_ = now_ + Duration{std::stoll(command.words.at(1)) * 1000};
    else if (verb == "restart")
      first_line = restart(effects);
    else if (verb == "grid")
      first_line = grid_of(command.words.at(1));
    else if (verb == "look")
      first_line = standing_of(command.words.at(1));
    else
      step(input_of(verb, command), effects);
    return first_line + print(effects);
  }

 private:
  Input input_of(const std::string& verb, const Command& command) {
    if (verb == "submit") return submit(command);
    if (const auto action = enum_of<SweepAction>(verb))
      return ControlSweep{.reply_to = 1, .request_id = verb, .sweep = command.words.at(1), .action = *action};
    if (verb == "policy") return change_policy(command);
    if (verb == "cancel-trials") return control_trials(SweepAction::cancel, command);
    if (verb == "retry-trials") return control_trials(SweepAction::retry, command);
    if (verb == "quota") return SetQuota{command.words.at(1), optional_number(command, "slots")};
    if (verb == "wake") {
      now_ = std::max(now_, core_->next_deadline().value());
      return Wake{};
    }
    const WorkerName sender{command.words.at(1)};
    if (verb == "ask-drain") return DrainWorker{.reply_to = 1, .request_id = verb, .worker = sender};
    if (verb == "revoke") return KeysRevoked{sender};
    if (verb == "ask-revoke") return RevokeWorker{.reply_to = 1, .request_id = verb, .worker = sender};
    if (verb == "forget") return ForgetWorker{.reply_to = 1, .request_id = verb, .worker = sender};
    if (verb == "hello") return FromWorker{sender, hello(command)};
    if (verb == "beat") return FromWorker{sender, beat(command)};
    if (verb == "report") return FromWorker{sender, report(command)};
    if (verb == "done") return FromWorker{sender, done(command)};
    if (verb == "drain") return FromWorker{sender, Drain{command.value("boot", "")}};
    throw std::invalid_argument("scenario: unknown command \"" + verb + "\"");
  }

  static Submit submit(const Command& command) {
    SweepForTests wish{.name = command.words.at(1)};
    wish.has_shape = true;
    wish.ranks.clear();
    for (const std::string& rank : split(command.value("ranks", "4"), ','))
      wish.ranks.push_back(std::stoi(rank));
    wish.seeds = static_cast<int>(command.number("seeds", 1));
    if (command.values.contains("rates")) wish.rates = "[" + command.value("rates", "") + "]";
    if (command.values.contains("extend"))
      wish.tune = "{axes: [train.lr], extend: " + command.value("extend", "") + "}";
    wish.steps = static_cast<int>(command.number("steps", 6));
    for (const std::string& budget : split(command.value("budgets", ""), ','))
      if (!budget.empty()) wish.budgets.push_back(std::stoi(budget));
    wish.max_tokens = static_cast<int>(command.number("tokens", wish.max_tokens));
    wish.has_evals = command.values.contains("at");
    wish.eval_at = "[";
    for (const std::string& at : split(command.value("at", ""), '+'))
      wish.eval_at += (wish.eval_at.size() > 1 ? ", " : "") + at;
    wish.eval_at += "]";
    for (const std::string& part : split(command.value("run", "keep:none"), ':'))
      wish.run += (wish.run.empty() ? "" : ": ") + part;
    return {.reply_to = 1,
            .request_id = command.value("request", "request-" + wish.name),
            .actor = command.value("owner", kLocalActor),
            .spec = sweep_for_tests(wish),
            .cancel_removed = command.value("removed", "") == "cancel"};
  }

  static std::optional<int> optional_number(const Command& command, const std::string& key) {
    if (!command.values.contains(key)) return std::nullopt;
    return static_cast<int>(command.number(key, 0));
  }

  static ChangePolicy change_policy(const Command& command) {
    return {.reply_to = 1,
            .request_id = "policy",
            .sweep = command.words.at(1),
            .priority = optional_number(command, "priority"),
            .max_parallel = optional_number(command, "parallel")};
  }

  // Words after the sweep: names of trials, other beginnings of ids, and "failed".
  ControlTrials control_trials(SweepAction action, const Command& command) const {
    ControlTrials out{.reply_to = 1, .request_id = "trials", .sweep = command.words.at(1), .action = action};
    for (size_t i = 2; i < command.words.size(); ++i) {
      const std::string& word = command.words[i];
      const auto brief = briefs_.find(word);
      if (word == "failed")
        out.trials.failed = true;
      else
        out.trials.prefixes.push_back(brief == briefs_.end() ? word : brief->second);
    }
    return out;
  }

  static std::vector<Slot> slots_of(const Command& command) {
    std::vector<Slot> slots;
    for (int i = 0; i < command.number("slots", 1); ++i) slots.push_back({.index = i, .device = "cpu"});
    const auto each = [&](const char* key, auto&& set) {
      const std::vector<std::string> items = split(command.value(key, ""), ',');
      for (size_t i = 0; i < items.size(); ++i) set(slots.at(i), items[i]);
    };
    each("gb",
         [](Slot& slot, const std::string& gb) { slot.memory_bytes = std::llround(std::stod(gb) * 1e9); });
    each("device", [](Slot& slot, const std::string& device) { slot.device = device; });
    each("label", [](Slot& slot, const std::string& label) { slot.labels = {label}; });
    return slots;
  }

  Hello hello(const Command& command) {
    Hello out{.boot = command.value("boot", ""), .version = "test", .slots = {}, .held = {}};
    out.slots = slots_of(command);
    const std::string held = command.value("held", "");
    if (!held.empty()) out.held.push_back({.lease = lease(held), .last_acked_seq = command.number("acked", 0)});
    return out;
  }

  Heartbeat beat(const Command& command) {
    Heartbeat out{.boot = command.value("boot", ""), .running = {}, .progress = {}};
    for (size_t i = 2; i < command.words.size(); ++i) out.running.push_back(lease(command.words[i]));
    return out;
  }

  Report report(const Command& command) {
    Report out{.lease = lease(command.words.at(2)), .seq = command.number("seq", 1), .findings = {}};
    if (command.values.contains("point"))
      out.findings.points.push_back({.step = command.number("point", 0), .name = "loss", .value = 1});
    if (command.values.contains("checkpoint")) out.findings.checkpoint = command.number("checkpoint", 0);
    if (command.values.contains("eval"))
      out.findings.evals.push_back({.id = EvalId{id(command.value("eval", ""))},
                                    .metric = "loss",
                                    .value = static_cast<double>(command.number("loss", 1)),
                                    .sign = command.values.contains("loss") ? -1 : 1,
                                    .n = 1});
    return out;
  }

  Done done(const Command& command) {
    Done out{.lease = lease(command.words.at(2)), .seq = command.number("seq", 1), .outcome = {}};
    const auto kind = enum_of<OutcomeKind>(command.words.at(3));
    if (!kind) throw std::invalid_argument("scenario: unknown outcome \"" + command.words.at(3) + "\"");
    out.outcome.kind = *kind;
    out.outcome.step = command.number("step", 0);
    out.outcome.lasting = command.number("lasting", 0) != 0;
    return out;
  }

  void step(const Input& input, Effects& effects) {
    core_->step(now_, input, effects);
    remember(effects);
  }

  void remember(const Effects& effects) {
    for (const Record& record : effects.records) {
      journal_.emplace_back(std::string(kind_of(record)), to_journal(record));
      if (const auto* granted = std::get_if<LeaseGranted>(&record)) {
        learn(granted->lease.unit.text);
        for (const EvalId& eval : granted->evals) learn(eval.text);
      }
    }
  }

  std::string restart(Effects& effects) {
    State state;
    for (const auto& [kind, body] : journal_) state.apply(from_journal(kind, body));
    const bool is_equal = state.text() == core_->state().text();
    core_.emplace(CoordinatorConfig{}, std::move(state), now_);
    core_->begin(effects);
    remember(effects);
    return is_equal ? "  replay equals live state\n" : "  REPLAY DIFFERS FROM LIVE STATE\n";
  }

  // Every trial, listed or not, so that it can be named.
  std::string grid_of(const std::string& name) {
    std::string out;
    const Grid& grid = core_->state().find_sweep(name)->grid;
    for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
      const SweepTrial trial = grid.at(raw).value();
      learn(trial.id.text), learn(trial.stage.text);
      out += "  trial " + named(trial.id.brief()) + " stage " + named(trial.stage.brief()) + "\n";
    }
    return out;
  }

  // How a sweep stands, which records alone do not say.
  std::string standing_of(const std::string& name) const {
    for (const auto& [number, sweep] : core_->state().sweeps()) {
      if (sweep.name() != name) continue;
      std::string out = "  " + name + (sweep.is_over() ? " is over:" : " goes on:");
      for (size_t i = 0; i < sweep.stages.size(); ++i)
        if (sweep.stages[i] > 0)
          out += " " + std::to_string(sweep.stages[i]) + " " + EnumTexts<UnitLife>::texts[i];
      return out + "\n";
    }
    throw std::invalid_argument("scenario: no sweep is called " + name);
  }

  // ---- printing

  std::string print(const Effects& effects) {
    std::string out;
    for (const Record& record : effects.records) out += "  record " + named(describe(record)) + "\n";
    for (const PointBatch& batch : effects.points)
      out += "  points " + std::to_string(batch.points.size()) + " of " + named(batch.stage.brief()) + "\n";
    for (const ToWorker& to : effects.messages)
      out += "  to " + to.worker.text + " " + named(describe(to.message)) + "\n";
    for (const Reply& reply : effects.replies) out += "  reply " + std::visit(ReplyText{}, reply.answer) + "\n";
    return out;
  }

  struct ReplyText {
    std::string operator()(const Submitted& a) const {
      std::string out = "Submitted{sweep " + std::to_string(a.sweep) + "." + std::to_string(a.revision);
      for (const AwaySource& source : a.away) out += ", " + source.from + " is away with " + source.worker.text;
      return out + "}";
    }
    std::string operator()(const Controlled& a) const { return "Controlled{" + a.now + "}"; }
    std::string operator()(const Rejected& a) const { return "Rejected{" + a.reason + "}"; }
  };

  void learn(const std::string& full) {
    name_of(full.substr(0, kBriefDigits)), full_[full.substr(0, kBriefDigits)] = full;
  }

  std::string name_of(const std::string& brief) {
    const auto [it, is_new] = names_.emplace(brief, "@" + std::to_string(names_.size() + 1));
    if (is_new) briefs_[it->second] = brief;
    return it->second;
  }

  // Replaces every run of exactly twelve hex digits by its name.
  std::string named(const std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size();) {
      size_t end = i;
      while (end < text.size() && is_hex(text[end])) ++end;
      if (end - i == kBriefDigits)
        out += name_of(text.substr(i, kBriefDigits));
      else
        out += text.substr(i, end - i);
      if (end < text.size()) out += text[end];
      i = end + 1;
    }
    return out;
  }

  std::string id(const std::string& name) const {
    const auto brief = briefs_.find(name);
    if (brief == briefs_.end()) throw std::invalid_argument("scenario: nothing is called " + name + " yet");
    return full_.at(brief->second);
  }

  Lease lease(const std::string& text) const {  // "@1/2"
    const size_t slash = text.find('/');
    return {UnitId{id(text.substr(0, slash))}, static_cast<Attempt>(std::stoi(text.substr(slash + 1)))};
  }

  Instant now_;
  std::optional<Coordinator> core_;
  std::vector<std::pair<std::string, std::string>> journal_;
  std::map<std::string, std::string> names_;   // brief -> @n
  std::map<std::string, std::string> briefs_;  // @n -> brief
  std::map<std::string, std::string> full_;    // brief -> id
};

}  // namespace

std::string play(const std::string& transcript) {
  Game game;
  std::string out;
  std::istringstream in(transcript);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("> "))
      out += line + "\n" + game.run(line.substr(2));
    else if (line.starts_with("#") || line.empty())
      out += line + "\n";
  }
  return out;
}

}  // namespace ranktide::sim
