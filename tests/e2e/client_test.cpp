// A coordinator, two workers that joined it, and a client, as processes of their own: what `submit` brings is
// what `run` brings on one machine, number for number, and every word of control does what it says.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "tests/e2e/client_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace fs = std::filesystem;

using Client = ClientWorld;

TEST_F(Client, SubmitBringsTheNumbersThatRunBringsOnOneMachine) {
  const TinyWorld alone;
  ASSERT_EQ(alone.ranktide({"run", alone.sweep().string()}).exit_code, 0);
  const auto n1 = worker("n1");
  const auto n2 = worker("n2");
  const Ended ended = ask({"submit", world_.sweep().string(), "--wait"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const std::vector<std::string> query{"query",    "tiny", "--metric", "learning,gain,forgetting",
                                       "--format", "csv"};
  const Ended theirs = ask(query);
  EXPECT_EQ(theirs.exit_code, 0) << theirs.err;
  EXPECT_EQ(theirs.out, alone.ranktide(query).out);
}

// Products of one thread of this machine tell nothing of slots of two.
TEST_F(Client, APlanIsOfTheSlotsThatWorkersHave) {
  const auto n1 = worker("n1", {"--threads-per-slot", "2"});
  std::string plan;
  for (int i = 0; i < 600 && plan.find("1 slot of workers") == std::string::npos; ++i) {
    std::this_thread::sleep_for(100ms);
    plan = ask({"plan", world_.sweep().string()}).out;
  }
  EXPECT_THAT(plan, AllOf(HasSubstr("on 1 slot of workers (basis: a first guess; "),
                          Not(HasSubstr("`ranktide doctor --measure` takes"))));
}

TEST_F(Client, ALogIsFollowedFromAnotherMachineThanTheOneThatWritesIt) {
  ASSERT_EQ(ask({"submit", world_.sweep().string(), "budget.steps=1000"}).exit_code, 0);
  const auto n1 = worker("n1");
  std::string trial;
  for (int i = 0; i < 3000 && trial.empty(); ++i, std::this_thread::sleep_for(100ms)) {
    const Json answer = ask_json({"query", "tiny", "--trials"});
    for (const Json& row : answer.at("rows"))
      if (row.at("state") == "running") trial = row.at("trial");
  }
  ASSERT_FALSE(trial.empty()) << "nothing ran within minutes";
  const Ended followed = ask({"logs", "--follow", trial});
  EXPECT_EQ(followed.exit_code, 0) << followed.err;
  EXPECT_THAT(followed.out, HasSubstr("[n1 attempt 1] "));
  fs::remove_all(world_.folder() / "n1" / "logs");
  for (int i = 0; i < 600 && ask({"logs", trial}).out != followed.out; ++i) std::this_thread::sleep_for(100ms);
  EXPECT_EQ(ask({"logs", trial}).out, followed.out) << "the coordinator has a copy";
}

TEST_F(Client, ASweepIsPausedResumedStoppedAndTriedAgain) {
  ASSERT_EQ(ask({"submit", world_.sweep().string(), "budget.steps=50"}).exit_code, 0);
  EXPECT_EQ(ask({"pause", "tiny"}).exit_code, 0);
  EXPECT_EQ(state_of("tiny"), "paused");
  const auto n1 = worker("n1");
  EXPECT_EQ(ask({"set", "tiny", "--priority", "3", "--max-parallel", "1"}).exit_code, 0);
  EXPECT_EQ(ask({"resume", "tiny"}).exit_code, 0);
  EXPECT_EQ(ask({"stop", "tiny"}).exit_code, 0);
  const Ended watched = ask({"watch", "tiny"});
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_EQ(state_of("tiny"), "stopped");
  EXPECT_EQ(ask({"retry", "tiny"}).exit_code, 0);
  EXPECT_EQ(ask({"watch", "tiny"}).exit_code, 0);
  EXPECT_EQ(state_of("tiny"), "finished");
  const Ended late = ask({"cancel", "tiny", "--yes"});
  EXPECT_EQ(late.exit_code, 1);
  EXPECT_THAT(late.err, HasSubstr("has ended; there is nothing to cancel"));
}

TEST_F(Client, SomeTrialsAreCancelledAndTriedAgain) {
  ASSERT_EQ(ask({"submit", world_.sweep().string()}).exit_code, 0);
  const Json planned = ask_json({"plan", world_.sweep().string(), "--list"}).at("list");
  const std::string one = planned.at(0).at("trial").get<std::string>().substr(0, 12);
  const std::string last = planned.at(7).at("trial").get<std::string>().substr(0, 12);
  EXPECT_EQ(ask({"cancel", "tiny", "--trial", one, "--trial", last}).exit_code, 0);
  EXPECT_THAT(ask({"cancel", "tiny", "--trial", "zz"}).err, HasSubstr("begins no trial of sweep"));
  const auto n1 = worker("n1");
  EXPECT_EQ(ask({"watch", "tiny"}).exit_code, 0);
  const auto states = [&] {
    std::map<std::string, int> out;
    const Json answer = ask_json({"query", "tiny", "--trials"});  // outlives the loop over it
    for (const Json& row : answer.at("rows")) ++out[row.at("state").get<std::string>()];
    return out;
  };
  EXPECT_EQ(states(), (std::map<std::string, int>{{"cancelled", 2}, {"completed", 6}}));
  EXPECT_EQ(ask({"retry", "tiny", "--trial", one}).exit_code, 0);
  EXPECT_EQ(ask({"watch", "tiny"}).exit_code, 0);
  EXPECT_EQ(states(), (std::map<std::string, int>{{"cancelled", 1}, {"completed", 7}}));
  EXPECT_THAT(ask({"retry", "tiny", "--failed"}).err, HasSubstr("nothing of what was named has failed"));
}

// One slot is busy with a trial that would take an hour, until the edit that lists it no more cancels it.
TEST_F(Client, AnEditCancelsWhatItRemovesWhereThatIsAskedFor) {
  const auto with = [&](const std::string& steps, const std::vector<std::string>& more) {
    std::vector<std::string> words{"submit", world_.sweep().string(), "seeds=[7]", "budget.steps=" + steps};
    words.insert(words.end(), {"--only", "block=lora", "--only", "regime = math"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  ASSERT_EQ(ask(with("10000000", {})).exit_code, 0);
  const auto n1 = worker("n1");
  const auto is_running = [&] {
    return ask_json({"status", "tiny"}).at(0).at("trials").value("running", 0) == 1;
  };
  for (int i = 0; i < 3000 && !is_running(); ++i) std::this_thread::sleep_for(100ms);
  ASSERT_TRUE(is_running()) << "nothing ran within minutes";
  const Ended both = ask(with("4", {"--cancel-removed", "--extend"}));
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("--extend"));
  const Ended edited = ask(with("4", {"--cancel-removed", "--wait", "300"}));
  EXPECT_EQ(edited.exit_code, 0) << edited.err;
  EXPECT_THAT(edited.err, HasSubstr("what runs of them is cancelled, unless another sweep wants it"));
  const Ended ends =
      run({"/usr/bin/sqlite3", "-readonly", (data() / "ranktide.db").string(),
           "SELECT group_concat(end_reason) FROM v_attempt WHERE kind='stage' ORDER BY started_at"},
          world_.folder() / "sqlite3");
  EXPECT_EQ(trimmed(ends.out), "cancelled,completed");
}

TEST_F(Client, WorkersAreListedDrainedAndRevokedFromAnywhere) {
  const auto n1 = worker("n1");
  ASSERT_TRUE(n1->says("joined the coordinator", 300s));
  for (int i = 0; i < 600 && ask_json({"worker", "list"}).empty(); ++i) std::this_thread::sleep_for(100ms);
  EXPECT_THAT(ask({"worker", "list"}).out, AllOf(HasSubstr("n1"), HasSubstr("joined")));
  EXPECT_EQ(ask({"worker", "drain", "n1"}).exit_code, 0);
  EXPECT_THAT(ask({"worker", "drain", "nobody"}).err, HasSubstr("nobody"));
  const auto n2 = worker("n2"), n3 = worker("n3");
  for (const auto& each : {&n2, &n3}) ASSERT_TRUE((*each)->says("joined the coordinator", 300s));
  for (int i = 0; i < 600 && ask_json({"worker", "list"}).size() < 3; ++i) std::this_thread::sleep_for(100ms);
  EXPECT_THAT(ask({"worker", "drain", "all"}).err,
              AllOf(HasSubstr("n2"), HasSubstr("n3"), Not(HasSubstr("n1"))));
  EXPECT_EQ(ask({"worker", "drain", "all"}).exit_code, 5) << "none is joined";
  const Ended unknown = ask({"worker", "revoke", "nobody"});
  EXPECT_EQ(unknown.exit_code, 5);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("no worker named \"nobody\""), HasSubstr("n1")));
  EXPECT_EQ(ask({"worker", "revoke", "n1"}).exit_code, 0);
  const auto back = worker("n1");
  EXPECT_TRUE(back->says("revoked this worker's key for good", 300s));
}

TEST_F(Client, TheSameRequestIsDoneOnce) {
  const std::vector<std::string> submit{"submit", world_.sweep().string(), "--request-id", "from-a-script"};
  const Json first = ask_json(submit);
  EXPECT_EQ(first.at("trials"), 8);
  EXPECT_EQ(ask_json(submit), first);
  EXPECT_THAT(ask({"list"}).out, AllOf(HasSubstr("tiny"), HasSubstr("local")));
  const Ended waited = ask({"submit", world_.sweep().string(), "--wait", "1"});
  EXPECT_EQ(waited.exit_code, 7) << waited.err;  // nobody works for it
  EXPECT_EQ(ask({"cancel", "tiny", "--yes"}).exit_code, 0);
  EXPECT_EQ(state_of("tiny"), "cancelled");
}

TEST_F(Client, StatusOfAllSweepsIsFollowedUntilNoneMoves) {
  ASSERT_EQ(ask({"submit", world_.sweep().string()}).exit_code, 0);
  const auto n1 = worker("n1");
  const Ended watched = ask({"status", "-w"});
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.out,
              AllOf(Not(testing::StartsWith("tiny  finished")), HasSubstr("\ntiny  finished  8/8 trials")));
  EXPECT_THAT(watched.out, Not(HasSubstr("\x1b"))) << "no terminal";
  EXPECT_EQ(ask({"status", "--watch", "tiny"}).exit_code, 0);
  EXPECT_EQ(ask({"status", "--watch", "nobody"}).exit_code, 5);
}

TEST_F(Client, ADryRunSubmitsNothing) {
  EXPECT_THAT(ask({"submit", world_.sweep().string(), "-n"}).err, HasSubstr("8 trials; nothing was submitted"));
  EXPECT_THAT(ask_json({"list"}), IsEmpty());
}

TEST_F(Client, WhatCannotBeAskedSaysWhyAndHasItsCode) {
  const Ended unknown = ask({"pause", "nobody"});
  EXPECT_EQ(unknown.exit_code, 5);
  EXPECT_THAT(unknown.err, HasSubstr("no sweep named \"nobody\""));
  const Ended nowhere = ask({"list", "--coordinator", "http://127.0.0.1:1"});
  EXPECT_EQ(nowhere.exit_code, 3);
  EXPECT_THAT(nowhere.err, HasSubstr("no coordinator answers at http://127.0.0.1:1"));
  EXPECT_EQ(ask({"list", "--coordinator", "ftp://x"}).exit_code, 2);
  EXPECT_EQ(ask({"list", "-C", "home"}).exit_code, 5);
  const fs::path token = world_.folder() / "token";
  write_text(token, "not-a-token\n");
  fs::permissions(token, fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_EQ(ask({"context", "add", "wrong", "--coordinator", url(), "--token-file", token.string()}).exit_code,
            0);
  EXPECT_EQ(ask({"list", "-C", "wrong"}).exit_code, 4);
  fs::permissions(token, fs::perms::all);
  EXPECT_THAT(ask({"list", "-C", "wrong"}).err, HasSubstr("chmod 600"));
}

TEST_F(Client, TheEnvironmentNamesACoordinatorWhereNoOptionDoesAndBeforeTheContextInUse) {
  struct Variable {  // unset with the scope, for the other tests
    Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
    ~Variable() { ::unsetenv(name_); }
    const char* name_;
  };
  const std::string nobody = "http://127.0.0.1:1";
  ASSERT_EQ(ask({"context", "add", "away", "--coordinator", nobody}).exit_code, 0);
  ASSERT_EQ(ask({"context", "use", "away"}).exit_code, 0);
  EXPECT_EQ(ask({"list"}).exit_code, 3);
  {
    const Variable context("RANKTIDE_CONTEXT", "lab");
    EXPECT_EQ(ask({"list"}).exit_code, 0);
    const Variable url_of_nobody("RANKTIDE_COORDINATOR", nobody);
    EXPECT_EQ(ask({"list"}).exit_code, 3) << "a URL goes before a context's name";
    EXPECT_EQ(ask({"list", "-C", "lab"}).exit_code, 0) << "an option goes before both";
    EXPECT_EQ(ask({"list", "--coordinator", url()}).exit_code, 0);
  }
  const Variable url_of_ours("RANKTIDE_COORDINATOR", url());
  EXPECT_EQ(ask({"list"}).exit_code, 0);
  EXPECT_EQ(ask({"list", "-C", "away"}).exit_code, 3);
}

TEST_F(Client, SubmitsPriorityGoesBeforeTheFilesAndBringsItsTrialsForward) {
  const std::string file = world_.sweep().string();
  ASSERT_EQ(ask({"submit", file, "name=first"}).exit_code, 0);
  ASSERT_EQ(ask({"submit", file, "name=urgent", "run.priority=-1", "--priority", "7", "seeds=[91]"}).exit_code,
            0);
  const auto n1 = worker("n1", {"--once"});
  EXPECT_EQ(n1->wait(300s).exit_code, 0);
  const auto done = [&](const std::string& sweep) {
    const Json answer = ask_json({"query", sweep, "--trials"});
    int out = 0;
    for (const Json& row : answer.at("rows")) out += row.at("state") == "completed" ? 1 : 0;
    return out;
  };
  EXPECT_EQ(done("urgent"), 1);
  EXPECT_EQ(done("first"), 0);
}

TEST_F(Client, ContextsAreKeptUsedAndForgotten) {
  EXPECT_THAT(ask({"context", "list"}).out, HasSubstr("* lab"));
  EXPECT_EQ(ask({"context", "use", "local"}).exit_code, 0);
  EXPECT_THAT(ask({"context", "list"}).out, Not(HasSubstr("*")));
  EXPECT_EQ(ask({"context", "remove", "lab"}).exit_code, 0);
  EXPECT_THAT(ask({"context", "use", "lab"}).err, HasSubstr("no context \"lab\""));
}

}  // namespace
}  // namespace ranktide::e2e
