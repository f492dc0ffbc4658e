// The gate without sockets, over a real session in memory with a clock of our own: every step made to fail in turn, forced
// approvals, what is settled, many requests in one commit, and the rates over a restart.

#include "gate/gate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/money.hpp"
#include "crypto/digest.hpp"
#include "session/checkpoints.hpp"
#include "session/purchase_ends.hpp"
#include "session/record_changes.hpp"
#include "support/memory_vfs.hpp"
#include "support/test_clock.hpp"

namespace popvault::gate {
namespace {

constexpr const char* kHome = "/home/vault";
constexpr const char* kShop = "https://shop.example";
constexpr Seconds kStart = 1'800'000'000;

SecretBytes key() { return SecretBytes::copy_of(Bytes(32, 7)); }

policy::Policy usual() {
  policy::Policy p;
  p.merchants = {{kShop, {}}};
  p.records = {"*"};
  p.currency = "USD";
  p.per_use = 10'000;
  p.per_day = 50'000;
  p.per_month = 500'000;
  p.uses_per_hour = 1000;
  p.ask_above = 1'000;
  p.minimum = policy::Strength::dom;
  return p;
}

class GateTest : public testing::Test {
 protected:
  void SetUp() override {
    open();
    ASSERT_TRUE(session_->init(VaultMode::passphrase, key()));
    ASSERT_TRUE(session_->unlock(key()));
    card_ = add_card("One");
    other_ = add_card("Two");
    add_agent("agt_a");
    add_agent("agt_b");
    set_policy(usual());
    set_policy(usual(), "agt_b");
    caller_ = caller("agt_a");
    reset_gate();
  }

  void open() {
    gate_.reset();
    session_.reset();
    auto opened = Session::open(kHome, fs_, clock_);
    ASSERT_TRUE(opened) << opened.error().message();
    session_ = std::move(*opened);
  }
  void reset_gate() {
    gate_ = std::make_unique<Gate>(*session_, "injector");
    gate_->watch([this](Step step) { seen_.push_back(step); });
  }
  void restart() {
    open();
    ASSERT_TRUE(session_->unlock(key()));
    reset_gate();
    gate_->replay_rates();
  }

  std::string add_card(const char* label) {
    SecretFields fields;
    EXPECT_TRUE(fields.set("number", as_bytes("4242424242424242")));
    EXPECT_TRUE(fields.set("exp_month", as_bytes("12")));
    EXPECT_TRUE(fields.set("exp_year", as_bytes("2034")));
    const auto view = add_record(*session_, "card", label, std::move(fields));
    EXPECT_TRUE(view);
    return view ? view->id : "";
  }
  static std::string hash_of(const std::string& agent) { return crypto::sha256(as_bytes("pak_" + agent)).hex(); }
  static Caller caller(const std::string& agent) {
    Caller out;
    out.identity.uid = 1000;
    out.agent = agent;
    out.agent_key = hash_of(agent);
    return out;
  }
  void add_agent(const std::string& id) {
    store::Row row{id, 0, {}};
    row.body.set("expires_at", clock_.now_ + 80 * ledger::kDay);
    row.body.set("key_sha256", hash_of(id));
    row.body.set("name", id);
    row.body.set("status", "active");
    put(store::Table::agents, std::move(row));
  }
  void put(store::Table table, store::Row row) {
    const auto before = session_->store().get_with_deleted(table, row.id);
    ASSERT_TRUE(before);
    row.version = *before ? (*before)->version : 0;
    auto tx = session_->begin();
    ASSERT_TRUE(tx);
    ASSERT_TRUE(tx->put(table, row));
    ASSERT_TRUE(tx->journal(journal::Kind::config_set, {}));
    ASSERT_TRUE(session_->commit(*tx));
  }
  void change(store::Table table, const std::string& id, std::string_view member, Json value) {
    auto row = session_->store().get(table, id);
    ASSERT_TRUE(row && *row);
    (*row)->body.set(member, std::move(value));
    put(table, **row);
  }
  void set_policy(const policy::Policy& policy, const std::string& agent = "agt_a") {
    put(store::Table::policies, {agent, 0, policy_to_json(policy)});
  }
  void drop_policy() {
    auto row = session_->store().get(store::Table::policies, "agt_a");
    ASSERT_TRUE(row && *row);
    (*row)->body.set("deleted", true);
    put(store::Table::policies, **row);
  }

  Json request(const std::string& idempotency_key, std::int64_t amount = 5'000) {
    Json p;
    p.set("amount_minor", amount);
    p.set("currency", "USD");
    p.set("idempotency_key", idempotency_key);
    p.set("merchant_origin", kShop);
    p.set("reason", "x");
    p.set("record", card_);
    return p;
  }
  Answered ask(const Json& params) {
    auto answers = gate_->request({{caller_, params}});
    EXPECT_EQ(answers.size(), 1U);
    return std::move(answers.front());
  }
  // A purchase that has this status; its id.
  std::string waiting(const std::string& k, std::int64_t amount = 5'000) {
    const Answered answer = ask(request(k, amount));
    EXPECT_TRUE(answer.reply) << answer.reply.error().message();
    return answer.purchase ? answer.purchase->id : "";
  }
  std::string approved(const std::string& k, std::int64_t amount = 5'000) {
    const std::string id = waiting(k, amount);
    EXPECT_TRUE(gate_->approve(id, false));
    return id;
  }
  Json fill(const std::string& id) {
    Json page, p;
    page.set("url", "https://shop.example/pay");
    p.set("page", std::move(page));
    p.set("purchase", id);
    return p;
  }
  std::string status(const std::string& id) {
    return session_->store().get(store::Table::purchases, id).value().value().body["status"].text_or("");
  }
  std::size_t rows(journal::Kind kind) { return session_->store().journal_of(kind, 0).value().size(); }
  policy::Spent spent(const std::string& agent = "agt_a") { return session_->book().spent(agent, "USD", clock_.now_); }

