// Which weights the server has, and the proof of it.
//
// Every version has a name that no other run shares. Folder: the whole model is loaded in place of
// the one before; no request may be open meanwhile, and an answer is good only if no loading began
// between its request and its end (epoch). Lora: an adapter per version, loaded beside the others.
//
// How an answer proves its version: Lora by the model it names; SGLang by metadata.weight_version;
// vLLM with folders by asking the server afterwards (proof_by_query): a server that was restarted
// meanwhile has forgotten the name it was given.
//
// begin(), holds() and restore() may be called by many threads; load() by one, while none of these
// is running for a folder.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "allot/core/types.h"
#include "allot/remote/completion.h"
#include "allot/remote/dialect.h"
#include "allot/remote/server_control.h"
#include "allot/remote/weight_publisher.h"

namespace allot::remote {

class ServerWeights {
 public:
  // All outlive it. `run` makes the names of this run's versions its own.
  ServerWeights(const ServerOptions& options, ServerControl& control, WeightPublisher& publisher,
                std::string run);

  // What load() would publish, for a server that is yet to be started.
  std::string publish(Version version);
  // The served name; before anything is loaded.
  void set_model(const std::string& model) { model_ = model; }
  // Puts the published weights in force. Throws Error(Sampler).
  void load(Version version);

  // Waits while weights are being loaded; the epoch that a request begins in.
  std::uint64_t begin();
  // No loading has begun since.
  bool holds(std::uint64_t epoch) const;
  // Loads `version` once more, unless that has been done since `epoch`. Throws Error(Sampler).
  void restore(Version version, std::uint64_t epoch);

  // The model to ask for, and what its answers must say.
  CompletionChecks checks(Version version) const;
  bool proof_by_query() const;
  bool confirmed(Version version);  // asks the server

  // Versions below are not needed any more.
  void retire_below(Version version);

 private:
  std::string name(Version version) const;
  std::string filled(const char* body, Version version) const;
  void call(const ServerCall& call, Version version);
  void send(Version version);
  void send_folder(Version version);
  void send_adapter(Version version);

  const ServerOptions options_;
  const Dialect& dialect_;
  ServerControl& control_;
  WeightPublisher& publisher_;
  std::string run_, model_;

  std::mutex control_mutex_;  // of control_, while other threads may restore
  mutable std::mutex mutex_;
  std::condition_variable loaded_;
  std::map<Version, std::string> folders_;  // published and not retired
  std::uint64_t epoch_ = 0;
  bool loading_ = false;
};

}  // namespace allot::remote
