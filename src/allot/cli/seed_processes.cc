#include "allot/cli/seed_processes.h"

#include <csignal>
#include <fstream>
#include <map>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allot/cli/commands.h"
#include "allot/core/durable_file.h"
#include "allot/core/error.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr useconds_t kPollMicroseconds = 50000;

// As the system keeps it: arguments, each ended by a zero byte.
std::vector<std::string> own_command_line() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(in, argument, '\0');) arguments.push_back(argument);
  return arguments;
}

// What spawning needs, freed whatever happens.
struct SpawnSettings {
  SpawnSettings() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

// A process group of its own: Ctrl-C reaches the first process only, which passes it on once.
pid_t start(std::uint64_t seed, const fs::path& folder, const fs::path& log) {
  std::vector<std::string> arguments = own_command_line();
  for (const std::string& more :
       {std::string("--only_seed"), std::to_string(seed), std::string("--into"), folder.string(),
        std::string("--parent"), std::to_string(::getpid())})
    arguments.push_back(more);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  SpawnSettings settings;
  posix_spawn_file_actions_addopen(&settings.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&settings.files, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&settings.files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  pid_t child = 0;
  const int failure = ::posix_spawn(&child, "/proc/self/exe", &settings.files, &settings.attributes,
                                    pointers.data(), environ);
  if (failure != 0)
    throw Error(ErrorKind::Model, log.string(),
                concat("no process could be started for seed ", seed, ": ",
                       std::generic_category().message(failure)),
                "--processes 1 runs the seeds one after the other");
  return child;
}

// Its error, else the last thing that it said.
std::string last_words(const fs::path& log) {
  std::ifstream in(log);
  std::string last, error;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("allot: ")) error = line;
    if (!line.empty()) last = line;
  }
  return error.empty() ? last : error;
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int SeedProcesses::run(std::span<const std::uint64_t> seeds) const {
  fs::create_directories(folder);
  const auto log_of = [&](std::uint64_t seed) { return folder / fmt::format("seed-{}.log", seed); };
  std::map<pid_t, std::uint64_t> running;
  std::size_t next = 0, done = 0;
  int code = 0;
  bool told_to_stop = false;
  while (!running.empty() || (next < seeds.size() && code == 0 && !stop.load())) {
    if (next < seeds.size() && code == 0 && !stop.load() &&
        running.size() < static_cast<std::size_t>(at_once)) {
      const std::uint64_t seed = seeds[next++];
      running[start(seed, folder, log_of(seed))] = seed;
      terminal.line(fmt::format("seed {}: running, see {}", seed, log_of(seed).string()));
      continue;
    }
    if (stop.load() && !told_to_stop) {
      told_to_stop = true;
      for (const auto& [child, seed] : running) ::kill(child, SIGTERM);
    }
    bool any_ended = false;
    for (auto child = running.begin(); child != running.end();) {
      int status = 0;
      if (::waitpid(child->first, &status, WNOHANG) != child->first) {
        ++child;
        continue;
      }
      any_ended = true;
      // One that had not yet begun to listen to the signal ends by it.
      const int ended = told_to_stop && WIFSIGNALED(status) ? kStoppedByUser : exit_code(status);
      if (ended == 0) {
        terminal.line(fmt::format("seed {}: done, {} of {}", child->second, ++done, seeds.size()));
      } else if (ended != kStoppedByUser) {
        terminal.warning(
            fmt::format("seed {} failed: {}", child->second, last_words(log_of(child->second))));
      }
      if (ended != 0 && code == 0) code = ended;
      child = running.erase(child);
    }
    if (!any_ended) ::usleep(kPollMicroseconds);
  }
  return code != 0 || !stop.load() ? code : kStoppedByUser;
}

void end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kStoppedByUser);  // it had ended before the line above
}

}  // namespace allot
