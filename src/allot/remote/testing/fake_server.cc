#include "allot/remote/testing/fake_server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include <httplib.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "allot/core/error.h"

namespace allot::remote::testing {
namespace {

using Json = nlohmann::json;
using Seconds = std::chrono::duration<double>;

constexpr std::uint64_t kNoWeights = 0xdead;

constexpr std::array<std::pair<Trick, const char*>, 27> kTricks = {{
    {Trick::Drop, "drop"},
    {Trick::NoBody, "no body"},
    {Trick::HalfBody, "half body"},
    {Trick::HalfJson, "half JSON"},
    {Trick::Twice, "twice"},
    {Trick::Stale, "stale"},
    {Trick::OtherPrompt, "other prompt"},
    {Trick::FewerChoices, "fewer choices"},
    {Trick::MoreChoices, "more choices"},
    {Trick::DoubleIndex, "double index"},
    {Trick::Nan, "NaN"},
    {Trick::NullLogprob, "null log-probability"},
    {Trick::HugeLogprob, "log-probability above 0"},
    {Trick::NoLogprobs, "no log-probabilities"},
    {Trick::FewerLogprobs, "fewer log-probabilities"},
    {Trick::UnknownToken, "unknown token"},
    {Trick::TooLong, "too long"},
    {Trick::Aborted, "aborted"},
    {Trick::OtherVersion, "other version"},
    {Trick::Forget, "forget"},
    {Trick::TooMany, "429"},
    {Trick::Failure, "500"},
    {Trick::Unavailable, "503"},
    {Trick::Page, "page"},
    {Trick::Delay, "delay"},
    {Trick::Drip, "drip"},
    {Trick::Stall, "stall"},
}};

std::uint64_t number_in(const std::string& folder) {
  std::ifstream in(std::filesystem::path(folder) / "weights");
  std::uint64_t number = kNoWeights;
  in >> number;
  return number;
}

std::uint64_t mixed(const std::vector<std::int32_t>& tokens, std::uint64_t hash) {
  for (const std::int32_t token : tokens)
    hash = (hash ^ static_cast<std::uint64_t>(token)) * 0x100000001B3U;
  return hash;
}

// Closes the connection of a request at once: of all sockets of this process, the one that leads
// to its client. httplib offers no other way to end one without an answer.
void shut(const httplib::Request& request) {
  constexpr int kMostFiles = 2048;
  for (int file = 3; file < kMostFiles; ++file) {
    sockaddr_in peer{}, own{};
    socklen_t peer_size = sizeof(peer), own_size = sizeof(own);
    if (::getpeername(file, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) continue;
    if (::getsockname(file, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) continue;
    if (ntohs(peer.sin_port) == request.remote_port && ntohs(own.sin_port) == request.local_port)
      ::shutdown(file, SHUT_RDWR);
  }
}

}  // namespace

std::vector<Trick> all_tricks() {
  std::vector<Trick> all;
  for (const auto& [trick, words] : kTricks) all.push_back(trick);
  return all;
}

const char* name(Trick trick) { return kTricks.at(static_cast<std::size_t>(trick)).second; }

float fake_logprob(std::int32_t token) { return -0.125F * static_cast<float>(1 + token % 16); }

std::vector<std::int32_t> fake_response(const FakeOptions& options, const FakeRequest& request,
                                        std::uint64_t seed, std::uint32_t index) {
  RandomStream random(
      {seed, RandomUse::Test, request.weights, mixed(request.prompt, 0xcbf29ce484222325U), index});
  std::vector<std::int32_t> tokens;
  if (options.respond) {
    tokens = options.respond(request, random);
  } else {
    const auto letters = static_cast<std::uint64_t>(options.vocabulary - options.end_token - 1);
    for (auto left = random.below(request.max_tokens + 4); left > 0; --left)
      tokens.push_back(options.end_token + 1 + static_cast<std::int32_t>(random.below(letters)));
    tokens.push_back(options.end_token);
  }
  if (tokens.size() > request.max_tokens) tokens.resize(request.max_tokens);
  return tokens;
}

struct FakeServer::Impl {
  explicit Impl(FakeOptions given) : options(std::move(given)) {
    if (!options.read_weights) options.read_weights = number_in;
    server.new_task_queue = [this] {
      return new httplib::ThreadPool(static_cast<std::size_t>(options.threads));
    };
    server.set_tcp_nodelay(true);
    server.set_keep_alive_max_count(1000000);
    server.set_keep_alive_timeout(60);
    server.set_pre_routing_handler(
        [this](const auto& request, auto& response) { return allowed(request, response); });
    server.Get("/v1/models", [this](const auto&, auto& response) { list(response); });
    server.Post("/v1/completions",
                [this](const auto& request, auto& response) { complete(request, response); });
    if (options.api == Api::Vllm)
      add_vllm();
    else
      add_sglang();
    // httplib lets five connections wait to be accepted; the others would come back after a second.
    constexpr int kWaiting = 1024;
    socket_t listening = INVALID_SOCKET;
    server.set_socket_options([&](socket_t socket) { listening = socket; });
    port = server.bind_to_any_port("127.0.0.1");
    ::listen(listening, kWaiting);
    server.set_socket_options(nullptr);
    thread = std::thread([this] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
    }
    closed.notify_all();
    server.stop();
    thread.join();
  }

  httplib::Server::HandlerResponse allowed(const httplib::Request& request,
                                           httplib::Response& response) const {
    const bool good =
        options.key.empty() || request.get_header_value("Authorization") == "Bearer " + options.key;
    if (good) return httplib::Server::HandlerResponse::Unhandled;
    send(response, 401, {{"error", "Unauthorized"}});
    return httplib::Server::HandlerResponse::Handled;
  }

  static void send(httplib::Response& response, int status, const Json& json) {
    response.status = status;
    response.set_content(json.dump(), "application/json");
  }

  void list(httplib::Response& response) {
    Json models = Json::array();
    const std::lock_guard lock(mutex);
    models.push_back({{"id", options.model}, {"max_model_len", options.context}});
    for (const auto& [adapter, number] : adapters) models.push_back({{"id", adapter}});
    send(response, 200, {{"object", "list"}, {"data", models}});
  }

  void add_vllm() {
    server.Post("/collective_rpc", [this](const auto& request, auto& response) {
      const Json body = Json::parse(request.body);
      if (body.at("method") != "reload_weights") return send(response, 400, {});
      load(options.folder);
      send(response, 200, {{"results", Json::array({nullptr})}});
    });
    server.Post("/reset_prefix_cache",
                [](const auto&, auto& response) { send(response, 200, {}); });
    server.Post("/v1/load_lora_adapter", [this](const auto& request, auto& response) {
      const Json body = Json::parse(request.body);
      const std::lock_guard lock(mutex);
      if (adapters.contains(body.at("lora_name")))
        return send(response, 400, {{"error", {{"message", "has already been loaded"}}}});
      adapters[body.at("lora_name")] = options.read_weights(body.at("lora_path"));
      ++loads;
    });
    server.Post("/v1/unload_lora_adapter", [this](const auto& request, auto& response) {
      const std::lock_guard lock(mutex);
      const bool known = adapters.erase(Json::parse(request.body).at("lora_name")) > 0;
      send(response, known ? 200 : 404, {});
    });
    if (!options.weight_info) return;
    server.Post("/update_weight_version", [this](const auto& request, auto& response) {
      const std::lock_guard lock(mutex);
      version = Json::parse(request.body).at("new_version");
      send(response, 200, {{"success", true}});
    });
    server.Get("/weight_info", [this](const auto&, auto& response) {
      const std::lock_guard lock(mutex);
      send(response, 200, {{"weight_version", version}});
    });
  }

  void add_sglang() {
    server.Post("/update_weights_from_disk", [this](const auto& request, auto& response) {
      const Json body = Json::parse(request.body);
      load(body.at("model_path"), body.at("weight_version").get<std::string>());
      send(response, 200, {{"success", true}, {"message", "Succeeded"}});
    });
    server.Get("/model_info", [this](const auto&, auto& response) {
      const std::lock_guard lock(mutex);
      send(response, 200, {{"weight_version", version}});
    });
  }

  void load(const std::string& folder, const std::optional<std::string>& named = {}) {
    const std::uint64_t number = options.read_weights(folder);
    const std::lock_guard lock(mutex);
    weights = number;
    if (named) version = *named;
    ++loads;
  }

  void forget() {
    const std::lock_guard lock(mutex);
    weights = kNoWeights;
    version = "default";
    adapters.clear();
  }

  // One of the tricks, or nothing.
  std::optional<Trick> choose() {
    const std::lock_guard lock(mutex);
    RandomStream random({options.seed, RandomUse::Test, ++arrivals});
    if (options.tricks.empty() || random.uniform() >= options.share) return {};
    const Trick trick = options.tricks[random.below(options.tricks.size())];
    // Each restart makes all requests in flight worthless: without an end nobody gets through.
    constexpr std::uint64_t kMostRestarts = 3;
    if (trick == Trick::Forget && played[trick] == kMostRestarts) return {};
    ++played[trick];
    return trick;
  }

  Json choice(const Json& body, std::uint32_t index, std::uint64_t number) const {
    const FakeRequest request{body.at("prompt"), body.at("max_tokens"), number};
    const auto tokens = fake_response(options, request, body.at("seed"), index);
    Json names = Json::array(), numbers = Json::array();
    for (const std::int32_t token : tokens) {
      names.push_back(options.token_ids ? concat("token_id:", token) : std::string("x"));
      numbers.push_back(fake_logprob(token));
    }
    const bool ended = tokens.back() == options.end_token;
    Json result = {{"index", index},
                   {"text", ""},
                   {"finish_reason", ended ? "stop" : "length"},
                   {"logprobs", {{"tokens", names}, {"token_logprobs", numbers}}}};
    if (options.token_ids && index % 2 == 0) result["token_ids"] = tokens;
    if (options.token_ids) result["prompt_token_ids"] = body.at("prompt");
    return result;
  }

  Json answer(const httplib::Request& request, const Json& body, std::uint64_t number,
              const std::string& said) const {
    Json choices = Json::array();
    for (std::uint32_t i = 0; i < body.at("n").get<std::uint32_t>(); ++i)
      choices.push_back(choice(body, i, number));
    const std::string id = options.api == Api::Vllm
                               ? "cmpl-" + request.get_header_value("X-Request-Id")
                               : body.at("rid").get<std::string>();
    Json json = {{"id", id}, {"model", body.at("model")}, {"choices", choices}};
    if (options.api == Api::Sglang) json["metadata"] = {{"weight_version", said}};
    return json;
  }

  void complete(const httplib::Request& request, httplib::Response& response) {
    struct Inside {
      Impl& impl;
      explicit Inside(Impl& impl) : impl(impl) {
        const std::size_t now = ++impl.inside;
        std::size_t most = impl.most_inside;
        while (now > most && !impl.most_inside.compare_exchange_weak(most, now)) {
        }
      }
      ~Inside() { --impl.inside; }
    } inside(*this);
    const std::optional<Trick> trick = choose();
    if (trick == Trick::Forget) forget();
    const Json body = Json::parse(request.body);
    std::uint64_t number = 0;
    std::string said;
    {
      const std::lock_guard lock(mutex);
      last_body = request.body;
      const std::string model = body.at("model");
      const auto adapter = adapters.find(model);
      if (model != options.model && adapter == adapters.end())
        return send(response, 404, {{"error", {{"message", "The model does not exist."}}}});
      number = model == options.model ? weights : adapter->second;
      said = version;
    }
    Json json = answer(request, body, number, said);
    if (trick) return play(*trick, request, response, json);
    remember(json);
    response.set_content(json.dump(), "application/json");
  }

  void remember(const Json& json) {
    const std::lock_guard lock(mutex);
    earlier = json;
  }

  void sleep(double seconds) {
    std::unique_lock lock(mutex);
    closed.wait_for(lock, Seconds(seconds), [&] { return closing; });
  }

  // Body tricks change the JSON and say so; the others answer by themselves.
  static bool spoil(Trick trick, Json& json) {
    Json& first = json["choices"][0];
    Json& numbers = first["logprobs"]["token_logprobs"];
    switch (trick) {
      case Trick::OtherPrompt:
        first["prompt_token_ids"] = {7, 7, 7, 7};
        return true;
      case Trick::FewerChoices:
        json["choices"].erase(0);
        return true;
      case Trick::MoreChoices:
        json["choices"].push_back(first);
        return true;
      case Trick::DoubleIndex:
        json["choices"].back()["index"] = json["choices"].size() == 1 ? 1 : 0;
        return true;
      case Trick::NullLogprob:
        numbers.back() = nullptr;
        return true;
      case Trick::HugeLogprob:
        numbers.front() = 0.5;
        return true;
      case Trick::NoLogprobs:
        first["logprobs"] = nullptr;
        return true;
      case Trick::FewerLogprobs:
        numbers.erase(0);
        return true;
      case Trick::UnknownToken:
        first["token_ids"] = Json::array({1000000});
        numbers = Json::array({-1});
        return true;
      case Trick::TooLong:
        first["token_ids"] = std::vector<int>(1000, 3);
        numbers = std::vector<double>(1000, -1.0);
        return true;
      case Trick::Aborted:
        first["finish_reason"] = "abort";
        return true;
      case Trick::OtherVersion:
        json["metadata"] = {{"weight_version", "another"}};
        if (json["model"].get<std::string>().starts_with("allot-")) json["model"] = "toy";
        return true;
      default:
        return false;
    }
  }

  void play(Trick trick, const httplib::Request& request, httplib::Response& response, Json& json) {
    if (spoil(trick, json)) return response.set_content(json.dump(), "application/json");
    const std::string text = json.dump();
    switch (trick) {
      case Trick::Drop:
        return shut(request);
      case Trick::NoBody:
        return part(response, text, 0);
      case Trick::HalfBody:
        return part(response, text, text.size() / 2);
      case Trick::HalfJson:
        return response.set_content(text.substr(0, text.size() / 2), "application/json");
      case Trick::Twice:
        return part(response, text, text.size());
      case Trick::Stale: {
        const std::lock_guard lock(mutex);
        return response.set_content(earlier.dump(), "application/json");
      }
      case Trick::Nan:
        return response.set_content(with_nan(text), "application/json");
      case Trick::TooMany:
        response.set_header("Retry-After", "0.02");
        return send(response, 429, {{"error", {{"message", "slow down"}}}});
      case Trick::Failure:
        return send(response, 500, {{"detail", "engine failure"}});
      case Trick::Unavailable:
        return send(response, 503, {{"message", "loading"}});
      case Trick::Page:
        return response.set_content("<html>It works!</html>", "text/html");
      case Trick::Drip:
        return drip(response, text);
      case Trick::Stall:
        sleep(options.stall_s);
        break;
      default:
        sleep(options.delay_s);
    }
    response.set_content(text, "application/json");
  }

  static std::string with_nan(const std::string& text) {
    const std::string before = "\"token_logprobs\":[";
    const std::size_t at = text.find(before) + before.size();
    return text.substr(0, at) + "NaN" + text.substr(text.find_first_of(",]", at));
  }

  // The first `size` bytes of an answer of full length, then the end of the connection; where it is
  // all of it, the whole answer with its headers follows once more.
  static void part(httplib::Response& response, const std::string& text, std::size_t size) {
    response.set_content_provider(
        text.size(), "application/json",
        [text, size](std::size_t, std::size_t, httplib::DataSink& sink) {
          std::string sent = text.substr(0, size);
          if (size == text.size())
            sent += concat("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ",
                           text.size(), "\r\n\r\n", text);
          sink.write(sent.data(), sent.size());
          return size == text.size();
        });
  }

  void drip(httplib::Response& response, const std::string& text) {
    constexpr std::size_t kPieces = 8;
    const std::size_t piece = text.size() / kPieces + 1;
    response.set_content_provider(
        text.size(), "application/json",
        [this, text, piece](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
          sleep(options.delay_s / kPieces);
          return sink.write(text.data() + offset, std::min(length, piece));
        });
  }

  FakeOptions options;
  httplib::Server server;
  std::thread thread;
  int port = 0;

  mutable std::mutex mutex;
  std::condition_variable closed;
  bool closing = false;
  std::uint64_t arrivals = 0, weights = kNoWeights, loads = 0;
  std::string version = "default", last_body;
  std::map<std::string, std::uint64_t> adapters;
  std::map<Trick, std::uint64_t> played;
  Json earlier = Json::object();
  std::atomic<std::size_t> inside = 0, most_inside = 0;
};

FakeServer::FakeServer(FakeOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
FakeServer::~FakeServer() = default;

std::string FakeServer::url() const { return concat("http://127.0.0.1:", impl_->port); }
void FakeServer::restart() { impl_->forget(); }

void FakeServer::set_share(double share) {
  const std::lock_guard lock(impl_->mutex);
  impl_->options.share = share;
}

void FakeServer::set_tricks(std::vector<Trick> tricks) {
  const std::lock_guard lock(impl_->mutex);
  impl_->options.tricks = std::move(tricks);
}

std::uint64_t FakeServer::completions() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->arrivals;
}

std::uint64_t FakeServer::played(Trick trick) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->played.find(trick);
  return found == impl_->played.end() ? 0 : found->second;
}

std::uint64_t FakeServer::loads() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->loads;
}

std::size_t FakeServer::most_at_a_time() const { return impl_->most_inside; }

std::vector<std::string> FakeServer::adapters() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::string> names;
  for (const auto& [adapter, number] : impl_->adapters) names.push_back(adapter);
  return names;
}

std::string FakeServer::last_body() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->last_body;
}

}  // namespace allot::remote::testing
