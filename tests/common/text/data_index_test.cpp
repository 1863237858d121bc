#include "common/text/data_index.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "common/text/rows_cache.h"
#include "common/vocabulary/wire.h"
#include "tests/common/text/text_fixture.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

class DataIndexTest : public TextTest {
 protected:
  DataSettings settings(const std::string& data) const {
    DataSettings out;
    out.train = {{data, 1}};
    out.max_tokens = 8;
    return out;
  }
  std::string lines(const std::string& name, int count) const {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += R"({"question": "Q)" + std::to_string(i) + R"(", "answer": "A)" + std::to_string(i) + "\"}\n";
    return file(name, text);
  }
  Dataset cached(const DataSettings& s) const { return load_dataset(s, tokenizer_, path("cache")); }
  std::vector<std::filesystem::path> cache_files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(path("cache"))) files.push_back(entry.path());
    return files;
  }

  // Makes a cache file of so many bytes, a hole, that nobody used for so long. Returns: its path.
  std::filesystem::path unused_since(const std::string& name, std::chrono::hours age, int64_t bytes) const {
    const std::filesystem::path out = file("cache/" + name, "");
    std::filesystem::resize_file(out, static_cast<uintmax_t>(bytes));
    was_used(out, age);
    return out;
  }
  static void was_used(const std::filesystem::path& file, std::chrono::hours age) {
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - age);
  }

  Tokenizer tokenizer_ = small_tokenizer("gpt2");
};

TEST_F(DataIndexTest, SummarisesWhatIsInTheRows) {
  const Dataset dataset = load_dataset(settings(lines("a.jsonl", 10)), tokenizer_);
  EXPECT_EQ(dataset.summary.documents, 10);
  EXPECT_EQ(dataset.summary.rows, static_cast<int64_t>(dataset.rows.size()));
  EXPECT_EQ(dataset.summary.format, "prompt (question + answer)");
  int64_t tokens = 0;
  for (const Row& row : dataset.rows) tokens += static_cast<int64_t>(row.tokens.size());
  EXPECT_EQ(dataset.summary.tokens, tokens);
}

TEST_F(DataIndexTest, ItsIdentityIsContentNotPlace) {
  const std::string here = load_dataset(settings(lines("a.jsonl", 3)), tokenizer_).summary.sha256;
  EXPECT_EQ(load_dataset(settings(lines("other/b.jsonl", 3)), tokenizer_).summary.sha256, here);
  EXPECT_NE(load_dataset(settings(lines("a.jsonl", 4)), tokenizer_).summary.sha256, here);
}

TEST_F(DataIndexTest, WhereTheNameAloneSaysTheKindItIsPartOfTheIdentity) {
  const DataSettings rows = settings(lines("a.jsonl", 3));
  const DataSettings text = settings(lines("a.txt", 3));
  EXPECT_EQ(cached(rows).summary.documents, 3);
  EXPECT_EQ(cached(text).summary.format, "text") << "not the rows that lie there for the other name";
  EXPECT_NE(cached(text).summary.sha256, cached(rows).summary.sha256);
  const std::string plain = cached(settings(file("b.txt", "Tides."))).summary.sha256;
  EXPECT_EQ(cached(settings(file("b.md", "Tides."))).summary.sha256, plain);
  DataSettings replayed = settings(file("b.txt", "Tides."));
  const auto with = [&](const std::string& path) {
    replayed.replay = Replay{.path = path, .share = 0.5};
    return cached(replayed).summary.sha256;
  };
  EXPECT_EQ(with(lines("c.txt", 3)), with(lines("c.md", 3)));
}

// Frozen: trials are found by these.
TEST_F(DataIndexTest, TheIdentityOfOrdinaryFilesNeverChanges) {
  const auto id = [&](const std::string& name, const std::string& text) {
    return load_dataset(settings(file(name, text)), tokenizer_).summary.sha256.substr(0, 12);
  };
  const std::string row = "{\"prompt\": \"a\", \"completion\": \"b\"}";
  EXPECT_EQ(id("a.jsonl", row + "\n"), "3e04f4ad9aa5");
  EXPECT_EQ(id("a.json", "[" + row + "]"), "e20e8c454709");
  EXPECT_EQ(id("marked.jsonl", "\xEF\xBB\xBF" + row), "b07761d77b43");
  EXPECT_EQ(id("a.txt", "[Verse 1]\n"), "e7fb4b4cd5d5");
}

TEST_F(DataIndexTest, FindsAgainWhatItCached) {
  const DataSettings s = settings(lines("a.jsonl", 10));
  const Dataset built = load_dataset(s, tokenizer_);
  for (int i = 0; i < 2; ++i) {
    const Dataset found = cached(s);
    EXPECT_EQ(found.rows, built.rows);
    EXPECT_TRUE(equal(found.summary, built.summary));
  }
  EXPECT_EQ(cache_files().size(), 1u);
}

