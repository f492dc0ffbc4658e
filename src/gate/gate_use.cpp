// purchase.fill: steps 1 to 8 again, then 9, 10, 13 and 14.

#include <algorithm>

#include "base/money.hpp"
#include "crypto/random.hpp"
#include "gate/gate.hpp"
#include "gate/recipes.hpp"
#include "ledger/purchases.hpp"
#include "rpc/params.hpp"
#include "secret/bundle.hpp"
#include "wire/alias.hpp"
#include "session/epochs.hpp"
#include "session/personal.hpp"
#include "session/purchase_ends.hpp"
#include "session/records.hpp"
#include "vault/record_kinds.hpp"
#include "log/log.hpp"

namespace popvault::gate {
namespace {

// Step 4.
Status parse_use(const Json& params, Use& out) {
  Params in(params);
  out.purchase = in.text("purchase", 64);
  const Json& page = in.object("page");
  out.submit = in.optional_flag("submit", false);
  PV_TRY(in.done());
  Params inner(page);
  const auto target = inner.optional_text("target_id", 128);
  const auto url = inner.optional_text("url", 2048);
  out.open_page = inner.optional_flag("open", false);
  PV_TRY(inner.done());
  if (target.has_value() == url.has_value())
    return fail(Errc::invalid_params, "page must have exactly one of target_id and url");
  if (out.open_page && !url) return fail(Errc::invalid_params, "open goes with a url");
  out.by_target_id = target.has_value();
  out.page = target ? *target : *url;
  return {};
}

// A record that was used moves to the current epoch.
void rewrap_used(Session& session, const store::Row& purchase) {
  if (session.state() != State::unlocked) return;
  const auto record = find_kept_record(session, purchase.body["record"].text_or(""));
  const Status moved = record ? rewrap(session, {*record}) : Status(tl::unexpected(record.error()));
  if (!moved) log_warning("re-encrypting a used record: " + moved.error().message());
}

}  // namespace

Json reports(const std::vector<injector::FieldReport>& fields, const std::vector<std::string>& origins) {
  Json::Array out;
  for (const injector::FieldReport& field : fields) {
    Json item;
    item.set("field", injector::to_string(field.field));
    item.set("ok", field.why == injector::Why::ok);
    item.set("origin", field.origin < origins.size() ? Json(origins[field.origin]) : Json());
    if (field.why != injector::Why::ok) item.set("why", injector::to_string(field.why));
    out.push_back(std::move(item));
  }
  return out;
}

Result<policy::Strength> Gate::available(const std::optional<policy::Policy>& policy, const std::string& merchant) {
  const policy::Merchant* const listed = policy ? policy->find(merchant) : nullptr;
  PV_ASSIGN(const auto recipes, recipes_for(*session_, merchant, listed ? listed->processors : std::vector<std::string>{}));
  const bool wire = std::any_of(recipes.begin(), recipes.end(), [](const ActiveRecipe& one) { return one.mode == wire::Mode::wire; });
  if (guarded()) return wire ? policy::Strength::wire : policy::Strength::sealed;
  return wire ? policy::Strength::wire_attached : policy::Strength::dom;
}

Result<policy::Strength> Gate::available_for(std::string_view record, const std::optional<policy::Policy>& policy,
                                             const std::string& merchant) {
  if (pays(record)) return available(policy, merchant);
  if (record.starts_with("lgn_") && !guarded()) return fail(Errc::strength_unavailable, "a login needs the guarded browser");
  return policy::Strength::wire;  // the minimum is about cards
}

policy::Strength used_strength(std::string_view record, policy::Strength available) noexcept {
  if (record.starts_with("idn_")) return policy::Strength::dom;
  return record.starts_with("lgn_") ? policy::Strength::sealed : available;
}

Result<policy::UseRequest> Gate::use_request(const store::Row& purchase) {
  const Json& body = purchase.body;
  const std::string merchant = body["merchant"].text_or("");
  PV_ASSIGN(const auto policy, policy_for(body["agent"].text_or("")));
  const std::string record = body["record"].text_or("");
  PV_ASSIGN(const policy::Strength strength, available_for(record, policy, merchant));
  return policy::UseRequest{record, merchant, body["currency"].text_or(""), body["amount_minor"].int_or(0), strength, pays(record)};
}

// Steps 5 to 8 for a purchase as it stands: a deny now wins, the hold is there, the approval still counts.
Result<store::Row> Gate::check_approved(Use& use, std::string_view wanted) {
  const Seconds now = session_->clock().now();
  PV_ASSIGN(store::Row purchase, own_purchase(use.caller, use.purchase));
  const std::string status = purchase.body["status"].text_or("");
  if (status != wanted) return fail(ledger::refusal_of(status));
  const std::string id = purchase.body["record"].text_or("");
  auto authority = check_authority(use.agent, id);                                                          // 5
  // The agent knows of this record: a policy that does not name it any more denies it.
  if (!authority && authority.error().code == Errc::not_found && find_record(*session_, id)) return fail(Errc::denied);
  PV_ASSIGN(const store::Row record, std::move(authority));
  if (edited_since(purchase, record)) return fail(Errc::denied, "the record was edited since");
  use.passage.pass(Step::authority);
  PV_ASSIGN(const policy::UseRequest request, use_request(purchase));
  // No weaker than what was approved.
  if (request.available < policy::parse_strength(purchase.body["strength"].text_or("")).value_or(policy::Strength::wire))
    return fail(Errc::strength_unavailable);
  PV_ASSIGN(const policy::Decision decision, decide(use.agent.id, request, purchase.id));                   // 6
  if (purchase.body["forced"].bool_or(false)) {
    PV_TRY(check_forced(use.agent.id, request.available, decision));
  } else if (decision.verdict == policy::Verdict::deny) {
    return fail(decision.reason);
  } else if (decision.verdict == policy::Verdict::ask && purchase.body["approved_by"].text_or("") == "policy") {
    return fail(Errc::denied, "the policy asks the owner by now; request it again");
  }
  use.passage.pass(Step::policy);
  const auto held = session_->book().in_state(wanted);                                                      // 7
  if (std::find(held.begin(), held.end(), purchase.id) == held.end()) return fail(Errc::state_corrupt, "a purchase without its hold");
  use.passage.pass(Step::reserve);
  if (session_->narrowed("deny", purchase.id)) return fail(Errc::denied);                                   // 8
  if (purchase.body["expires_at"].int_or(0) <= now) return fail(Errc::purchase_expired);
  if (purchase.body["requested_at"].int_or(0) > now + ledger::kClockSlack)
    return fail(Errc::purchase_expired, "it was asked for at a later time than it is now");
  use.passage.pass(Step::approve);
  return purchase;
}

namespace {

injector::Kind kind_of(const store::Row& record) {
  if (record.id.starts_with("idn_")) return injector::Kind::identity;
  return record.id.starts_with("lgn_") ? injector::Kind::login : injector::Kind::card;
}

// The bits 1 << Field. A record of an older version says only what every one has.
std::uint32_t fields_of(const store::Row& record) {
  const auto bit = [](injector::Field field) { return 1U << static_cast<unsigned>(field); };
  if (record.id.starts_with("crd_")) return 0;
  std::uint32_t out = record.id.starts_with("idn_") ? bit(injector::Field::name) : bit(injector::Field::username) | bit(injector::Field::password);
  const Json::Array* const names = record.body["fields"].array();
  if (names == nullptr) return out;
  for (const Json& name : *names)
    for (unsigned i = 0; i < injector::kFieldCount; ++i)
      if (name.text_or("") == injector::to_string(static_cast<injector::Field>(i))) out |= 1U << i;
  return out;
}

// A login's fields as they go into the page: for its own origin alone, with the code of now instead of the seed.
Result<std::size_t> prepare_login(std::span<std::uint8_t> body, std::size_t size, std::string_view merchant, Seconds now) {
  PV_ASSIGN(SecretFields fields, SecretFields::parse(SecretBytes::copy_of(ByteView(body).first(size))));
  const auto origin = fields.find("origin", SecretAccess{});
  if (!origin || as_text(*origin) != merchant) return fail(Errc::origin_mismatch, "the login is for another origin");
  auto code = current_totp(fields, now);
  if (!code && code.error().code != Errc::not_found) return tl::unexpected(code.error());
  for (const char* name : {"origin", "totp", "totp_algorithm", "totp_digits", "totp_period"}) fields.erase(name);
  if (code) PV_TRY(fields.set("totp", code->reveal(SecretAccess{})));
  const ByteView block = fields.reveal(SecretAccess{});
  std::fill(body.begin(), body.end(), std::uint8_t{0});
  std::copy(block.begin(), block.end(), body.begin());
  return block.size();
}

// The card as the page sees it while the real values wait.
Result<injector::Aliases> aliases_of(const MaskedView& card, bool has_cvc, Seconds now) {
  const auto length = static_cast<std::size_t>(std::count_if(card.masked.begin(), card.masked.end(), [](char c) { return c != '-'; }));
  const std::size_t code = !has_cvc ? 0 : card.brand == "amex" ? 4 : 3;
  return wire::aliases_for(card.brand, length, code, std::stoi(rfc3339(now).substr(0, 4)), [](std::span<std::uint8_t> into) { crypto::fill_random(into); });
}

}  // namespace

Result<injector::Job> Gate::make_job(const Use& use, const store::Row& purchase, const store::Row& record) {
  injector::Job job;
  crypto::fill_random(job.id);
  job.by_target_id = use.by_target_id;
  job.open_page = use.open_page;
  job.submit = use.submit;
  job.page = use.page;
  const std::string merchant = purchase.body["merchant"].text_or("");
  job.origins.push_back(merchant);
  PV_ASSIGN(const auto policy, policy_for(use.agent.id));
  const policy::Merchant* const listed = policy ? policy->find(merchant) : nullptr;
  if (listed != nullptr) job.origins.insert(job.origins.end(), listed->processors.begin(), listed->processors.end());
  job.has_cvc = record.body["has_cvv"].bool_or(false);
  job.has_holder = record.body["has_holder"].bool_or(false);
  PV_ASSIGN(job.allow_loopback_http, flag_setting(*session_, "allow_loopback_http"));
  job.deadline_ms = kInjectionMs;
  job.guarded = guarded();
  job.kind = kind_of(record);
  job.fields = fields_of(record);
  PV_ASSIGN(const policy::Strength offered, available_for(record.id, policy, merchant));
  const policy::Strength strength = used_strength(record.id, offered);
  job.strength = static_cast<injector::Strength>(strength);
  const Seconds now = session_->clock().now();
  const Seconds left = std::max<Seconds>(purchase.body["expires_at"].int_or(0) - now, 0);
  if (strength == policy::Strength::sealed) job.armed_ms = kSealedMs;
  if (strength == policy::Strength::wire || strength == policy::Strength::wire_attached) {
    job.armed_ms = static_cast<std::uint32_t>(std::min<Seconds>(left, ledger::kApprovalValid) * 1000);
    PV_ASSIGN(const MaskedView view, view_of(*session_, record));
    PV_ASSIGN(job.aliases, aliases_of(view, job.has_cvc, now));
  }
  PV_ASSIGN(const auto recipes, recipes_for(*session_, merchant, listed ? listed->processors : std::vector<std::string>{}));
  for (const ActiveRecipe& one : recipes)
    if (job.recipes.size() < injector::kMaxRecipes) job.recipes.push_back(one.text);
  if (listed != nullptr) {
    job.accounts = listed->accounts;
    job.price.selector = listed->price_selector;
    job.price.amount_minor = purchase.body["amount_minor"].int_or(0);
    PV_ASSIGN(const Currency currency, Currency::parse(purchase.body["currency"].text_or("")));
    job.price.exponent = static_cast<std::uint8_t>(currency.exponent());
    job.price.drift = static_cast<std::uint16_t>(policy->drift_bp);
  }
  return job;
}

Result<Use> Gate::begin_use(const Caller& caller, const Json& params) {
  const Suspending suspending(*this);
  Use use;
  use.caller = caller;
  use.passage = Passage(&watch_);
  PV_ASSIGN(use.agent, authenticate(*session_, caller));                               // 1
  use.passage.pass(Step::authenticate);
  PV_TRY(check_state(use.agent));                                                      // 2
  use.passage.pass(Step::state);
  PV_TRY(agents_.take(use.agent.id, session_->clock().monotonic_ms()));                // 3
  use.passage.pass(Step::rate);
  PV_TRY(parse_use(params, use));                                                      // 4
  use.passage.pass(Step::parse);
  PV_ASSIGN(const store::Row purchase, check_approved(use, "approved"));               // 5, 6, 7, 8
  PV_ASSIGN(const store::Row record, find_record(*session_, purchase.body["record"].text_or("")));
  PV_TRY(records_.take(record.id, session_->clock().monotonic_ms()));
  PV_TRY(read_record_blob(*session_, record));  // a damaged record is told before anything is journalled
  PV_ASSIGN(use.job, make_job(use, purchase, record));
  return use;
}

// Step 9: the row that says why is on disk and mirrored before any key is unwrapped.
Status Gate::journal_use(Use& use, store::Row& purchase) {
  PV_ASSIGN(auto tx, session_->begin());
  PV_TRY(session_->book().move(tx, purchase, "filling"));
  Json body;
  body.set("agent", use.agent.id);
  body.set("browser", use.job.guarded ? "guarded" : "attached");
  body.set("granted", session_->state() == State::granted);
  body.set("injector", injector_sha256_);
  body.set("purchase", purchase.id);
  body.set("record", purchase.body["record"]);
  body.set("strength", policy::to_string(static_cast<policy::Strength>(use.job.strength)));
  set_personal(*session_, body, use.agent.id,
               Json::Object{{"executable", use.caller.identity.executable}, {"merchant", purchase.body["merchant"]}});
  PV_TRY(tx.journal(journal::Kind::use_begin, std::move(body)));
  const std::uint64_t before = session_->store().head().seq;
  const Status committed = session_->commit(tx);
  // The row may stand although the mirror could not be written: then the use has begun and must be settled.
  if (session_->store().head().seq != before) use.use_row = static_cast<std::int64_t>(session_->store().head().seq);
  return committed;
}

// Step 10: record key -> fields, straight into the bundle.
Result<Descriptor> Gate::unwrap_record(const Use& use, const store::Row& record, ByteView blob) {
  use.passage.require(Step::journal);
  PV_ASSIGN(const SecretBytes key, session_->record_key(record, use.agent.id));
  PV_ASSIGN(BundleWriter bundle, BundleWriter::create(use.job.id));
  PV_ASSIGN(std::size_t size,
            open_record_into(key, session_->vault_id(), place_of(record), blob, bundle.body(SecretAccess{})));
  if (kind_of(record) == injector::Kind::login) {
    PV_ASSIGN(size, prepare_login(bundle.body(SecretAccess{}), size, use.job.origins.front(), session_->clock().now()));
  }
  PV_ASSIGN(const int descriptor, bundle.finish(size));
  return Descriptor(descriptor);
}

// Steps 1 to 8 as they stand now, for a job that began under what may have been other rules.
Result<store::Row> Gate::check_again(Use& use, std::string_view status) {
  PV_ASSIGN(use.agent, authenticate(*session_, use.caller));                           // 1
  use.passage.pass(Step::authenticate);
  PV_TRY(check_state(use.agent));                                                      // 2
  use.passage.pass(Step::state);
  PV_ASSIGN(store::Row purchase, check_approved(use, status));                         // 5, 6, 7, 8
  PV_ASSIGN(const store::Row record, find_record(*session_, purchase.body["record"].text_or("")));
  // The injector looked by the rules of its start: they must still be the rules.
  PV_ASSIGN(const injector::Job now, make_job(use, purchase, record));
  if (now.origins != use.job.origins || now.allow_loopback_http != use.job.allow_loopback_http || now.strength != use.job.strength ||
      now.guarded != use.job.guarded || now.recipes != use.job.recipes || now.accounts != use.job.accounts || !(now.price == use.job.price))
    return fail(Errc::denied, "the policy changed");
  return purchase;
}

Status Gate::arm(Use& use, std::optional<store::Row>& moved) {
  const Suspending suspending(*this);
  PV_ASSIGN(store::Row purchase, check_again(use, "approved"));
  purchase.body.set("reason", nullptr);
  PV_TRY(move_purchase(*session_, purchase, "armed", journal::Kind::use_armed));
  use.armed = true;
  moved = std::move(purchase);
  return {};
}

Result<store::Row> Gate::disarm(const Use& use, const Error& error) {
  refuse(use, error);
  PV_ASSIGN(auto row, session_->store().get(store::Table::purchases, use.purchase));
  if (!row) return fail(Errc::state_corrupt, "a purchase");
  if (row->body["status"].text_or("") == "armed") {
    row->body.set("reason", info(error.code).word);  // the agent asks for the status and learns why
    PV_TRY(move_purchase(*session_, *row, "approved", journal::Kind::use_disarmed));
  }
  return std::move(*row);
}

Result<Descriptor> Gate::unwrap(Use& use, std::optional<store::Row>& moved) {
  const Suspending suspending(*this);
  PV_ASSIGN(store::Row purchase, check_again(use, use.armed ? "armed" : "approved"));
  PV_ASSIGN(const store::Row record, find_record(*session_, purchase.body["record"].text_or("")));
  PV_ASSIGN(const Bytes blob, read_record_blob(*session_, record));
  PV_TRY(journal_use(use, purchase));                                                  // 9
  use.passage.pass(Step::journal);
  moved = purchase;
  auto bundle = unwrap_record(use, record, blob);                                      // 10
  if (bundle) use.passage.pass(Step::unwrap);
  return bundle;
}

// Steps 13 and 14, after the bundle left, or after row 9.
Result<store::Row> Gate::settle(Use& use, const UseEnd& end) {
  PV_ASSIGN(auto row, session_->store().get(store::Table::purchases, use.purchase));
  if (!row) return fail(Errc::state_corrupt, "a purchase");
  store::Row purchase = std::move(*row);
  const bool challenged = end.handed_over && end.said && end.said->outcome == injector::Outcome::challenge;
  const bool filled = challenged || (end.handed_over && end.said && end.said->outcome == injector::Outcome::filled);
  if (filled)
    for (const Step step : {Step::use, Step::wipe, Step::settle, Step::outcome}) use.passage.pass(step);
  PV_ASSIGN(auto tx, session_->begin());
  PV_TRY(session_->book().move(tx, purchase, challenged ? "awaiting_owner" : filled ? "filled" : "outcome_unknown"));
  Json body;
  body.set("agent", use.agent.id);
  body.set("purchase", use.purchase);
  body.set("use", use.use_row);
  if (end.said) {
    body.set("cleared", end.said->cleared);
    body.set("fields", reports(end.said->fields, use.job.origins));
    body.set("outcome", end.said->outcome == injector::Outcome::filled ? "filled" : std::string(info(injector::to_errc(end.said->outcome)).word));
    body.set("typed", end.said->typed);
  } else {
    body.set("outcome", info(end.said.error().code).word);
  }
  PV_TRY(tx.journal(filled ? journal::Kind::use_done : journal::Kind::use_unknown, std::move(body)));
  PV_TRY(session_->commit(tx));
  rewrap_used(*session_, purchase);
  return purchase;
}

void Gate::refuse(const Use& use, const Error& error) {
  if (!session_->store().unsealed()) return;
  Json body;
  body.set("agent", use.agent.id);
  body.set("purchase", use.purchase);
  body.set("reason", info(error.code).word);
  (void)session_->note(journal::Kind::use_refused, std::move(body));
}

}  // namespace popvault::gate
