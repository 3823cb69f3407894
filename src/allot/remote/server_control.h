// Calls to the server beside sampling: what it serves, loading weights, which are in force.
//
// One channel of its own. Not thread-safe. Repeats what may pass (remote/retry.h); what does not
// pass is an Error(Sampler) that names the address and what to do.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "allot/remote/http_channel.h"
#include "allot/remote/retry.h"
#include "allot/remote/server_options.h"
#include "allot/remote/watch.h"

namespace allot::remote {

struct ServerFacts {
  std::string model;         // served name
  std::int64_t context = 0;  // most tokens of prompt and response; 0 = not said
};

class ServerControl {
 public:
  // `watch` outlives it. A call ends soon, with an Error, once `stopped` (thread-safe) says so.
  ServerControl(const ServerOptions& options, const std::string& api_key, Watch& watch,
                std::function<bool()> stopped);

  // Waits up to wait_s for a server that answers, and reads /v1/models. `start_line`: how one would
  // be started, for the message where none is there. Error(Sampler): no server, the wrong key, not
  // an OpenAI-compatible server, a model that it does not serve.
  ServerFacts look(const std::string& start_line);

  // Names of /v1/models.
  std::vector<std::string> models();

  // The last answer, whatever its status, of up to `retries` repetitions. Throws only where there
  // was no answer, or the key was denied.
  HttpAnswer call(const std::string& method, const std::string& path, const std::string& body,
                  double timeout_s);

  [[noreturn]] void fail(const std::string& what, const std::string& hint = {}) const;

 private:
  HttpAnswer once(const HttpRequest& request);
  void pause(double seconds) const;
  void await(const std::string& start_line);

  ServerOptions options_;
  Watch& watch_;
  std::function<bool()> stopped_;
  HttpChannel channel_;
};

}  // namespace allot::remote
