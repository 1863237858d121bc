// Files handed in over HTTP, in front of a real coordinator.

#include <gtest/gtest.h>

#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"
#include "tests/coordinator/http/served.h"

namespace ranktide {
namespace {

class Blobs : public testing::Test, protected Served {
 protected:
  static std::string at(const std::string& text) { return "/api/v1/blobs/" + sha256_hex(text); }
  Told put(const std::string& text, size_t offset, const std::string& piece, const std::string& headers = "") {
    return put_to(port(),
                  at(text) + "?offset=" + std::to_string(offset) + "&total=" + std::to_string(text.size()),
                  piece, headers);
  }
  static int64_t here(const Told& told) { return parse_json(told.body).value("here", int64_t{-1}); }
  static bool is_complete(const Told& told) { return parse_json(told.body).value("is_complete", false); }
};

TEST_F(Blobs, AreTakenInPiecesAndGivenBack) {
  EXPECT_EQ(here(get(at("0123456789"))), 0);
  EXPECT_EQ(here(put("0123456789", 0, "0123")), 4);
  EXPECT_EQ(here(get(at("0123456789"))), 4) << "where a cut upload goes on";
  EXPECT_EQ(get(at("0123456789") + "/content").status, 404) << "unfinished";
  EXPECT_TRUE(is_complete(put("0123456789", 4, "456789")));
  EXPECT_EQ(get(at("0123456789") + "/content?offset=7").body, "789");
}

TEST_F(Blobs, APieceAtAnotherPlaceChangesNothing) {
  put("0123456789", 0, "0123");
  EXPECT_EQ(here(put("0123456789", 8, "89")), 4);
}

TEST_F(Blobs, WhatIsNotItsHashIsRefused) {
  const Told told = put("promised", 0, "another!");
  EXPECT_EQ(told.status, 422);
  EXPECT_EQ(here(get(at("promised"))), 0);
}

TEST_F(Blobs, NoPathLeadsAnywhereElse) {
  for (const char* target : {"/api/v1/blobs/../keys/coordinator.secret/content",
                             "/api/v1/blobs/..%2Fkeys%2Fcoordinator.secret/content", "/api/v1/blobs//content",
                             "/api/v1/blobs/%2Fetc%2Fpasswd/content"}) {
    const Told told = get(target);
    EXPECT_EQ(told.status, 400) << target;
    EXPECT_EQ(told.body.find("root:"), std::string::npos) << target;
  }
  EXPECT_EQ(put_to(port(), "/api/v1/blobs/../../x?offset=0&total=1", "x").status, 400);
  EXPECT_EQ(put_to(port(), at("x") + "?offset=-1&total=1", "x").status, 400);
  EXPECT_EQ(put_to(port(), at("x"), "x").status, 400);
}

TEST_F(Blobs, AReaderMayNotHandIn) {
  EXPECT_EQ(put("x", 0, "x", token("ann", Scope::read)).status, 403);
  EXPECT_EQ(put("x", 0, "x", token("bob", Scope::submit)).status, 200);
}

TEST_F(Blobs, AForeignPageMayNotHandIn) {
  EXPECT_EQ(put("x", 0, "x", "Host: localhost\r\nOrigin: http://evil.example\r\n").status, 403);
}

}  // namespace
}  // namespace ranktide
