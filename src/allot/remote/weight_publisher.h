// Writes the weights that a server is to load: implemented by whoever has a model.
#pragma once

#include <string>

#include "allot/core/types.h"

namespace allot::remote {

class WeightPublisher {
 public:
  virtual ~WeightPublisher() = default;
  // Writes the current weights, completely and durably; the folder as the server sees it. For a
  // server that loads again from the folder it was started with, the same one every time.
  virtual std::string publish(Version version) = 0;
  // No request needs this version any more.
  virtual void retire(Version) {}
};

}  // namespace allot::remote
