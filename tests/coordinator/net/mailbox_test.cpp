#include "coordinator/edge/mailbox.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <thread>

namespace ranktide {
namespace {

bool rings(const Mailbox& mailbox) {
  pollfd item{.fd = mailbox.doorbell(), .events = POLLIN, .revents = 0};
  return ::poll(&item, 1, 0) == 1;
}

UserRequest cancel(const std::string& sweep) {
  return ControlSweep{.request_id = "r", .sweep = sweep, .action = SweepAction::cancel};
}

bool is_rejected(std::future<Answer>& answer) {
  return std::holds_alternative<Rejected>(answer.get());
}

TEST(Mailbox, RingsUntilWhatWaitsIsTaken) {
  Mailbox mailbox;
  EXPECT_FALSE(rings(mailbox));
  auto answer = mailbox.ask(cancel("s"));
  EXPECT_TRUE(rings(mailbox));
  EXPECT_EQ(mailbox.take().size(), 1U);
  EXPECT_FALSE(rings(mailbox));
}

TEST(Mailbox, GivesEachAskerItsOwnAnswer) {
  Mailbox mailbox;
  auto first = mailbox.ask(cancel("a"));
  auto second = mailbox.ask(cancel("b"));
  const std::vector<Input> inputs = mailbox.take();
  mailbox.answer({.reply_to = std::get<ControlSweep>(inputs.at(1)).reply_to, .answer = Controlled{"2"}});
  mailbox.answer({.reply_to = std::get<ControlSweep>(inputs.at(0)).reply_to, .answer = Controlled{"1"}});
  EXPECT_EQ(std::get<Controlled>(first.get()).now, "1");
  EXPECT_EQ(std::get<Controlled>(second.get()).now, "2");
}

TEST(Mailbox, RefusesWhatIsOverItsLimitAtOnce) {
  Mailbox mailbox(2);
  auto first = mailbox.ask(cancel("a"));
  auto second = mailbox.ask(cancel("b"));
  auto third = mailbox.ask(cancel("c"));
  EXPECT_TRUE(is_rejected(third));
  EXPECT_EQ(mailbox.take().size(), 2U);
}

TEST(Mailbox, CountsWhatIsTakenButNotAnsweredTowardsItsLimit) {
  Mailbox mailbox(1);
  auto first = mailbox.ask(cancel("a"));
  (void)mailbox.take();
  auto second = mailbox.ask(cancel("b"));
  EXPECT_TRUE(is_rejected(second));
}

TEST(Mailbox, CloseAnswersWhoeverWaitsAndWhoeverComes) {
  Mailbox mailbox;
  auto before = mailbox.ask(cancel("a"));
  const std::vector<Input> taken = mailbox.take();
  mailbox.close();
  auto after = mailbox.ask(cancel("b"));
  EXPECT_TRUE(is_rejected(before));
  EXPECT_TRUE(is_rejected(after));
  EXPECT_TRUE(rings(mailbox));
  mailbox.answer({.reply_to = std::get<ControlSweep>(taken.at(0)).reply_to,
                  .answer = Controlled{"1"}});  // too late, dropped
}

TEST(Mailbox, CallsBackOnceWhenSomebodyAsksWithoutWaiting) {
  Mailbox mailbox(1);
  std::vector<std::string> heard;
  const auto listen = [&](const std::variant<Answer, Unavailable>& answer) {
    heard.push_back(std::holds_alternative<Unavailable>(answer)
                        ? "unavailable"
                        : std::get<Controlled>(std::get<Answer>(answer)).now);
  };
  mailbox.ask(cancel("a"), listen);
  EXPECT_TRUE(heard.empty());
  mailbox.ask(cancel("b"), listen);  // over the limit
  const Reply reply{.reply_to = std::get<ControlSweep>(mailbox.take().at(0)).reply_to,
                    .answer = Controlled{"a"}};
  mailbox.answer(reply);
  mailbox.answer(reply);
  mailbox.ask(cancel("c"), listen);
  mailbox.close();
  EXPECT_EQ(heard, (std::vector<std::string>{"unavailable", "a", "unavailable"}));
}

TEST(Mailbox, DropsWhatNobodyTakes) {
  Mailbox mailbox(2);
  int taken = 0;
  while (mailbox.tell(SetQuota{.owner = "ann"})) ++taken;
  EXPECT_EQ(taken, 4);
  EXPECT_EQ(mailbox.take().size(), 4U);
  mailbox.close();
  EXPECT_FALSE(mailbox.tell(SetQuota{.owner = "ann"}));
}

TEST(Mailbox, ServesAskersOfManyThreads) {
  Mailbox mailbox;
  std::vector<std::thread> askers;
  std::atomic<int> answered{0};
  for (int i = 0; i < 4; ++i)
    askers.emplace_back([&] {
      for (int n = 0; n < 50; ++n)
        answered += std::holds_alternative<Controlled>(mailbox.ask(cancel("s")).get()) ? 1 : 0;
    });
  while (answered < 200) {
    for (const Input& input : mailbox.take())
      mailbox.answer({.reply_to = std::get<ControlSweep>(input).reply_to, .answer = Controlled{"1"}});
    mailbox.show({.epoch = 1});
    std::this_thread::yield();
  }
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(mailbox.live().epoch, 1U);
}

}  // namespace
}  // namespace ranktide
