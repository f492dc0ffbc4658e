#include "daemon/application.hpp"

#include <algorithm>

#include "session/checkpoints.hpp"
#include "session/epochs.hpp"
#include "log/log.hpp"
#include "session/personal.hpp"
#include "session/purchase_ends.hpp"
#include "session/record_changes.hpp"

namespace popvault::daemon {

std::uint64_t PurchaseWatchers::add(Changed changed) {
  watchers_.emplace(next_, std::move(changed));
  return next_++;
}

void PurchaseWatchers::tell(const store::Row& purchase) const {
  const auto watchers = watchers_;  // one may remove itself
  for (const auto& watcher : watchers)
    watcher.second(purchase.id, purchase.body["agent"].text_or(""), purchase.body["status"].text_or(""));
}

void Application::note_refusal(journal::Kind kind, Json body, const std::string& agent) {
  if (!session.has_store()) return;
  const std::string which = std::string(journal::to_string(kind)) + " " + agent;
  if (!refusals.take(which, session.clock().monotonic_ms())) {
    ++refusals_left_out[which];
    return;
  }
  if (const std::int64_t left_out = std::exchange(refusals_left_out[which], 0); left_out > 0) body.set("left_out", left_out);
  (void)session.note(kind, std::move(body));
}

gate::Moment Application::moment() const {
  return {session.clock().now(), session.clock().monotonic_ms(), locks};
}

void Application::note_sighting(Peer& peer) {
  if (peer.sighted || !session.store().unsealed() || !gate::authenticate(session, peer.caller)) return;
  peer.sighted = true;
  ensure_sightings();
  const std::string& agent = peer.caller.agent;
  const std::string& executable = peer.caller.identity.executable;
  const auto news = sightings.arrived(peer.id, agent, executable, session.clock().now());
  if (news.changed) {
    Json body;
    body.set("agent", agent);
    set_personal(session, body, agent, Json::Object{{"executable", executable}});
    note_refusal(journal::Kind::agent_executable, std::move(body), agent);
  }
  for (const gate::Anomaly& anomaly : news.anomalies) {
    Json body;
    body.set("agent", agent);
    set_personal(session, body, agent, Json::Object{{"executable", anomaly.one}, {"other", anomaly.other}});
    note_refusal(journal::Kind::agent_anomaly, std::move(body), agent);
  }
}

void Application::ensure_sightings() {
  // What the journal has of it opens only then.
  if (session.state() != State::unlocked || std::exchange(sightings_recalled, true)) return;
  if (const Status recalled = recall_sightings(); !recalled) log_warning("the agents' programs: " + recalled.error().message());
}

Status Application::recall_sightings() {
  PersonalReader reader(session);
  const auto each = [&](journal::Kind kind, Seconds since, const auto& take) -> Status {
    PV_ASSIGN(const auto rows, session.store().journal_of(kind, since));
    for (const journal::Row& row : rows)
      if (const auto body = Json::parse(row.body)) take((*body)["agent"].text_or(""), reader.shown(*body), row);
    return {};
  };
  std::map<std::string, std::uint64_t> rotated;  // agent -> sequence
  PV_TRY(each(journal::Kind::agent_rotated, 0,
              [&](const std::string& agent, const Json&, const journal::Row& row) { rotated[agent] = row.seq; }));
  const auto counts = [&](const std::string& agent, const journal::Row& row) {
    const auto at = rotated.find(agent);
    return !agent.empty() && (at == rotated.end() || row.seq > at->second);
  };
  const auto told = [](const Json& body) { return body["executable"].string() != nullptr; };
  PV_TRY(each(journal::Kind::agent_executable, 0, [&](const std::string& agent, const Json& body, const journal::Row& row) {
    if (counts(agent, row) && told(body)) sightings.recall_executable(agent, body["executable"].text_or(""), row.at);
  }));
  const Seconds since = session.clock().now() - gate::kAnomalyShown;
  return each(journal::Kind::agent_anomaly, since, [&](const std::string& agent, const Json& body, const journal::Row& row) {
    if (counts(agent, row) && told(body))
      sightings.recall_anomaly(agent, {body["executable"].text_or(""), body["other"].text_or(""), row.at});
  });
}

namespace {
constexpr std::int64_t kSweepBatch = 8;
constexpr std::int64_t kTidyAfterMs = 250;
constexpr Seconds kRetentionEvery = 3600;
}  // namespace

void Application::announce(std::string_view what) const {
  if (tell_owner) tell_owner(what);
}

void Application::after_unlock() {
  damaged.clear();
  touch();
  gate.replay_rates();
  ensure_sightings();
  announce("unlocked");
  if (const Status kept = keep_schedule(); !kept) log_warning("keeping the epochs' schedule: " + kept.error().message());
  tidying = loop.after(kTidyAfterMs, [this] {
    if (session.state() != State::unlocked) return;
    retention_at = 0;
    if (const Status kept = keep_journal(); !kept) log_warning("keeping the journal: " + kept.error().message());
    const auto removed = remove_orphans(session);
    if (!removed) return log_warning("looking for blobs without a record: " + removed.error().message());
    if (*removed > 0) log_info(std::to_string(*removed) + " blobs without a record were removed");
  });
}

Status Application::keep_schedule() {
  PV_ASSIGN(const bool due, rotation_due(session));
  PV_ASSIGN(const bool revoked, revoked_since_rotation(session));
  if (revoked || due) PV_TRY(rotate(session, revoked ? "agent_revoked" : "schedule"));
  PV_ASSIGN(const bool near, sweep_due(session));
  if (near) start_sweep();
  PV_TRY(shred_overdue(session));
  return destroy_drained(session);
}

void Application::after_request() {
  tell_processors();
  if (checkpointing || !session.has_store() || !session.store().unsealed() || !checkpoint_due(session)) return;
  checkpointing = true;
  loop.post([this] {
    checkpointing = false;
    if (const Status kept = keep_checkpoints(session); !kept) log_warning("a checkpoint of the journal: " + kept.error().message());
  });
}

Status Application::keep_journal() {
  PV_TRY(keep_checkpoints(session));
  const Seconds now = session.clock().now();
  if (now >= retention_at && now - retention_at < kRetentionEvery) return {};
  retention_at = now;
  return keep_retention(session);
}

void Application::start_sweep() {
  if (!sweeping) sweep_on();
}

// It rests twice as long as it worked, so that a request seldom finds the loop busy.
void Application::sweep_on() {
  sweeping.reset();
  if (session.state() != State::unlocked) return;
  const std::int64_t began = session.clock().monotonic_ms();
  const auto moved = sweep(session, kSweepBatch, damaged);
  if (!moved) return log_warning("the sweep stops for now: " + moved.error().message());
  if (*moved == 0) return;
  const std::int64_t worked = session.clock().monotonic_ms() - began;
  sweeping = loop.after(std::max<std::int64_t>(1, 2 * worked), [this] { sweep_on(); });
}

Status Application::expire() {
  return expire_overdue(session, [this](const store::Row& row) { watchers.tell(row); });
}

Status Application::settle_stranded() {
  return settle_interrupted(session, [this](const store::Row& row) { return !injections.running(row.id); },
                            [this](const store::Row& row) { watchers.tell(row); });
}

void answer_late(Application& app, unsigned steps, const Error& error, const std::shared_ptr<Reply>& reply) {
  // The timer keeps itself until it has fired.
  const auto timer = std::make_shared<std::unique_ptr<Timer>>();
  *timer = app.loop.after(std::int64_t{125} << steps, [&loop = app.loop, reply, error, timer] {
    reply->error(error);
    loop.post([timer] { timer->reset(); });
  });
}

void Application::lock() {
  ++locks;
  sweeping.reset();
  injections.stop_all();
  const bool was_unlocked = session.state() == State::unlocked;
  session.lock();
  if (was_unlocked) announce("locked");
}

void Application::lock_all() {
  lock();
  session.drop_grants();
}

void Application::check_deadlines() {
  if (session.state() == State::unlocked) {
    const auto idle = session.store().get(store::Table::settings, "lock.idle");
    const std::int64_t idle_s = idle && *idle ? (*idle)->body["value"].int_or(0) : 0;
    const bool rested = idle_s > 0 && session.clock().monotonic_ms() - touched_ms >= idle_s * 1000;
    if (rested || session.clock().now() >= session.expires_at()) {
      log_info(rested ? "nothing was used for a while: locked" : "the session is over");
      lock();
    }
  }
  if (session.has_store()) session.end_overdue_grants();
}

}  // namespace popvault::daemon
