// Where servers with an OpenAI-compatible API differ: one description per server.
//
// Sources: vLLM's OpenAI-compatible server, LoRA adapters, sleep mode (POST /collective_rpc
// {"method":"reload_weights"} loads again from the folder the server was started with) and its
// development endpoints /update_weight_version and /weight_info; SGLang's native API
// (/update_weights_from_disk) and metadata.weight_version of its answers.
#pragma once

#include <string>
#include <vector>

#include "allot/remote/server_options.h"

namespace allot::remote {

// {path}, {version} and {name} of a body stand for the published folder, the version's name, and
// the name of a LoRA adapter, each as a JSON string.
struct ServerCall {
  const char* path;
  const char* body;
  // JSON pointer to a boolean of the answer that must be true; "" = status 200 is enough.
  const char* success = "";
};

struct Dialect {
  const char* name;
  // The request's own id, so that an answer to another request is recognised: the header or the
  // body's field it is sent in, and what stands before it in the answer's "id".
  const char* id_header;
  const char* id_field;
  const char* id_prefix;
  const char* more_fields;  // of every request, a JSON object
  std::vector<ServerCall> load_folder;
  ServerCall name_version;  // tells a server that does not know by itself; path "": not needed
  std::vector<ServerCall> load_lora, unload_lora;  // empty: not served
  const char* answer_version;                      // JSON pointer in an answer; "" = not said there
  const char* query_path;                          // GET; the version in force at query_version
  const char* query_version;
  const char* start_line;  // how a server is started, {path} and {name} as above without quotes
};

const Dialect& dialect_of(Api api);

}  // namespace allot::remote
