// The session's verbs with a fault at each call of the file seam and of SQLite's own I/O: afterwards the home opens and is
// in the old state or the new one; where the verb said that it is done, in the new one; where it failed without saying that
// it is done all the same, in the old one. After a power cut as well.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "session/checkpoints.hpp"
#include "session/epochs.hpp"
#include "session/personal.hpp"
#include "session/record_changes.hpp"
#include "session/records.hpp"
#include "session/session.hpp"
#include "support/memory_vfs.hpp"

namespace popvault {
namespace {

using test::FaultPlan;
using test::FaultyFs;
using test::MemoryFs;
using test::MemoryVfs;

constexpr const char* kHome = "/home/vault";

SecretBytes key() { return SecretBytes::copy_of(Bytes(32, 7)); }
SecretBytes other_key() { return SecretBytes::copy_of(Bytes(32, 9)); }
SecretBytes words() { return SecretBytes::copy_of(Bytes(32, 5)); }  // the secret that recovery words give

SecretFields card() {
  SecretFields out;
  EXPECT_TRUE(out.set("number", as_bytes("4242424242424242")));
  EXPECT_TRUE(out.set("exp_month", as_bytes("12")));
  EXPECT_TRUE(out.set("exp_year", as_bytes("2034")));
  return out;
}

Status add(Session& session, const char* label) {
  PV_TRY(add_record(session, "card", label, card()));
  return {};
}

store::Row first_record(Session& session) {
  const auto rows = session.store().all(store::Table::records);
  EXPECT_TRUE(rows && !rows->empty());
  return rows->front();
}

Status enroll(Session& session) {
  return session.enroll_recovery(crypto::x25519_public(words()), SecretBytes::copy_of(Bytes(32, 6)));
}

// An agent with a purchase that is over.
Status enroll_agent(Session& session) {
  session.begin_subject("agt_one");
  PV_ASSIGN(auto tx, session.begin());
  Json agent, purchase;
  agent.set("status", "active");
  purchase.set("agent", "agt_one");
  purchase.set("status", "denied");
  purchase.set("text", "private");
  PV_TRY(tx.put(store::Table::agents, {"agt_one", 0, agent}));
  PV_TRY(tx.put(store::Table::purchases, {"pur_one", 0, purchase}));
  PV_TRY(tx.journal(journal::Kind::agent_added, {}));
  return session.commit(tx);
}

Status purge(Session& session) {
  PV_ASSIGN(const auto agent, session.store().get(store::Table::agents, "agt_one"));
  PV_TRY(purge_subject(session, *agent));
  return {};
}

Status checkpoint(Session& session) {
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(append_checkpoint(session, tx));
  return session.commit(tx);
}

Status edit(Session& session) {
  SecretFields changes;
  PV_TRY(changes.set("holder", as_bytes("Grace Hopper")));
  PV_TRY(edit_record(session, first_record(session), "Edited", changes));
  return {};
}

// Says that it syncs.
class Careless final : public FaultyFs {
 public:
  using FaultyFs::FaultyFs;
  int sync(int) override { return 0; }
};

// A session over these files, with this plan for what goes wrong.
template <class FaultyFiles>
class MachineWith {
 public:
  MachineWith(MemoryFs& files, FaultPlan& plan) : vfs_(files, plan), fs_(files, plan) {}
  Result<std::unique_ptr<Session>> open() { return Session::open(kHome, fs_, system_clock()); }

