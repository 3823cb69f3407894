// One keep-alive connection to a server: sends a request, returns what came back.
//
// Network trouble is a value, never an exception. One thread at a time sends; interrupt() may be
// called by any other. The bearer token appears in no message.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "allot/remote/server_url.h"

namespace allot::remote {

struct HttpRequest {
  std::string method = "GET", path, body;  // path without the prefix of the address
  std::string id_header, id;               // sent as a header of this name, if there is one
  double timeout_s = 60;                   // longest silence; the whole time is watch.h's business
  std::size_t max_bytes = 1 << 20;         // longest answer
};

enum class HttpEnd : std::uint8_t {
  Answered,      // status and body are complete
  NoConnection,  // nothing was sent
  Broken         // the connection ended, fell silent or was interrupted, or the answer is too long
};

struct HttpAnswer {
  HttpEnd end = HttpEnd::Broken;
  int status = 0;
  std::string body;
  double retry_after_s = 0;  // header Retry-After in seconds, at most an hour; 0 = none
  std::string what;          // for people, where nothing was answered
};

class HttpChannel {
 public:
  HttpChannel(const ServerUrl& url, const std::string& api_key, double connect_timeout_s);
  ~HttpChannel();

  // Connects where needed. While it runs, a write to a connection that the server has closed raises
  // no SIGPIPE.
  HttpAnswer send(const HttpRequest& request);

  // Ends a send() of another thread soon. Blocks while that one is connecting. Without one, as
  // drop().
  void interrupt();

  // The next request gets a connection of its own: after an answer that was not the expected one,
  // what else the connection still holds must not be taken for an answer.
  void drop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace allot::remote
