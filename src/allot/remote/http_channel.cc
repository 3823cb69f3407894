#include "allot/remote/http_channel.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include <httplib.h>
#include <signal.h>

#include "allot/core/error.h"

namespace allot::remote {
namespace {

constexpr double kLongestRetryAfter = 3600;

// Blocks SIGPIPE for this thread and swallows one that was raised meanwhile: cpp-httplib leaves it
// to the program, and a library must not change the program's handlers.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutSigpipe() {
    const timespec at_once{};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &at_once) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

std::chrono::microseconds microseconds(double seconds) {
  return std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6) + 1);
}

// Seconds of a Retry-After header; dates are left out.
double seconds_of(const std::string& text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(seconds > 0)) return 0;
  return std::min(seconds, kLongestRetryAfter);
}

bool is_connection_error(httplib::Error error) {
  return error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout ||
         error == httplib::Error::SSLConnection || error == httplib::Error::SSLLoadingCerts ||
         error == httplib::Error::SSLServerVerification || error == httplib::Error::BindIPAddress;
}

std::string words(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
      return "no connection";
    case httplib::Error::ConnectionTimeout:
      return "connecting took too long";
    case httplib::Error::SSLConnection:
    case httplib::Error::SSLLoadingCerts:
      return "no TLS connection";
    case httplib::Error::SSLServerVerification:
      return "the server's certificate could not be verified";
    case httplib::Error::Read:
      return "the connection ended or fell silent before the answer was complete";
    case httplib::Error::Write:
      return "the connection ended while the request was being sent";
    default:
      return concat("the exchange failed (", httplib::to_string(error), ")");
  }
}

}  // namespace

struct HttpChannel::Impl {
  Impl(const ServerUrl& url, const std::string& api_key, double connect_timeout_s)
      : client(url.origin), prefix(url.prefix) {
    client.set_keep_alive(true);
    client.set_follow_location(false);
    client.set_tcp_nodelay(true);
    client.set_connection_timeout(microseconds(connect_timeout_s));
    if (!api_key.empty()) client.set_bearer_token_auth(api_key);
  }
  httplib::Client client;
  std::string prefix;
};

HttpChannel::HttpChannel(const ServerUrl& url, const std::string& api_key, double connect_timeout_s)
    : impl_(std::make_unique<Impl>(url, api_key, connect_timeout_s)) {}
HttpChannel::~HttpChannel() = default;

HttpAnswer HttpChannel::send(const HttpRequest& request) {
  const WithoutSigpipe without_sigpipe;
  HttpAnswer answer;
  bool too_long = false;
  httplib::Request http;
  http.method = request.method;
  http.path = impl_->prefix + request.path;
  http.body = request.body;
  if (!request.body.empty()) http.set_header("Content-Type", "application/json");
  if (!request.id_header.empty()) http.set_header(request.id_header, request.id);
  http.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    too_long = answer.body.size() + size > request.max_bytes;
    if (!too_long) answer.body.append(data, size);
    return !too_long;
  };
  impl_->client.set_read_timeout(microseconds(request.timeout_s));
  impl_->client.set_write_timeout(microseconds(request.timeout_s));
  const httplib::Result result = impl_->client.send(http);
  if (result) {
    answer.end = HttpEnd::Answered;
    answer.status = result->status;
    answer.retry_after_s = seconds_of(result->get_header_value("Retry-After"));
    return answer;
  }
  const bool never_sent = is_connection_error(result.error());
  answer.end = never_sent ? HttpEnd::NoConnection : HttpEnd::Broken;
  answer.what = too_long ? concat("the answer is longer than ", request.max_bytes, " bytes")
                         : words(result.error());
  drop();
  return answer;
}

void HttpChannel::interrupt() { impl_->client.stop(); }
void HttpChannel::drop() { impl_->client.stop(); }

}  // namespace allot::remote