 private:
  MemoryVfs vfs_;
  FaultyFiles fs_;
};
using Machine = MachineWith<FaultyFs>;

enum class Begin : std::uint8_t { nothing, locked, unlocked };

struct Verb {
  const char* name;
  Begin begin;
  std::function<Status(Session&)> act;
  bool counts_at_once = false;  // narrows: it may stand although it failed
  std::function<Status(Session&)> prepare = {};
};

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> kVerbs = {
      {"init", Begin::nothing, [](Session& s) { return s.init(VaultMode::passphrase, key()); }},
      {"unlock", Begin::locked, [](Session& s) { return s.unlock(key()); }},
      {"unlock with something to fold", Begin::locked, [](Session& s) { return s.unlock(key()); }, false,
       [](Session& s) { return s.lock(), s.set_frozen(true); }},
      {"lock", Begin::unlocked, [](Session& s) { return s.lock(), Status{}; }},
      {"add", Begin::unlocked, [](Session& s) { return add(s, "Second"); }},
      {"freeze", Begin::unlocked, [](Session& s) { return s.set_frozen(true); }, true},
      {"freeze while locked", Begin::locked, [](Session& s) { return s.set_frozen(true); }, true},
      {"thaw", Begin::unlocked, [](Session& s) { return s.set_frozen(false); }, false,
       [](Session& s) { return s.set_frozen(true); }},
      {"rekey", Begin::unlocked, [](Session& s) { return s.rekey(VaultMode::passphrase, other_key()); }},
      {"rekey with recovery words", Begin::unlocked,
       [](Session& s) { return s.rekey(VaultMode::passphrase, other_key()); }, false, enroll},
      {"enroll recovery words", Begin::unlocked, enroll},
      {"recover", Begin::locked, [](Session& s) { return s.recover(words(), other_key(), [&s] { s.lock(); }); }, false, enroll},
      {"edit", Begin::unlocked, edit},
      {"trash", Begin::unlocked, [](Session& s) { return trash_record(s, first_record(s)); }},
      {"shred", Begin::unlocked, [](Session& s) { return shred_record(s, first_record(s)); }},
      {"rotate", Begin::unlocked, [](Session& s) { return rotate(s, "owner"); }},
      {"re-encrypt", Begin::unlocked, [](Session& s) { return rewrap(s, {first_record(s)}); }, false,
       [](Session& s) { return rotate(s, "owner"); }},
      {"purge", Begin::unlocked, purge, false, enroll_agent},
      {"checkpoint", Begin::unlocked, checkpoint},
      {"note", Begin::unlocked, [](Session& s) { return s.note(journal::Kind::recovery_failed, {}); }},
  };
  return kVerbs;
}

// Rows that say how it came to be and not how it is: a freeze that cannot be sealed is written as a narrowing, an epoch
// that nothing points to ends when there is time for it.
bool passing(journal::Kind kind) {
  using enum journal::Kind;
  constexpr journal::Kind kPassing[] = {unlocked,           locked,        unlock_failed, frozen,       narrowed_locked,
                                        narrowings_applied, record_opened, epoch_drained, epoch_destroyed,
                                        recovery_used,      recovery_resealed, checkpoint};
  return std::find(std::begin(kPassing), std::end(kPassing), kind) != std::end(kPassing);
}

// Everything that a good machine finds, or why it finds nothing.
std::string state_of(MemoryFs& files) {
  FaultPlan none;
  Machine machine(files, none);
  const auto session = machine.open();
  if (!session) return "cannot be opened: " + session.error().message();
  Session& s = **session;
  if (s.state() == State::uninitialised) return "nothing";
  if (s.state() == State::damaged) return "damaged: " + s.damage().message();
  std::string out = "first key, ";
  if (Status opened = s.unlock(key()); !opened) {
    if (opened.error().code == Errc::wrong_key) out = "other key, ", opened = s.unlock(other_key());
    if (!opened) return "locked: " + opened.error().message();
  }
  out += s.keys().recovery_key() ? "words, " : "";
  out += s.frozen() ? "frozen" : "thawed";
  const auto rows = s.store().all(store::Table::records);
  if (!rows) return "records: " + rows.error().message();
  std::multimap<std::string, std::string> records;
  for (const store::Row& row : *rows) {
    const auto view = view_of(s, row);
    const auto blob = read_record_blob(s, row);
    const bool opens = blob && open_record(s.keys(), place_of(row), *blob);
    const std::string trashed = row.body["trashed_at"].is_null() ? "" : " from the trash";
    records.emplace(view ? view->label : "?", (opens ? " opens" : " does not open") + trashed);
  }
  for (const auto& [label, what] : records) out.append("; ").append(label).append(what);
  // What is purged and its key go together.
  const auto purchase = s.store().get(store::Table::purchases, "pur_one");
  if (purchase && *purchase) {
    const bool purged = (*purchase)->body["text"].is_null();
    Json body, fields;
    fields.set("name", "x");
    set_personal(s, body, "agt_one", fields);
    out.append(purged ? "; purged" : "; private").append(body.is_null() ? " without a key" : "");
  }
  const auto journal = s.store().journal_after(0, 1000);
  if (!journal || !s.verify_mirror()) return "journal";
  for (const journal::Row& row : *journal)
    if (!passing(row.kind)) out.append(" ").append(journal::to_string(row.kind));
  return out;
}

MemoryFs prepared(const Verb& verb) {
  MemoryFs files;
  if (verb.begin == Begin::nothing) return files;
  FaultPlan none;
  Machine machine(files, none);
  const auto session = machine.open();
  EXPECT_TRUE(session);
  EXPECT_TRUE((*session)->init(VaultMode::passphrase, key()));
  EXPECT_TRUE((*session)->unlock(key()));
  EXPECT_TRUE(add(**session, "First"));
  if (verb.prepare) EXPECT_TRUE(verb.prepare(**session));
  (*session)->lock();
  return files;
}

struct Outcome {
  Status status;
  std::size_t calls = 0;         // of the verb
  bool usable = true;            // the session's own checks hold afterwards
  bool killed = false;
  std::vector<MemoryFs> states;  // what a restart finds: after the daemon's end, and after each power cut at the answer
};

// The verb on a copy of these files; `arm` is given the number of calls before its first. Power is cut if `cut` says so.
template <class FaultyFiles = FaultyFs>
Outcome run(const MemoryFs& before, const Verb& verb, const std::function<void(FaultPlan&, std::size_t)>& arm,
            bool cut = true) {
  MemoryFs files = before.after(test::PowerCut::nothing_lost);
  Outcome out;
  {
    FaultPlan plan;
    MachineWith<FaultyFiles> machine(files, plan);
    const auto session = machine.open();
    EXPECT_TRUE(session) << verb.name;
    if (verb.begin == Begin::unlocked) EXPECT_TRUE((*session)->unlock(key())) << verb.name;
    const std::size_t first = plan.calls();
    arm(plan, first);
    out.status = verb.act(**session);
    out.calls = plan.calls() - first;
    out.killed = plan.killed();
    if (cut)
      for (const test::PowerCut kind : test::kPowerCuts) out.states.push_back(files.after(kind));
    if (!plan.killed() && (*session)->state() == State::unlocked) out.usable = (*session)->verify_mirror().has_value();
  }
  out.states.push_back(std::move(files));
  return out;
}

struct Report {
  std::size_t cases = 0;
  std::map<std::string, std::size_t> bad;
};

class Sweep {
 public:
  explicit Sweep(const Verb& verb) : verb_(verb), before_(prepared(verb)) {
    Outcome whole = run(before_, verb_, [](FaultPlan&, std::size_t) {});
    EXPECT_TRUE(whole.status) << verb_.name << ": " << whole.status.error().message();
    calls_ = whole.calls;
    MemoryFs untouched = before_.after(test::PowerCut::nothing_lost);
    old_ = state_of(untouched);
    new_ = state_of(whole.states.back());
    for (MemoryFs& state : whole.states) judge(whole, state, "no fault");
  }

