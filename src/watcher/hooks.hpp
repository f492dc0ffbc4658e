// The owner's command that is told of each purchase that waits (setting approvals.hook).
//
// It runs as the user with PATH, HOME, LANG and POPVAULT_HOME alone, the request on standard input, no output, in a
// session of its own, without a shell between, at most 10 s: then it and what it started in its process group is killed.
// At most 4 at once; more wait in line, at most 100. It dies with the watcher. A failure is one line of the log.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <deque>
#include <list>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "os/descriptor.hpp"

namespace popvault::watcher {

class Hooks {
 public:
  // `environment`: the "NAME=value" that each gets.
  explicit Hooks(std::vector<std::string> environment) : environment_(std::move(environment)) {}
  ~Hooks();
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  // One line goes to its standard input. Runs it now, or when another one has ended.
  void run(const std::string& program, std::string line);

  // To poll for reading, and how long at most (-1: no limit); look() afterwards.
  void add_to(std::vector<pollfd>& wanted) const;
  int patience() const;
  // Ended ones are taken, late ones killed, waiting ones begun.
  void look();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Waiting {
    std::string program, line;
  };
  struct Running {
    pid_t pid;
    Descriptor process;
    Time deadline;
    bool late = false;
  };
  void begin();
  Status start(const Waiting& one);
  bool ended(Running& one);

  std::vector<std::string> environment_;
  std::deque<Waiting> waiting_;
  std::list<Running> running_;
  bool overflowed_ = false;
};

}  // namespace popvault::watcher
