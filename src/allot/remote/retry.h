// What an answer means for the request, and how long to wait before it is repeated.
#pragma once

#include <cstdint>
#include <string>

#include "allot/remote/http_channel.h"
#include "allot/remote/server_options.h"

namespace allot::remote {

enum class Verdict : std::uint8_t {
  Good,     // status 200: the body counts
  Repeat,   // trouble that may pass: connection, 408, 409, 425, 429, 5xx
  Missing,  // 404: no such path or model; a server that was restarted has lost its adapters
  Refused,  // any other status: the same request would be refused again
  Denied    // 401, 403: every request will be
};

Verdict verdict_of(const HttpAnswer& answer);

// "status 503: overloaded", "no connection": without address and key.
std::string description_of(const HttpAnswer& answer);

// Seconds before repetition 1, 2, ...: doubling from backoff_s up to backoff_max_s, times 0.5 .. 1
// by `key`, so that requests that failed together do not come back together; at least what the
// server asked for.
double pause_before(std::uint32_t repetition, double retry_after_s, std::uint64_t key,
                    const ServerOptions& options);

}  // namespace allot::remote
