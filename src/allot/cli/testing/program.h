// The program as its tests run it: in a folder of its own, with a tiny configuration.
#pragma once

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allot/core/testing/temporary_folder.h"

namespace allot::testing {

struct Ended {
  int code = -1;
  std::string out;  // standard output and standard error together
};

inline std::string quoted(const std::string& text) { return "'" + text + "'"; }

class Program : public ::testing::Test {
 protected:
  Ended run(const std::string& arguments, const std::string& environment = "") const {
    const std::string command = "cd " + quoted(folder_.string()) + " && " + environment + " " +
                                quoted(ALLOT_PROGRAM) + " " + arguments + " 2>&1";
    Ended ended;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> buffer;
    for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
      ended.out.append(buffer.data(), n);
    ended.code = WEXITSTATUS(::pclose(pipe));
    return ended;
  }
  void expect(const std::string& arguments, int code, const std::string& part) const {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.code, code) << arguments << "\n" << ended.out;
    EXPECT_NE(ended.out.find(part), std::string::npos) << arguments << "\n" << ended.out;
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return name;
  }
  std::string tiny(const std::string& more = "") const {
    return write("tiny.yaml",
                 "data: {task: digit_sort, digit_sort: {digits: {min: 1, max: 3}, train: 40, "
                 "test: 20}}\n"
                 "model: {dim: 16, layers: 1, heads: 2, kv_heads: 1, ffn: 32}\n"
                 "warm_start: {steps: 5, batch: 8}\nalloc: {group_size: 4}\n"
                 "train: {prompts_per_step: 8, max_steps: 3}\noptim: {lr: 1.0e-3}\n"
                 "eval: {every: 2}\n" +
                     more);
  }
  // A model that solves some prompts and not others, so that every step changes it.
  std::string learning(const std::string& more = "") const {
    return write("learning.yaml",
                 "data: {task: digit_sort, digit_sort: {digits: {min: 1, max: 3}, train: 400, "
                 "test: 20}}\n"
                 "model: {dim: 32, layers: 1, heads: 2, kv_heads: 1, ffn: 64}\n"
                 "warm_start: {steps: 150, batch: 16, lr: 5.0e-3}\nalloc: {group_size: 4}\n"
                 "train: {prompts_per_step: 8, max_steps: 6}\noptim: {lr: 1.0e-3}\n"
                 "eval: {every: 2}\n" +
                     more);
  }
  std::string read(const std::filesystem::path& path) const {
    std::ifstream in(folder_ / path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // Starts the program and returns its process id; what it says goes to log.txt.
  pid_t start(const std::vector<std::string>& arguments) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    const int log =
        ::chdir(folder_.c_str()) == 0 ? ::open("log.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
    if (log < 0) ::_exit(99);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    std::vector<char*> all = {const_cast<char*>("allot")};
    for (const std::string& argument : arguments)
      all.push_back(const_cast<char*>(argument.c_str()));
    all.push_back(nullptr);
    ::execv(ALLOT_PROGRAM, all.data());
    ::_exit(98);
  }
  // Waits until `holds` does, at most a minute. False: it never did.
  template <class Condition>
  static bool wait_until(Condition holds) {
    for (int i = 0; i < 1200; ++i) {
      if (holds()) return true;
      ::usleep(50000);
    }
    return false;
  }
  // A run that only a signal ends; returns once it has made steps.
  pid_t start_long_run() const {
    tiny();
    const pid_t child =
        start({"train", "tiny.yaml", "--set", "train.max_steps=1000000", "--set", "eval.every=0"});
    wait_until([&] { return read("log.txt").find("step    3") != std::string::npos; });
    return child;
  }

  testing::TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path();
};

}  // namespace allot::testing
