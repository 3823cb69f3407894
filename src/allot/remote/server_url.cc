#include "allot/remote/server_url.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "allot/core/error.h"

namespace allot::remote {
namespace {

[[noreturn]] void refuse_url(const std::string& what, std::string_view hint = {}) {
  throw Error(ErrorKind::Config, "rollout.server.url", what, hint);
}

bool is_port(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536;
}

// Where the port's colon is; npos without one. Colons of an address in brackets are none.
std::size_t port_colon(std::string_view authority) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool inside = bracket != std::string_view::npos && colon < bracket;
  return inside ? std::string_view::npos : colon;
}

}  // namespace

ServerUrl parse_server_url(const std::string& url) {
  const std::size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (url.find('@') != std::string::npos)
    refuse_url("an address with a user name or password was given; one without is needed",
               "rollout.server.api_key_file names a file with the key");
  if (scheme == 0)
    refuse_url(concat("'", url, "' was given; http://HOST:PORT or https://HOST is needed"));
  if (url.find_first_of("?# \t\r\n") != std::string::npos)
    refuse_url(concat("'", url, "' was given; an address without query and spaces is needed"));
  const std::size_t slash = std::min(url.find('/', scheme), url.size());
  const std::string_view authority = std::string_view(url).substr(scheme, slash - scheme);
  const std::size_t colon = port_colon(authority);
  if (authority.empty() || colon == 0)
    refuse_url(concat("'", url, "' was given; a host is needed"));
  if (colon != std::string_view::npos && !is_port(authority.substr(colon + 1)))
    refuse_url(concat("'", url, "' was given; a port of 1 .. 65535 is needed"));
  std::string prefix = url.substr(slash);
  while (prefix.ends_with('/')) prefix.pop_back();
  if (prefix.ends_with("/v1")) prefix.resize(prefix.size() - 3);
  return {url.substr(0, slash), prefix};
}

}  // namespace allot::remote
