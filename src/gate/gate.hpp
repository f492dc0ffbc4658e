// The one gate: every use of something by an agent takes these steps in this order, and there is no other path to a
// record's key (docs/ARCHITECTURE.md, "The gate").
//
//    1 authenticate   agents.hpp      the key that the caller showed, its agent active
//    2 state          gate.cpp        unlocked, or a live grant covers it; not frozen
//    3 rate           rates.hpp       the agent's bucket
//    4 parse          gate.cpp        strict; the canonical hash and the idempotency key
//    5 authority      gate.cpp        the policy names the record, a grant covers it while locked, the record's bucket
//    6 policy         src/policy      decide()
//    7 reserve        src/ledger      caps are checked and the HOLD is written in one transaction
//    8 approve        gate.cpp        within policy, or by the owner
//    9 journal        gate_use.cpp    `use_begin` is on disk and mirrored
//   10 unwrap         gate_use.cpp    record key -> fields, straight into the bundle
//   11 use            the injector    12 wipe   the injector
//   13 settle         gate_use.cpp    HOLD becomes DEBIT, or stays
//   14 journal        gate_use.cpp    the outcome, linked to row 9
//   15 reply          masked
//
// purchase.request is 1 to 8, for many at once in one durable commit. purchase.fill is 1 to 8 again (a deny now wins, the
// hold and the approval must stand), then the injector until it is ready, then all of it once more and 9 to 15.
// No sockets and no loop. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gate/agents.hpp"
#include "gate/policies.hpp"
#include "gate/rates.hpp"
#include "os/descriptor.hpp"
#include "rpc/injector_protocol.hpp"
#include "session/session.hpp"

namespace popvault::gate {

constexpr std::int64_t kMostWaiting = 50;  // purchases of one agent: the owner must be able to read the list
constexpr std::uint32_t kInjectionMs = 20'000;
constexpr std::uint32_t kSealedMs = 60'000;  // how long real values may stand in a sealed page

enum class Step : std::uint8_t {
  authenticate = 1, state, rate, parse, authority, policy, reserve, approve, journal, unwrap, use, wipe, settle, outcome, reply
};

// The steps that one request has passed. Going back is allowed, leaping over one is a broken invariant: it aborts.
class Passage {
 public:
  explicit Passage(const std::function<void(Step)>* watch = nullptr) : watch_(watch) {}
  void pass(Step step);
  // Aborts unless every step up to and with this one was passed.
  void require(Step step) const;

 private:
  const std::function<void(Step)>* watch_;
  std::uint8_t passed_ = 0;
};

struct Asked {
  Caller caller;
  Json params;
};
struct Answered {
  Result<Json> reply = fail(Errc::internal);
  std::optional<store::Row> purchase;  // what was written, for those who wait for it
};

// One fill on its way.
struct Use {
  Caller caller;
  store::Row agent;
  std::string purchase;
  bool by_target_id = false;
  bool open_page = false;
  bool submit = false;
  bool armed = false;
  std::string page;
  injector::Job job;
  std::int64_t use_row = 0;  // of `use_begin`; 0 before
  Passage passage;
};

struct UseEnd {
  bool handed_over = false;  // the bundle left the daemon
  Result<injector::Done> said = fail(Errc::injector_failed);
};

class Gate {
 public:
  Gate(Session& session, std::string injector_sha256) : session_(&session), injector_sha256_(std::move(injector_sha256)) {}

  // Steps 1 to 8 of each, in order, with one commit for all.
  std::vector<Answered> request(const std::vector<Asked>& asked);

  // Steps 1 to 8 of a fill: what the injector is to be told.
  Result<Use> begin_use(const Caller& caller, const Json& params);
  // The injector is ready: 1 to 8 once more, then 9 and 10. The bundle to hand over. `purchase` is set when it was moved.
  Result<Descriptor> unwrap(Use& use, std::optional<store::Row>& purchase);
  // wire: the aliases stand in the page. 1 to 8 once more; the purchase is `armed`. Nothing is unwrapped: unwrap() follows when
  // the page's request is held, or disarm() when none came.
  Status arm(Use& use, std::optional<store::Row>& purchase);
  // The purchase is approved again, if it was armed; as it is then.
  Result<store::Row> disarm(const Use& use, const Error& error);
  // 13 and 14, after row 9. The purchase as it is then.
  Result<store::Row> settle(Use& use, const UseEnd& end);
  // It ended before row 9: the purchase stays approved.
  void refuse(const Use& use, const Error& error);

  // What an agent sees and does besides. list() and view() say again what they said while nothing was written.
  Result<Json> list(const Caller& caller, std::string_view kind, std::string_view cursor, std::int64_t limit);
  Result<Json> view(const Caller& caller, std::string_view id_or_alias);
  // Steps 1 and 2 but for a freeze, which looking and giving up do not need.
  Status check_caller(const Caller& caller);
  Result<store::Row> own_purchase(const Caller& caller, std::string_view id);
  Result<store::Row> cancel(const Caller& caller, std::string_view id);
  // {purchase, status, reason, card, expires_at}.
  Result<Json> purchase_view(const store::Row& purchase);