  Report run_all() {
    for (std::size_t n = 1; n <= calls_; ++n) {
      const std::string at = " at " + std::to_string(n) + " of " + std::to_string(calls_);
      for (const int error : {EIO, ENOSPC, EDQUOT, EINTR})
        one("error " + std::to_string(error) + at, [&](FaultPlan& plan, std::size_t first) { plan.fail_at(first + n, error); },
            error == EIO);
      one("short write" + at, [&](FaultPlan& plan, std::size_t first) { plan.shorten_at(first + n); }, false);
      one("kill" + at, [&](FaultPlan& plan, std::size_t first) { plan.kill_at(first + n); }, true);
    }
    return std::move(report_);
  }

 private:
  void one(const std::string& what, const std::function<void(FaultPlan&, std::size_t)>& arm, bool cut) {
    Outcome outcome = run(before_, verb_, arm, cut);
    if (!outcome.usable) complain(what, "the session contradicts itself");
    for (MemoryFs& state : outcome.states) judge(outcome, state, what);
  }

  void judge(const Outcome& outcome, MemoryFs& files, const std::string& what) {
    ++report_.cases;
    const std::string found = state_of(files);
    if (found != old_ && found != new_) {
      const auto at = static_cast<std::size_t>(&files - outcome.states.data());
      return complain(what + ", state " + std::to_string(at) + " of " + std::to_string(outcome.states.size()) + ", answered " +
                      (outcome.status ? "done" : outcome.status.error().message()), found);
    }
    const bool last = &files == &outcome.states.back();
    const std::string said = outcome.status ? "" : outcome.status.error().detail;
    const bool maybe = verb_.counts_at_once || said.find("it is done") != said.npos || said.find("is written") != said.npos;
    if (outcome.status && found != new_) complain(what, "said to be done, and the old state is there");
    // A power cut may bring an unsynced failure back to life; a restart may not.
    if (!outcome.status && !outcome.killed && last && !maybe && found != old_) complain(what, "failed, and the new state is there: " + said);
  }