  // Whether no step was left out so far, and how far it came.
  Step furthest() {
    std::uint8_t most = 0;
    for (const Step step : seen_) {
      const auto number = static_cast<std::uint8_t>(step);
      EXPECT_LE(number, most + 1) << "a step was leapt over";
      most = std::max(most, number);
    }
    return static_cast<Step>(most);
  }

  test::TestClock clock_{kStart};
  test::MemoryFs files_;
  test::FaultPlan plan_;
  test::FaultyFs fs_{files_, plan_};
  test::MemoryVfs vfs_{files_, plan_};
  std::unique_ptr<Session> session_;
  std::unique_ptr<Gate> gate_;
  std::vector<Step> seen_;
  Caller caller_;
  std::string card_, other_;
};

constexpr auto kNone = Step{0};
constexpr const char* kNotNamed = "a record that the policy does not name";

// --- every step made to fail

struct Breach {
  const char* what;
  Errc refusal;
  Step reached;  // the last step that was passed
  std::function<void()> make;
};

class Walk : public GateTest {
 protected:
  // What breaks a step for everything that an agent does. `id`: the purchase, where there is one.
  std::vector<Breach> common() {
    return {
        {"no hello", Errc::unauthenticated, kNone, [this] { caller_.agent.clear(); }},
        {"a wrong key", Errc::unauthenticated, kNone, [this] { caller_.agent_key = std::string(64, 'a'); }},
        {"another agent's key", Errc::unauthenticated, kNone, [this] { caller_.agent_key = hash_of("agt_b"); }},
        {"rotated", Errc::unauthenticated, kNone,
         [this] { change(store::Table::agents, "agt_a", "key_sha256", std::string(64, 'b')); }},
        {"another user", Errc::unauthenticated, kNone, [this] { change(store::Table::agents, "agt_a", "uid", 7); }},
        {"suspended", Errc::agent_suspended, kNone,
         [this] { change(store::Table::agents, "agt_a", "status", "suspended"); }},
        {"suspended, not sealed", Errc::agent_suspended, kNone, [this] { ASSERT_TRUE(session_->narrow("suspend", "agt_a")); }},
        {"revoked", Errc::unauthenticated, kNone, [this] { change(store::Table::agents, "agt_a", "status", "revoked"); }},
        {"revoked, not sealed", Errc::unauthenticated, kNone, [this] { ASSERT_TRUE(session_->narrow("revoke", "agt_a")); }},
        {"expired", Errc::unauthenticated, kNone,
         [this] { change(store::Table::agents, "agt_a", "expires_at", clock_.now_); }},
        {"frozen", Errc::frozen, Step::authenticate, [this] { ASSERT_TRUE(session_->set_frozen(true)); }},
        {"frozen, not sealed", Errc::frozen, Step::authenticate, [this] { ASSERT_TRUE(session_->narrow("freeze", "")); }},
        {"locked", Errc::locked, kNone, [this] { session_->lock(); }},
        {"a grant for another agent", Errc::locked, Step::authenticate,
         [this] {
           ASSERT_TRUE(session_->create_grant("agt_b", {card_}, 3600, false));
           session_->lock();
         }},
        {"a grant that is over", Errc::locked, Step::authenticate,
         [this] {
           ASSERT_TRUE(session_->create_grant("agt_a", {card_}, 60, false));
           ASSERT_TRUE(session_->create_grant("agt_b", {card_}, 3600, false));
           session_->lock();
           clock_.pass(60);
         }},
        {"a grant from the future", Errc::locked, Step::authenticate,
         [this] {
           ASSERT_TRUE(session_->create_grant("agt_a", {card_}, 3600, false));
           session_->lock();
           clock_.now_ -= 100'000;
         }},
        {"a grant for another record", Errc::locked, Step::parse,
         [this] {
           ASSERT_TRUE(session_->create_grant("agt_a", {other_}, 3600, false));
           session_->lock();
         }},
        {kNotNamed, Errc::not_found, Step::parse,
         [this] { with([this](policy::Policy& p) { p.records = {other_}; }); }},
        {"a record in the trash", Errc::not_found, Step::parse,
         [this] { ASSERT_TRUE(trash_record(*session_, find_record(*session_, card_).value())); }},
        {"no policy", Errc::not_found, Step::parse, [this] { drop_policy(); }},
    };
  }
  // What the policy answers: of a request a purchase that is denied, of a fill an error.
  std::vector<Breach> denials() {
    return {
        {"killed", Errc::denied, Step::authority, [this] { with([](policy::Policy& p) { p.killed = true; }); }},
        {"expired", Errc::denied, Step::authority, [this] { with([this](policy::Policy& p) { p.expires_at = clock_.now_; }); }},
        {"another merchant", Errc::denied, Step::authority,
         [this] { with([](policy::Policy& p) { p.merchants = {{"https://other.example", {}}}; }); }},
        {"another currency", Errc::denied, Step::authority, [this] { with([](policy::Policy& p) { p.currency = "EUR"; }); }},
        {"over a use", Errc::limit_exceeded, Step::authority, [this] { with([](policy::Policy& p) { p.per_use = 4'999; }); }},
        {"over a day", Errc::limit_exceeded, Step::authority, [this] { with([](policy::Policy& p) { p.per_day = 4'999; }); }},
        {"over 30 days", Errc::limit_exceeded, Step::authority, [this] { with([](policy::Policy& p) { p.per_month = 4'999; }); }},
        {"uses of an hour", Errc::limit_exceeded, Step::authority, [this] { with([](policy::Policy& p) { p.uses_per_hour = 0; }); }},
        {"strength", Errc::strength_unavailable, Step::authority,
         [this] { with([](policy::Policy& p) { p.minimum = policy::Strength::wire; }); }},
    };
  }
  void with(const std::function<void(policy::Policy&)>& change) {
    policy::Policy p = usual();
    change(p);
    set_policy(p);
  }
  // A vault of its own for each case.
  void afresh() {
    gate_.reset();
    session_.reset();
    files_ = test::MemoryFs();
    clock_.now_ = kStart;
    seen_.clear();
    SetUp();
  }
};

TEST_F(Walk, ARequest) {
  const auto each = [&](const Breach& breach, const Json& params) {
    seen_.clear();
    const Answered answer = ask(params);
    ASSERT_FALSE(answer.reply) << breach.what;
    EXPECT_EQ(answer.reply.error().code, breach.refusal) << breach.what << ": " << answer.reply.error().message();
    EXPECT_EQ(furthest(), breach.reached) << breach.what;
    EXPECT_FALSE(answer.purchase) << breach.what;
  };
  for (const Breach& breach : common()) {
    SCOPED_TRACE(breach.what);
    afresh();
    breach.make();
    each(breach, request("one"));
  }
  afresh();
  for (int i = 0; i < 60; ++i) (void)ask(Json(Json::Object{}));
  each({"rate", Errc::rate_limited, Step::state, {}}, request("one"));
  for (const auto& [member, value] : std::vector<std::pair<const char*, Json>>{
           {"amount_minor", 0}, {"amount_minor", -5}, {"amount_minor", kMaxMinor + 1}, {"amount_minor", "50"}, {"currency", "US"},
           {"currency", "ZZZ"}, {"merchant_origin", "http://shop.example"}, {"merchant_origin", "shop"}, {"reason", "a\nb"},
           {"reason", ""}, {"reason", std::string(201, 'x')}, {"page_url", "ftp://x"}, {"page_url", "https://\u00e9"},
           {"idempotency_key", ""}, {"idempotency_key", std::string(65, 'k')}, {"more", 1}, {"record", Json()}}) {
    clock_.pass(60);
    seen_.clear();
    Json params = request("one");
    params.set(member, value);
    const Answered answer = ask(params);
    ASSERT_FALSE(answer.reply) << member;
    EXPECT_TRUE(answer.reply.error().code == Errc::invalid_params || answer.reply.error().code == Errc::invalid_field) << member;
    EXPECT_EQ(furthest(), Step::rate) << member;
  }
  (void)waiting("taken");
  each({"an idempotency key", Errc::idempotency_conflict, Step::rate, {}}, request("taken", 5'001));
  // The control: without a breach all the steps of a request, and no more.
  seen_.clear();
  EXPECT_TRUE(ask(request("good")).reply);
  EXPECT_EQ(furthest(), Step::approve);
}

TEST_F(Walk, ARequestThatThePolicyDenies) {
  for (const Breach& breach : denials()) {
    SCOPED_TRACE(breach.what);
    afresh();
    breach.make();
    const Answered answer = ask(request("one"));
    ASSERT_TRUE(answer.reply);
    EXPECT_EQ((*answer.reply)["status"].text_or(""), "denied");
    EXPECT_EQ((*answer.reply)["reason"].text_or(""), info(breach.refusal).word);
    EXPECT_EQ(furthest(), Step::approve);
    EXPECT_EQ(spent().day, 0) << "a denied one holds nothing";
    const auto plain = gate_->approve(answer.purchase->id, false);
    ASSERT_FALSE(plain) << "not without force";
    EXPECT_EQ(plain.error().code, Errc::denied);
    EXPECT_EQ(status(answer.purchase->id), "denied");
    EXPECT_FALSE(gate_->begin_use(caller_, fill(answer.purchase->id)));
  }
}

TEST_F(Walk, FiftyWaitAndNoMore) {
  for (int i = 0; i < kMostWaiting; ++i) {
    clock_.pass(1);
    (void)waiting("k" + std::to_string(i), 1'001 - 1 + 1);
    if (i % 9 == 8) with([](policy::Policy& p) { p.per_day = kMaxMinor; p.per_month = kMaxMinor; });
  }
  clock_.pass(10);
  const Answered answer = ask(request("more", 1'001));
  ASSERT_FALSE(answer.reply);
  EXPECT_EQ(answer.reply.error().code, Errc::rate_limited);
  EXPECT_TRUE(ask(request("small", 1'000)).reply) << "nobody is asked";
}

// What breaks a fill that was approved.
struct OfFill : Walk {
  std::vector<Breach> of_fill(std::string& id) {
    auto out = common();
    // The agent knows of its purchase's record: this is no secret to it.
    for (Breach& breach : out)
      if (std::string_view(breach.what) == "no policy" || std::string_view(breach.what) == kNotNamed) breach.refusal = Errc::denied;
    for (Breach& breach : denials()) out.push_back(std::move(breach));
    const auto more = std::vector<Breach>{
        {"canceled", Errc::canceled, Step::parse, [this, &id] { ASSERT_TRUE(gate_->cancel(caller_, id)); }},
        {"denied by the owner", Errc::denied, Step::parse, [this, &id] { ASSERT_TRUE(gate_->deny(id)); }},
        {"expired by the daemon", Errc::purchase_expired, Step::parse,
         [this] {
           clock_.pass(600);
           ASSERT_TRUE(expire_overdue(*session_, [](const store::Row&) {}));
         }},
        {"denied, not sealed", Errc::denied, Step::reserve, [this, &id] { ASSERT_TRUE(session_->narrow("deny", id)); }},
        {"an approval that is over", Errc::purchase_expired, Step::reserve, [this] { clock_.pass(600); }},
        {"an approval of the future", Errc::purchase_expired, Step::reserve, [this] { clock_.now_ -= 121; }},
        {"an edited record", Errc::denied, Step::parse,
         [this] {
           SecretFields fields;
           ASSERT_TRUE(fields.set("exp_year", as_bytes("2035")));
           ASSERT_TRUE(edit_record(*session_, find_record(*session_, card_).value(), {}, fields));
         }},
        {"another's purchase", Errc::not_found, Step::parse,
         [this, &id] { change(store::Table::purchases, id, "agent", "agt_b"); }},
        {"filled already", Errc::purchase_used, Step::parse, [this, &id] { change(store::Table::purchases, id, "status", "filled"); }},
        {"an unknown outcome", Errc::outcome_unknown, Step::parse,
         [this, &id] { change(store::Table::purchases, id, "status", "outcome_unknown"); }},
        {"no hold", Errc::state_corrupt, Step::policy, [this, &id] {
           // A row that says approved, and a book that knows nothing of it.
           auto tx = session_->begin();
           store::Row row = session_->store().get(store::Table::purchases, id).value().value();
           ASSERT_TRUE(session_->book().move(*tx, row, "canceled"));
           ASSERT_TRUE(tx->journal(journal::Kind::purchase_canceled, {}));
           ASSERT_TRUE(session_->commit(*tx));
           change(store::Table::purchases, id, "status", "approved");
         }}};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

TEST_F(OfFill, IsRefusedBeforeAnythingStarts) {
  std::string id;
  for (const Breach& breach : of_fill(id)) {
    SCOPED_TRACE(breach.what);
    afresh();
    id = approved("one");
    breach.make();
    seen_.clear();
    const auto use = gate_->begin_use(caller_, fill(id));
    ASSERT_FALSE(use);
    EXPECT_EQ(use.error().code, breach.refusal) << use.error().message();
    EXPECT_EQ(furthest(), breach.reached);
  }
  afresh();
  id = approved("one");
  Json both = fill(id), none = fill(id), more = fill(id);
  Json page;
  page.set("url", "https://shop.example/pay");
  page.set("target_id", "T");
  both.set("page", page);
  none.set("page", Json(Json::Object{}));
  more.set("browser", "mine");
  for (const Json& wrong : {both, none, more, Json(Json::Object{})}) {
    seen_.clear();
    const auto use = gate_->begin_use(caller_, wrong);
    ASSERT_FALSE(use);
    EXPECT_EQ(use.error().code, Errc::invalid_params) << wrong.dump();
    EXPECT_EQ(furthest(), Step::rate);
  }
  const std::string not_yet = waiting("two");
  EXPECT_EQ(gate_->begin_use(caller_, fill(not_yet)).error().code, Errc::not_approved);
  for (int i = 0; i < 60; ++i) (void)ask(Json(Json::Object{}));
  seen_.clear();
  EXPECT_EQ(gate_->begin_use(caller_, fill(id)).error().code, Errc::rate_limited);
  EXPECT_EQ(furthest(), Step::state);
}

TEST_F(OfFill, IsRefusedWhenTheInjectorIsReady) {
  std::string id;
  for (const Breach& breach : of_fill(id)) {
    SCOPED_TRACE(breach.what);
    afresh();
    id = approved("one");
    seen_.clear();
    auto use = gate_->begin_use(caller_, fill(id));
    ASSERT_TRUE(use) << use.error().message();
    EXPECT_EQ(furthest(), Step::approve);
    // Another's key is another connection: this one's caller is in the use.
    breach.make();
    use->caller = caller_;
    std::optional<store::Row> moved;
    const auto bundle = gate_->unwrap(*use, moved);
    ASSERT_FALSE(bundle);
    EXPECT_EQ(bundle.error().code, breach.refusal) << bundle.error().message();
    EXPECT_EQ(furthest(), Step::approve) << "neither journalled nor unwrapped";
    EXPECT_FALSE(moved);
    EXPECT_EQ(use->use_row, 0);
    if (session_->store().unsealed()) EXPECT_EQ(rows(journal::Kind::use_begin), 0U);
  }
}

// The injector looked by the rules of its start.
TEST_F(OfFill, IsRefusedWhenTheRulesOfThePageChanged) {
  const std::string id = approved("one");
  auto use = gate_->begin_use(caller_, fill(id));
  ASSERT_TRUE(use);
  with([](policy::Policy& p) { p.merchants = {{kShop, {"https://psp.example"}}}; });
  std::optional<store::Row> moved;
  EXPECT_EQ(gate_->unwrap(*use, moved).error().code, Errc::denied);
  EXPECT_EQ(status(id), "approved");
  EXPECT_LT(furthest(), Step::journal);
}

// Row 9 that does not become durable: nothing is unwrapped, wherever it breaks.
TEST_F(OfFill, ARowThatCannotBeWritten) {
  std::size_t calls = 0;
  {
    const std::string id = approved("count");
    auto use = gate_->begin_use(caller_, fill(id));
    ASSERT_TRUE(use);
    const std::size_t before = plan_.calls();
    std::optional<store::Row> moved;
    ASSERT_TRUE(gate_->unwrap(*use, moved));
    calls = plan_.calls() - before;
  }
  ASSERT_GT(calls, 5U);
  std::size_t refused = 0;
  for (std::size_t n = 1; n <= calls; ++n)
    for (const int error : {EIO, ENOSPC}) {
      SCOPED_TRACE(std::to_string(n) + " of " + std::to_string(calls));
      afresh();
      const std::string id = approved("one");
      auto use = gate_->begin_use(caller_, fill(id));
      ASSERT_TRUE(use);
      seen_.clear();
      plan_.fail_at(plan_.calls() + n, error);
      std::optional<store::Row> moved;
      const auto bundle = gate_->unwrap(*use, moved);
      plan_.fail_at(SIZE_MAX, EIO);
      const bool unwrapped = std::find(seen_.begin(), seen_.end(), Step::unwrap) != seen_.end();
      EXPECT_EQ(unwrapped, bundle.has_value());
      if (bundle) continue;
      ++refused;
      EXPECT_EQ(spent().day, 5'000) << "held, whatever came of it";
      if (use->use_row != 0) EXPECT_TRUE(gate_->settle(*use, {}));
      const std::string now = status(id);
      EXPECT_EQ(now, use->use_row != 0 ? "outcome_unknown" : "approved");
      EXPECT_TRUE(session_->store().verify_chain(journal_signer(*session_)));
    }
  EXPECT_GT(refused, 5U);
}

// What agents see goes through the same first steps.
TEST_F(Walk, TheMaskedViews) {
  for (const Breach& breach : common()) {
    SCOPED_TRACE(breach.what);
    afresh();
    const std::string id = waiting("one");
    breach.make();
    const auto view = gate_->view(caller_, card_);
    ASSERT_FALSE(view);
    EXPECT_EQ(view.error().code, breach.refusal);
    const auto list = gate_->list(caller_, "", "", 50);
    if (list)
      for (const Json& item : *(*list)["credentials"].array()) EXPECT_NE(item["id"].text_or(""), card_);
    if (breach.reached == kNone) {
      EXPECT_FALSE(list);
      EXPECT_FALSE(gate_->own_purchase(caller_, id));
      EXPECT_FALSE(gate_->cancel(caller_, id));
    }
  }
  afresh();
  EXPECT_TRUE(gate_->view(caller_, card_));
  const std::string id = waiting("one");
  EXPECT_EQ(gate_->own_purchase(caller("agt_b"), id).error().code, Errc::not_found);
  EXPECT_EQ(gate_->cancel(caller("agt_b"), id).error().code, Errc::not_found);
  EXPECT_EQ(furthest(), Step::approve) << "nothing of this unwraps";
}

using PassageDeath = testing::Test;

TEST(PassageDeath, LeapingOverAStepAborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH({ Passage().pass(Step::state); }, "");
  for (std::uint8_t left_out = 2; left_out < 15; ++left_out)
    EXPECT_DEATH(
        {
          Passage passage;
          for (std::uint8_t step = 1; step <= 15; ++step)
            if (step != left_out) passage.pass(static_cast<Step>(step));
        },
        "")
        << int{left_out};
  EXPECT_DEATH({ Passage().require(Step::journal); }, "");
  EXPECT_DEATH(
      {
        Passage passage;
        for (std::uint8_t step = 1; step <= 8; ++step) passage.pass(static_cast<Step>(step));
        passage.require(Step::journal);
      },
      "");
  Passage whole;
  for (int twice = 0; twice < 2; ++twice)
    for (std::uint8_t step = 1; step <= 8; ++step) whole.pass(static_cast<Step>(step));
  whole.pass(Step::journal);
  whole.require(Step::journal);
}

// --- many at once

TEST_F(GateTest, OneThatFailsDoesNotSpoilTheOthers) {
  Json malformed = request("m"), hidden = request("h");
  malformed.set("more", 1);
  hidden.set("record", "crd_aaaaaaaaaaaaaaaaaaaaaaaaaa");
  Caller stranger = caller_;
  stranger.agent_key = std::string(64, 'f');
  const std::vector<Asked> asked = {{caller_, request("a")},  {caller_, malformed},         {stranger, request("s")},
                                    {caller_, request("b")},  {caller_, hidden},            {caller_, request("c", 10'001)},
                                    {caller_, request("a")},  {caller_, request("a", 1)},   {caller("agt_b"), request("a")},
                                    {caller_, request("d", 1)}};
  const auto answers = gate_->request(asked);
  ASSERT_EQ(answers.size(), asked.size());
  const auto word = [&](std::size_t i) {
    const auto& reply = answers[i].reply;
    return reply ? (*reply)["status"].text_or("") : std::string(info(reply.error().code).word);
  };
  const std::vector<std::string> wanted = {"awaiting_approval", "invalid_params", "unauthenticated", "awaiting_approval", "not_found",
                                           "denied", "awaiting_approval", "idempotency_conflict", "awaiting_approval", "approved"};
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(word(i), wanted[i]) << i;
  EXPECT_EQ((*answers[0].reply)["purchase"], (*answers[6].reply)["purchase"]) << "one key, one purchase, in one commit too";
  EXPECT_NE((*answers[0].reply)["purchase"], (*answers[8].reply)["purchase"]) << "a key is the agent's own";
  EXPECT_FALSE(answers[6].purchase) << "nothing new was written";
  EXPECT_EQ(spent().day, 10'001);
  EXPECT_EQ(spent("agt_b").day, 5'000);
  EXPECT_EQ(rows(journal::Kind::purchase_requested), 4U);
  EXPECT_EQ(rows(journal::Kind::request_denied), 1U);
}

TEST_F(GateTest, ACapHoldsWithinOneCommit) {
  std::vector<Asked> asked;
  for (int i = 0; i < 20; ++i) asked.push_back({caller_, request("k" + std::to_string(i), 7'000)});
  std::size_t held = 0;
  for (const Answered& answer : gate_->request(asked)) held += (*answer.reply)["status"].text_or("") == "awaiting_approval";
  EXPECT_EQ(held, 7U);
  EXPECT_EQ(spent().day, 49'000);
}

TEST_F(GateTest, ACommitThatFailsTakesAllWithIt) {
  const auto asked = [this](const std::string& round) {
    return std::vector<Asked>{{caller_, request(round + "a")}, {caller_, request(round + "b")}, {caller("agt_b"), request(round + "c")}};
  };
  const std::size_t first = plan_.calls();
  ASSERT_TRUE(gate_->request(asked("count")).front().reply);
  const std::size_t calls = plan_.calls() - first;
  std::size_t failed = 0;
  for (std::size_t n = 1; n <= calls + 2; ++n) {
    SCOPED_TRACE(n);
    clock_.pass(20);
    set_policy([] { auto p = usual(); p.per_day = p.per_month = kMaxMinor; return p; }());
    const policy::Spent before = spent();
    const std::size_t rows_before = rows(journal::Kind::purchase_requested);
    const std::string round = "r" + std::to_string(n);
    plan_.fail_at(plan_.calls() + n, EIO);
    const auto answers = gate_->request(asked(round));
    plan_.fail_at(SIZE_MAX, EIO);
    ASSERT_EQ(answers.size(), 3U);
    const bool done = answers[0].reply.has_value();
    for (const Answered& answer : answers) {
      EXPECT_EQ(answer.reply.has_value(), done);
      EXPECT_EQ(answer.purchase.has_value(), done);
    }
    failed += !done;
    if (!session_->book().whole()) {  // the book could not be read anew either: nothing may be spent
      EXPECT_FALSE(gate_->request(asked(round + "x")).front().reply);
      restart();
    }
    EXPECT_EQ(spent().day, before.day + (done ? 10'000 : 0));
    EXPECT_EQ(rows(journal::Kind::purchase_requested), rows_before + (done ? 3 : 0));
    EXPECT_EQ(session_->store().purchase_with_key("agt_a", round + "a").value().has_value(), done);
    const auto mirrored = spent();
    restart();
    EXPECT_EQ(spent().day, mirrored.day) << "the rows say what memory said";
  }
  EXPECT_GT(failed, 2U);
}

// --- money to its end

class Money : public GateTest {
 protected:
  Use begin(const std::string& id) {
    auto use = gate_->begin_use(caller_, fill(id));
    EXPECT_TRUE(use) << use.error().message();
    std::optional<store::Row> moved;
    EXPECT_TRUE(gate_->unwrap(*use, moved));
    EXPECT_TRUE(moved);
    EXPECT_EQ(status(id), "filling");
    return std::move(*use);
  }
  static UseEnd end(injector::Outcome outcome, bool handed_over = true) {
    injector::Done done;
    done.outcome = outcome;
    done.typed = true;
    return {handed_over, done};
  }
  std::optional<std::string> entry(const std::string& id, const std::string& word) {
    const auto row = session_->store().get(store::Table::ledger, id + "." + word).value();
    return row ? std::optional(row->body["entry"].text_or("")) : std::nullopt;
  }
};

TEST_F(Money, AFilledOneIsADebit) {
  const std::string id = approved("one");
  Use use = begin(id);
  EXPECT_EQ(use.use_row, static_cast<std::int64_t>(session_->store().head().seq));
  const auto row = gate_->settle(use, end(injector::Outcome::filled));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->body["status"].text_or(""), "filled");
  EXPECT_EQ(furthest(), Step::outcome);
  EXPECT_TRUE(entry(id, "hold") && entry(id, "debit"));
  EXPECT_FALSE(entry(id, "release"));
  EXPECT_EQ(spent().day, 5'000);
  const auto done = session_->store().journal_of(journal::Kind::use_done, 0).value();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(Json::parse(done[0].body)->find("use")->int_or(0), use.use_row) << "linked to row 9";
  EXPECT_FALSE(gate_->settle(use, end(injector::Outcome::filled))) << "once";
  EXPECT_EQ(gate_->cancel(caller_, id).error().code, Errc::purchase_used);
  EXPECT_FALSE(gate_->deny(id));
  EXPECT_EQ(gate_->settle_by_owner(id, "released").error().code, Errc::wrong_status) << "the money went";
  EXPECT_TRUE(gate_->settle_by_owner(id, "settled"));
  EXPECT_FALSE(gate_->settle_by_owner(id, "settled"));
  EXPECT_EQ(spent().day, 5'000);
  clock_.pass(ledger::kDay - 1);
  EXPECT_EQ(spent().day, 5'000);
  clock_.pass(1);
  EXPECT_EQ(spent().day, 0);
  EXPECT_EQ(spent().month, 5'000);
}

TEST_F(Money, WhatIsCutOffStaysHeldUntilTheOwnerSays) {
  for (const char* answer : {"settled", "released"}) {
    SCOPED_TRACE(answer);
    const policy::Spent before = spent();
    const std::string id = approved(answer);
    Use use = begin(id);
    const bool cut = std::string_view(answer) == "settled";
    const auto row = gate_->settle(use, cut ? UseEnd{true, fail(Errc::injector_failed)} : end(injector::Outcome::navigated));
    ASSERT_TRUE(row);
    EXPECT_EQ(row->body["status"].text_or(""), "outcome_unknown");
    EXPECT_EQ(gate_->cancel(caller_, id).error().code, Errc::outcome_unknown);
    EXPECT_FALSE(gate_->begin_use(caller_, fill(id))) << "never replayed by itself";
    EXPECT_FALSE(gate_->approve(id, false));
    EXPECT_FALSE(gate_->approve(id, true));
    clock_.pass(40 * ledger::kDay);
    EXPECT_TRUE(expire_overdue(*session_, [](const store::Row&) {}));
    EXPECT_EQ(spent().day, 5'000) << "however old";
    restart();
    EXPECT_EQ(spent().day, 5'000);
    change(store::Table::agents, "agt_a", "expires_at", clock_.now_ + ledger::kDay);
    ASSERT_TRUE(gate_->settle_by_owner(id, answer));
    EXPECT_FALSE(gate_->settle_by_owner(id, "settled"));
    EXPECT_FALSE(gate_->settle_by_owner(id, "released"));
    EXPECT_EQ(spent().day, cut ? 5'000 : 0);
    EXPECT_EQ(entry(id, "debit").has_value(), cut);
    EXPECT_EQ(entry(id, "release").has_value(), !cut);
    clock_.pass(31 * ledger::kDay);
    change(store::Table::agents, "agt_a", "expires_at", clock_.now_ + ledger::kDay);
    (void)before;
  }
}

TEST_F(Money, NotHandedOverIsNotFilled) {
  const std::string id = approved("one");
  Use use = begin(id);
  ASSERT_TRUE(gate_->settle(use, end(injector::Outcome::filled, false)));
  EXPECT_EQ(status(id), "outcome_unknown");
}

TEST_F(Money, ARestartInTheMiddle) {
  const std::string id = approved("one");
  (void)begin(id);
  restart();
  EXPECT_TRUE(settle_interrupted(*session_, [](const store::Row&) { return true; }, [](const store::Row&) {}));
  EXPECT_EQ(status(id), "outcome_unknown");
  EXPECT_EQ(spent().day, 5'000);
}

TEST_F(Money, AnAgentNeitherSettlesNorReleases) {
  const std::string id = approved("one");
  EXPECT_FALSE(gate_->settle_by_owner(id, "settled"));
  EXPECT_FALSE(gate_->settle_by_owner(id, "released"));
  EXPECT_TRUE(gate_->cancel(caller_, id));
  EXPECT_TRUE(entry(id, "release"));
  EXPECT_EQ(spent().day, 0);
}

TEST_F(Money, Adjusted) {
  (void)approved("one");
  ASSERT_TRUE(gate_->adjust("agt_a", "USD", 10'000, "cash"));
  EXPECT_EQ(spent().day, 15'000);
  ASSERT_TRUE(gate_->adjust("agt_a", "USD", -40'000, "back"));
  EXPECT_EQ(spent().day, 5'000) << "no credit, and what is held is held";
  EXPECT_EQ(spent("agt_b").day, 0);
  ASSERT_TRUE(gate_->adjust("agt_a", "EUR", 30'000, "another currency"));
  EXPECT_EQ(spent().day, 5'000);
  restart();
  EXPECT_EQ(spent().day, 5'000);
  EXPECT_EQ(rows(journal::Kind::ledger_adjusted), 3U);
}

TEST_F(Money, AnApprovalThatComesTooLate) {
  const std::string id = waiting("one");
  clock_.pass(599);
  const std::string other = waiting("two");
  clock_.pass(1);
  const auto late = gate_->approve(id, false);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::purchase_expired);
  EXPECT_TRUE(gate_->approve(other, false));
}

// --- forced

class Forced : public Walk {
 protected:
  // A purchase that the policy denied.
  std::string denied(const std::string& k = "one") {
    const Answered answer = ask(request(k));
    EXPECT_TRUE(answer.reply);
    EXPECT_EQ((*answer.reply)["status"].text_or(""), "denied");
    return answer.purchase->id;
  }
};

TEST_F(Forced, LimitsAndListsAndNothingElse) {
  const std::set<std::string> may = {"another merchant", "another currency", "over a use", "over a day", "over 30 days", "uses of an hour"};
  std::size_t forced = 0;
  for (const Breach& breach : denials()) {
    SCOPED_TRACE(breach.what);
    afresh();
    breach.make();
    const std::string id = denied();
    const auto row = gate_->approve(id, true);
    EXPECT_EQ(row.has_value(), may.contains(breach.what));
    if (!row) {
      EXPECT_EQ(status(id), "denied");
      EXPECT_EQ(spent().day, 0);
      continue;
    }
    ++forced;
    EXPECT_EQ(rows(journal::Kind::purchase_forced), 1U);
    EXPECT_EQ(rows(journal::Kind::purchase_approved), 0U);
    EXPECT_EQ(spent().day, 5'000) << "it is held";
    EXPECT_FALSE(gate_->approve(id, true)) << "once";
    EXPECT_FALSE(gate_->approve(id, false));
    // The policy still denies it: it is filled all the same.
    seen_.clear();
    auto use = gate_->begin_use(caller_, fill(id));
    ASSERT_TRUE(use) << use.error().message();
    std::optional<store::Row> moved;
    EXPECT_TRUE(gate_->unwrap(*use, moved));
    EXPECT_EQ(furthest(), Step::unwrap);
  }
  EXPECT_EQ(forced, may.size());
}

TEST_F(Forced, WhatComesInBetweenRefuses) {
  const std::vector<Breach> between = {
      {"killed", Errc::denied, kNone, [this] { with([](policy::Policy& p) { p.per_use = 1; p.killed = true; }); }},
      {"expired", Errc::denied, kNone, [this] { with([this](policy::Policy& p) { p.per_use = 1; p.expires_at = clock_.now_; }); }},
      {"no policy", Errc::denied, kNone, [this] { drop_policy(); }},
      {"another record", Errc::denied, kNone, [this] { with([this](policy::Policy& p) { p.per_use = 1; p.records = {other_}; }); }},
      {"strength", Errc::strength_unavailable, kNone,
       [this] { with([](policy::Policy& p) { p.per_use = 1; p.minimum = policy::Strength::wire; }); }},
  };
  for (const Breach& breach : between) {
    SCOPED_TRACE(breach.what);
    for (const bool approved_before : {true, false}) {
      afresh();
      with([](policy::Policy& p) { p.per_use = 1; });
      const std::string id = denied();
      if (approved_before) ASSERT_TRUE(gate_->approve(id, true));
      breach.make();
      if (!approved_before) {
        const auto row = gate_->approve(id, true);
        EXPECT_FALSE(row);
        EXPECT_EQ(status(id), "denied");
        continue;
      }
      const auto use = gate_->begin_use(caller_, fill(id));
      ASSERT_FALSE(use);
      EXPECT_EQ(use.error().code, breach.refusal);
    }
  }
}

// A limit is overruled, and what stands behind it in the policy's order is not.
TEST_F(Forced, AStrengthBehindALimitIsNotOverruled) {
  with([](policy::Policy& p) { p.per_use = 1, p.minimum = policy::Strength::wire; });
  const std::string id = denied();
  const auto row = gate_->approve(id, true);
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().code, Errc::strength_unavailable);
}

// A forced one that the owner then denies while the vault is locked stays denied.
TEST_F(Forced, DeniedAfterwards) {
  with([](policy::Policy& p) { p.per_use = 1; });
  const std::string id = denied();
  ASSERT_TRUE(gate_->approve(id, true));
  session_->lock();
  ASSERT_TRUE(session_->narrow("deny", id));
  ASSERT_TRUE(session_->unlock(key()));
  EXPECT_EQ(status(id), "denied");
  EXPECT_EQ(spent().day, 0);
  EXPECT_EQ(gate_->approve(id, true).error().code, Errc::wrong_status);
  EXPECT_EQ(gate_->approve(id, false).error().code, Errc::denied);
}

TEST_F(Forced, OnlyWhatThePolicyDeniedAndOnlyInTime) {
  with([](policy::Policy& p) { p.per_use = 5'000; });
  const std::string open = waiting("open");
  EXPECT_EQ(gate_->approve(open, true).error().code, Errc::wrong_status) << "approve it without force";
  ASSERT_TRUE(gate_->deny(open));
  EXPECT_FALSE(gate_->approve(open, true)) << "the owner denied it";
  EXPECT_FALSE(gate_->approve(open, false));
  with([](policy::Policy& p) { p.per_use = 1; });
  const std::string late = denied("late"), narrowed = denied("narrowed"), edited = denied("edited");
  EXPECT_EQ(gate_->approve(late, false).error().code, Errc::denied);
  clock_.pass(600);
  EXPECT_EQ(gate_->approve(late, true).error().code, Errc::purchase_expired);
  clock_.pass(-1);
  ASSERT_TRUE(session_->narrow("deny", narrowed));
  EXPECT_FALSE(gate_->approve(narrowed, true));
  SecretFields fields;
  ASSERT_TRUE(fields.set("exp_year", as_bytes("2035")));
  ASSERT_TRUE(edit_record(*session_, find_record(*session_, card_).value(), {}, fields));
  EXPECT_FALSE(gate_->approve(edited, true));
  EXPECT_EQ(rows(journal::Kind::purchase_forced), 0U);
}

// --- rates over a restart

class Restarted : public GateTest {
 protected:
  // How many more may be asked now.
  int left() {
    int out = 0;
    while (out < 100) {
      const Answered answer = ask(Json(Json::Object{}));
      if (!answer.reply && answer.reply.error().code == Errc::rate_limited) break;
      ++out;
    }
    return out;
  }
  void use(int count, const char* word, std::int64_t amount) {
    for (int i = 0; i < count; ++i) EXPECT_TRUE(ask(request(word + std::to_string(i), amount)).reply) << i;
  }
  // What is left with a restart and what is left without one.
  void same(const std::function<void()>& act) {
    act();
    const int without = left();
    gate_.reset();
    session_.reset();
    files_ = test::MemoryFs();
    clock_ = test::TestClock();
    SetUp();
    act();
    restart();
    EXPECT_EQ(left(), without);
  }
};

TEST_F(Restarted, WhatWasAskedCounts) {
  same([this] { use(40, "a", 1); });
}

TEST_F(Restarted, InTheOrderInWhichItWasAsked) {
  same([this] {
    use(30, "denied", 20'000);
    clock_.pass(18);
    use(10, "good", 1);
    clock_.pass(2);
    use(3, "again", 20'000);
  });
}

TEST_F(Restarted, AnAgentThatNeverRestsGetsNoNewBurst) {
  set_policy([] { auto p = usual(); p.uses_per_hour = 100'000; return p; }());
  use(60, "burst", 1);
  for (int i = 0; i < 700; ++i) {
    clock_.pass(1);
    EXPECT_TRUE(ask(request("on" + std::to_string(i), 1)).reply);
  }
  restart();
  EXPECT_LE(left(), 1);
}

TEST_F(Restarted, OneThatRestedIsFull) {
  use(30, "a", 1);
  clock_.pass(61);
  restart();
  EXPECT_EQ(left(), 60);
}

// Rows of a clock that was ahead are taken as of now: never less than was used.
TEST_F(Restarted, AClockThatWentBack) {
  use(50, "a", 1);
  clock_.now_ -= 10'000;
  restart();
  EXPECT_LE(left(), 10);
}

}  // namespace
}  // namespace popvault::gate
