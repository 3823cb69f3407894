#include "allot/remote/server_options.h"

#include "allot/core/error.h"
#include "allot/remote/server_url.h"

namespace allot::remote {

void ServerOptions::validate() const {
  parse_server_url(url);
  if (backoff_max_s < backoff_s)
    throw Error(ErrorKind::Config, "rollout.server.backoff_max_s",
                concat(backoff_max_s, " was given; at least rollout.server.backoff_s (", backoff_s,
                       ") is needed"));
  if (!publish_as.empty() && publish_as.front() != '/')
    throw Error(ErrorKind::Config, "rollout.server.publish_as",
                concat("'", publish_as, "' was given; an absolute path is needed"));
}

}  // namespace allot::remote