TEST_F(DataIndexTest, CachesEverySettingThatShapesRowsApart) {
  DataSettings s = settings(lines("a.jsonl", 10));
  cached(s);
  s.mask_prompt = false;
  cached(s);
  s.max_tokens = 9;
  cached(s);
  s.form = "{prompt}={completion}";
  cached(s);
  lines("a.jsonl", 11);
  cached(s);
  EXPECT_EQ(cache_files().size(), 5u);
}

TEST_F(DataIndexTest, RebuildsATornOrAlteredEntry) {
  const DataSettings s = settings(lines("a.jsonl", 10));
  const Dataset built = cached(s);
  const std::filesystem::path entry = cache_files().at(0);
  std::filesystem::resize_file(entry, std::filesystem::file_size(entry) - 5);
  EXPECT_EQ(cached(s).rows, built.rows);
  std::fstream(entry, std::ios::in | std::ios::out | std::ios::binary).seekp(200).put('\x7f');
  EXPECT_EQ(cached(s).rows, built.rows);
  EXPECT_EQ(load_dataset(s, tokenizer_, path("cache")).rows, built.rows);
}

TEST_F(DataIndexTest, TheLeastRecentlyUsedGoWhenTheCacheIsTooLarge) {
  const DataSettings used = settings(lines("a.jsonl", 10));
  cached(used);
  const std::filesystem::path entry = cache_files().at(0);
  was_used(entry, std::chrono::hours(24 * 7));
  const auto older = unused_since("0.rows", std::chrono::hours(48), kRowsKeptBytesMax / 2);
  const auto newer = unused_since("1.rows", std::chrono::hours(24), kRowsKeptBytesMax / 2);
  cached(used);
  EXPECT_TRUE(std::filesystem::exists(older)) << "nothing came, so nothing goes";
  cached(settings(lines("b.jsonl", 11)));
  EXPECT_FALSE(std::filesystem::exists(older));
  EXPECT_TRUE(std::filesystem::exists(newer)) << "it is little enough now";
  EXPECT_TRUE(std::filesystem::exists(entry)) << "it was used since";
  EXPECT_EQ(cache_files().size(), 3u);
}

TEST_F(DataIndexTest, WhatWasJustMadeStaysHoweverLargeItIs) {
  const auto large = unused_since("0.rows", std::chrono::hours(24), kRowsKeptBytesMax * 2);
  limit_rows(large, kRowsKeptBytesMax);
  EXPECT_TRUE(std::filesystem::exists(large));
}

TEST_F(DataIndexTest, WhatAKilledProcessHadBegunToCacheGoes) {
  const auto left = unused_since("0.rows.7.tmp", std::chrono::hours(25), 5);
  const auto written = unused_since("1.rows.8.tmp", std::chrono::hours(23), 5);
  const auto others = unused_since("hashes.json.7.tmp", std::chrono::hours(25), 5);
  cached(settings(lines("a.jsonl", 10)));
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(written));
  EXPECT_TRUE(std::filesystem::exists(others));
}

TEST_F(DataIndexTest, SaysWhenTheCacheCannotBeWritten) {
  const std::string in_the_way = file("not_a_folder", "");
  EXPECT_THAT(
      message_of<DataError>([&] { load_dataset(settings(lines("a.jsonl", 2)), tokenizer_, in_the_way); }),
      HasSubstr("cannot be written (Not a directory)"));
}

TEST_F(DataIndexTest, ReadsASourceAsOftenAsItWeighs) {
  DataSettings s = settings(lines("a.jsonl", 10));
  s.train[0].weight = 2.5;
  EXPECT_EQ(load_dataset(s, tokenizer_).summary.documents, 25);
  s.train[0].weight = 0.3;
  EXPECT_EQ(load_dataset(s, tokenizer_).summary.documents, 3);
  s.train[0].weight = 0;
  EXPECT_THAT(message_of<DataError>([&] { load_dataset(s, tokenizer_); }), HasSubstr("must be above 0"));
}

TEST_F(DataIndexTest, MixesReplayInByItsShareOfRows) {
  DataSettings s = settings(lines("a.jsonl", 12));
  const Dataset alone = load_dataset(s, tokenizer_);
  s.replay = Replay{.path = file("old.txt", "some old prose to be kept in mind"), .share = 0.25};
  const Dataset mixed = load_dataset(s, tokenizer_);
  const size_t replayed = mixed.rows.size() - alone.rows.size();
  EXPECT_EQ(replayed, (alone.rows.size() + 1) / 3);
  EXPECT_TRUE(std::equal(alone.rows.begin(), alone.rows.end(), mixed.rows.begin()));
  EXPECT_EQ(mixed.rows.back().targets[0], mixed.rows.back().tokens[1]);  // plain text: loss everywhere
  EXPECT_NE(mixed.summary.sha256, alone.summary.sha256);
}

TEST_F(DataIndexTest, RefusesDataThatMakesNoRow) {
  EXPECT_THAT(message_of<DataError>([&] { load_dataset(settings(file("a.txt", "  \n")), tokenizer_); }),
              HasSubstr("makes no row to train on"));
  EXPECT_THAT(message_of<DataError>([&] { load_dataset(DataSettings{}, tokenizer_); }),
              HasSubstr("names no file"));
}

}  // namespace
}  // namespace ranktide
