// The address of a server: "http://host:8000", "https://host/proxy/v1".
#pragma once

#include <string>

namespace allot::remote {

struct ServerUrl {
  std::string origin;  // "http://host:8000"
  std::string prefix;  // "" or "/proxy": what stands before "/v1/completions"
};

// A trailing "/" or "/v1" is dropped, so that the address a client library takes works, too.
// Throws Error(Config): another scheme, no host, a port out of range, a user name or password (it
// would end up in the run folder), a query.
ServerUrl parse_server_url(const std::string& url);

}  // namespace allot::remote
