#include "allot/remote/server_url.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot::remote {
namespace {

TEST(ServerUrl, AddressesAreReadAsUsersWriteThem) {
  EXPECT_EQ(parse_server_url("http://host:8000").origin, "http://host:8000");
  EXPECT_EQ(parse_server_url("http://host:8000/").prefix, "");
  EXPECT_EQ(parse_server_url("https://host/v1").prefix, "");
  EXPECT_EQ(parse_server_url("https://host/a/b/v1/").prefix, "/a/b");
  EXPECT_EQ(parse_server_url("http://[::1]:80/v1").origin, "http://[::1]:80");
  EXPECT_EQ(parse_server_url("http://[::1]").origin, "http://[::1]");
  for (const char* wrong :
       {"", "host:8000", "ftp://host", "http://", "http://:80", "http://h:0", "http://h:65536",
        "http://h:x", "http://h:80?x", "http://h /", "http:///v1"})
    EXPECT_THROW(parse_server_url(wrong), Error) << wrong;
  try {
    parse_server_url("http://user:password@host");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("password@"), std::string::npos);
  }
}

}  // namespace
}  // namespace allot::remote
