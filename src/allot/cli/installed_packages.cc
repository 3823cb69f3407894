#include "allot/cli/installed_packages.h"

#include <cstdlib>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace allot {
namespace {

constexpr int patience_ms = 10000;  // a cold interpreter on a network disk takes seconds

// The folder it is started in is no place of packages: a stray json.py there would be imported.
constexpr char question[] = R"(import sys
sys.path[:] = [p for p in sys.path if p]
from importlib import metadata
print(sys.executable)
for name in sys.argv[1:]:
    try:
        print(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        pass
)";

struct Answer {
  std::string why_not;  // "" when `text` is the whole answer
  std::string text;
};

// Everything until the other side closes; what has come when time is up.
Answer read_all(int from) {
  Answer answer;
  pollfd waiting = {from, POLLIN, 0};
  char buffer[4096];
  while (true) {
    const int ready = ::poll(&waiting, 1, patience_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return {"no answer in 10 s", ""};
    const ssize_t n = ::read(from, buffer, sizeof buffer);
    if (n <= 0) return answer;
    answer.text.append(buffer, static_cast<std::size_t>(n));
  }
}

Answer ask(std::vector<std::string> command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {"no pipe", ""};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  Answer answer;
  if (failed != 0) {
    answer.why_not = "not found";
  } else {
    answer = read_all(ends[0]);
    if (!answer.why_not.empty()) ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (answer.why_not.empty() && status != 0) answer.why_not = "it ended with an error";
  }
  ::close(ends[0]);
  return answer;
}

}  // namespace

InstalledPackages installed_packages(const std::vector<std::string>& names) {
  const char* given = std::getenv("ALLOT_PYTHON");
  const bool named = given != nullptr && *given != '\0';
  const std::string python = named ? given : "python3";
  std::vector<std::string> command = {python, "-c", question};
  command.insert(command.end(), names.begin(), names.end());
  const Answer answer = ask(std::move(command));
  InstalledPackages installed;
  if (!answer.why_not.empty()) {
    installed.why_not = (named ? "ALLOT_PYTHON=" : "") + python + ": " + answer.why_not;
    return installed;
  }
  std::istringstream lines(answer.text);
  std::getline(lines, installed.python);
  for (std::string name, version; lines >> name >> version;) installed.versions[name] = version;
  if (installed.python.empty()) installed.why_not = python + ": an answer that was not understood";
  return installed;
}

}  // namespace allot