  // The owner's answers (purchases.cpp). Each is one transaction with its journal row. `force`: a purchase that the policy
  // denied, within its ten minutes, against a limit or a list; never against a kill switch, an expiry or a strength.
  Result<store::Row> approve(std::string_view id, bool force);
  Result<store::Row> deny(std::string_view id);
  Result<store::Row> settle_by_owner(std::string_view id, std::string_view status);
  Status adjust(std::string_view agent, std::string_view currency, std::int64_t amount, std::string_view reason);
  // What the gate would decide now; the rates and the purchase's own hold left out.
  Result<policy::Decision> decide(std::string_view agent, const policy::UseRequest& request, std::string_view except);

  // What the browser at hand can give for this merchant: the guarded one when it runs, else the attached one.
  Result<policy::Strength> available(const std::optional<policy::Policy>& policy, const std::string& merchant);
  // The same for what does not pay: an identity may stand in a page that the agent reads; a login never may.
  Result<policy::Strength> available_for(std::string_view record, const std::optional<policy::Policy>& policy, const std::string& merchant);
  // Whether the guarded browser runs. The daemon knows.
  void when_guarded(std::function<bool()> guarded) { guarded_ = std::move(guarded); }
  bool guarded() const { return guarded_ && guarded_(); }

  // The journal's newest rows fill the buckets again, the first time there is a key.
  void replay_rates();
  // Each step of each request, as it is passed. For tests.
  void watch(std::function<void(Step)> watch) { watch_ = std::move(watch); }

 private:
  struct Request;
  Result<Request> parse_request(const Json& params) const;
  Status check_state(const store::Row& agent);
  Status check_covered(const store::Row& agent);
  Status check_kind(const store::Row& record, std::int64_t amount) const;
  Result<store::Row> check_authority(const store::Row& agent, std::string_view record);
  Answered request_one(store::Transaction& tx, const Asked& asked, bool& wrote);
  Result<store::Row> reserve(store::Transaction& tx, Json body, const policy::Decision& decision);
  // `status`: where it must stand, approved or armed.
  Result<store::Row> check_approved(Use& use, std::string_view status);
  Result<store::Row> check_again(Use& use, std::string_view status);
  Result<policy::UseRequest> use_request(const store::Row& purchase);
  // Of a purchase that the owner forced: whether this denial may be overruled.
  Status check_forced(const std::string& agent, policy::Strength available, const policy::Decision& decision);
  Status journal_use(Use& use, store::Row& purchase);
  // Steps 5 and 6; none when there is none. One whose row does not verify is denied.
  Result<std::optional<policy::Policy>> policy_for(const std::string& agent);
  // Suspends the agents of such rows, once the request's own transaction is over.
  class Suspending {
   public:
    explicit Suspending(Gate& gate) : gate_(gate) {}
    ~Suspending();
    Suspending(const Suspending&) = delete;

   private:
    Gate& gate_;
  };
  Result<injector::Job> make_job(const Use& use, const store::Row& purchase, const store::Row& record);
  Result<Descriptor> unwrap_record(const Use& use, const store::Row& record, ByteView blob);

  // A masked answer, good until something is written, the vault is locked, the agent's key ends, or `until`.
  struct Shown {
    Seconds since = 0;
    Seconds until = 0;
    Json answer;
  };
  // None when it must be looked up.
  const Json* shown(const std::string& question);
  Json show(const std::string& question, const store::Row& agent, Json answer);

  Session* session_;
  std::map<std::string, Shown> shown_;
  std::uint64_t shown_changes_ = 0;  // of the store, when they were looked up
  std::string injector_sha256_;
  Rates agents_{kAgentBucket};
  Rates records_{kRecordBucket};
  bool replayed_ = false;
  std::set<std::string> unverified_;  // agents whose policy's row did not verify, to be suspended
  std::function<void(Step)> watch_;
  std::function<bool()> guarded_;
};

// Fields as {field, ok, origin, why}.
Json reports(const std::vector<injector::FieldReport>& fields, const std::vector<std::string>& origins);
// Whether money goes with this record's use: it is a card's id.
bool pays(std::string_view record) noexcept;
// How the record is placed by a browser that can give this: an identity as it is, a login sealed.
policy::Strength used_strength(std::string_view record, policy::Strength available) noexcept;
Result<bool> flag_setting(Session& session, std::string_view name);
// Whether the owner may overrule this rule for one purchase: a limit or a list.
bool may_force(policy::Rule rule) noexcept;
// Whether the record was edited after the purchase was asked for.
bool edited_since(const store::Row& purchase, const store::Row& record);

}  // namespace popvault::gate