  void complain(const std::string& what, const std::string& why) {
    if (++report_.bad[why] == 1) report_.bad[why + " (first: " + what + ")"] = 1;
  }

  const Verb& verb_;
  MemoryFs before_;
  std::size_t calls_ = 0;
  std::string old_, new_;
  Report report_;
};

TEST(SessionFaults, EveryVerbLeavesTheOldOrTheNewState) {
  std::size_t cases = 0;
  for (const Verb& verb : verbs()) {
    const Report report = Sweep(verb).run_all();
    cases += report.cases;
    for (const auto& [why, count] : report.bad) ADD_FAILURE() << verb.name << ": " << count << " times: " << why;
  }
  RecordProperty("cases", static_cast<int>(cases));
  std::printf("%zu cases\n", cases);
  EXPECT_GT(cases, 3000U);
}

// Controls: what the sweep must find.

TEST(SessionFaults, ControlAVerbThatPromisesTooMuch) {
  const Verb boast{"boast", Begin::unlocked, [](Session& s) { return (void)add(s, "Second"), Status{}; }};
  EXPECT_FALSE(Sweep(boast).run_all().bad.empty());
}

TEST(SessionFaults, ControlAWriterInTwoSteps) {
  const Verb two{"two", Begin::unlocked, [](Session& s) -> Status {
                   PV_TRY(add(s, "Second"));
                   return add(s, "Third");
                 }};
  EXPECT_FALSE(Sweep(two).run_all().bad.empty());
}

TEST(SessionFaults, ControlWithoutSync) {
  const Verb verb{"add", Begin::unlocked, [](Session& s) { return add(s, "Second"); }};
  const MemoryFs before = prepared(verb);
  const auto lost = [&](Outcome outcome) {
    EXPECT_TRUE(outcome.status);
    return std::any_of(outcome.states.begin(), outcome.states.end(),
                       [](MemoryFs& files) { return state_of(files).find("Second opens") == std::string::npos; });
  };
  EXPECT_FALSE(lost(run(before, verb, [](FaultPlan&, std::size_t) {})));
  EXPECT_TRUE(lost(run<Careless>(before, verb, [](FaultPlan&, std::size_t) {})));
}

}  // namespace
}  // namespace popvault
