// Runs a writer with every fault at every call and says what it left behind.
//
// The rule: its file holds the old content or the new one, whole; after success it holds the new one, also
// after any power cut; and once stale temporaries are wiped the folder holds nothing else.
#pragma once

#include <functional>
#include <string>

#include "os/atomic_file.hpp"
#include "support/faulty_fs.hpp"
#include "support/memory_fs.hpp"

namespace popvault::test {

struct SweepReport {
  std::size_t cases = 0;
  std::size_t third_states = 0;    // neither old nor new
  std::size_t lost_successes = 0;  // said to be written, and the old content is there
  std::size_t wrong_failures =
      0;                      // the old content although "is written" was said, or the new one without it
  std::size_t leftovers = 0;  // files besides the one, after wiping
  std::size_t bad() const { return third_states + lost_successes + wrong_failures + leftovers; }
};

// Makes the old state, in a fresh folder /home.
using Setup = std::function<void(Fs&)>;
using Writer = std::function<Status(Fs&)>;
enum class Content { old_one, new_one, other };
using Look = std::function<Content(Fs&)>;

class FaultSweep {
 public:
  FaultSweep(Setup setup, Writer write, Look look, std::size_t files)
      : setup_(std::move(setup)), write_(std::move(write)), look_(std::move(look)), files_(files) {}

  SweepReport run() {
    const std::size_t calls = count_calls();
    for (std::size_t n = 1; n <= calls; ++n) {
      for (const int error : {EIO, ENOSPC, EDQUOT, EINTR}) one([&](FaultyFs& fs) { fs.fail_at(n, error); });
      one([&](FaultyFs& fs) { fs.shorten_at(n); });
      one([&](FaultyFs& fs) { fs.kill_at(n); });
    }
    one([](FaultyFs&) {});
    return report_;
  }

 private:
  std::size_t count_calls() {
    MemoryFs memory;
    setup_(memory);
    FaultyFs counting(memory);
    (void)write_(counting);
    return counting.calls();
  }

  void one(const std::function<void(FaultyFs&)>& arm) {
    MemoryFs memory;
    setup_(memory);
    Status status;
    {
      FaultyFs faulty(memory);
      arm(faulty);
      status = write_(faulty);
    }
    judge(memory, status, true);
    for (const PowerCut cut : kPowerCuts) {
      MemoryFs after = memory.after(cut);
      judge(after, status, false);
    }
  }

  void judge(MemoryFs& fs, const Status& status, bool same_boot) {
    ++report_.cases;
    const Content content = look_(fs);
    if (content == Content::other) ++report_.third_states;
    if (status && content == Content::old_one) ++report_.lost_successes;
    const bool announced = !status && status.error().detail.find("is written") != std::string::npos;
    if (same_boot && !status && announced != (content == Content::new_one)) ++report_.wrong_failures;
    (void)wipe_stale_temporaries(fs, "/home");
    std::vector<std::string> names;
    (void)fs.list("/home", names);
    if (names.size() != files_) ++report_.leftovers;
  }

  Setup setup_;
  Writer write_;
  Look look_;
  std::size_t files_;
  SweepReport report_;
};

}  // namespace popvault::test
